import t from 'tap';
import { as, outcome, startAuth, tally, uniqueName } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;

interface KeyBody {
  name: string;
  access: 'full' | 'read-only';
  expiresAt: string | null;
  idempotency?: { key: string; fingerprint: string };
}
const keyOf = (account: { id: string }, over: Partial<KeyBody> = {}) =>
  client.call(
    'createKey',
    { params: { accountId: account.id }, body: { name: 'backup', access: 'full', expiresAt: null, ...over } },
    { ...as(account), timeoutMs: 30_000 },
  );
const list = async (account: { id: string }) =>
  (await client.call('listKeys', { params: { accountId: account.id } }, as(account))).items;
const verify = (keyId: string, secret: string) => client.call('verifyKey', { body: { keyId, secret } });
const remove = (account: { id: string }, keyId: string) =>
  client.call('deleteKey', { params: { accountId: account.id, keyId } }, as(account));

t.test('a key is made, used, listed without its secret, and removed', async (t) => {
  const account = await auth.register();
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const { secret, ...key } = await keyOf(account, { name: ' backup ', access: 'read-only', expiresAt });
  t.match(key, { name: 'backup', access: 'read-only', expiresAt, id: /^ck_[0-9a-f]{24}$/ });
  t.match(secret, /^[\w-]{43}$/);
  t.same(await list(account), [key]);
  t.same(await verify(key.id, secret), {
    principal: { accountId: account.id, role: 'user', keyId: key.id, readOnly: true },
    expiresAt,
  });
  const stored = await auth.mongo.accounts.findOne({ _id: account.id });
  t.notOk(JSON.stringify(stored).includes(secret), 'not readable in the database');

  t.equal(await outcome(remove(await auth.register(), key.id)), 'not_found', 'a stranger does not find it');
  t.equal(await outcome(remove(account, key.id)), 'ok');
  t.equal(await outcome(remove(account, key.id)), 'not_found');
  t.equal(await outcome(verify(key.id, secret)), 'invalid_token');
  const { items } = await client.call('listRevocations', {});
  t.match(
    items.filter(({ id }) => id === key.id),
    [{ kind: 'key' }],
  );
});

t.test('keys that are not right', async (t) => {
  const account = await auth.register();
  const key = await keyOf(account);
  const other = await keyOf(account);
  t.equal(await outcome(verify(key.id, other.secret)), 'invalid_token');
  t.equal(await outcome(verify(key.id, '')), 'invalid_token');
  t.equal(await outcome(verify('ck_000000000000000000000000', key.secret)), 'invalid_token');
  await auth.mongo.accounts.updateOne({ _id: account.id }, { $set: { 'keys.0.expiresAt': new Date() } });
  t.equal(await outcome(verify(key.id, key.secret)), 'invalid_token', 'expired');
  t.equal(await outcome(verify(other.id, other.secret)), 'ok');
});

t.test('bad input', async (t) => {
  const account = await auth.register();
  const create = (over: Partial<KeyBody>) => outcome(keyOf(account, over));
  t.equal(await create({ name: '' }), 'invalid_body');
  t.equal(await create({ name: '  ' }), 'invalid_name');
  t.equal(await create({ name: 'a\nb' }), 'invalid_name');
  t.equal(await create({ name: 'x'.repeat(101) }), 'invalid_body');
  for (const expiresAt of [
    'tomorrow',
    '2020-01-01T00:00:00Z',
    '2999-13-01T00:00:00Z',
    '2999-01-01',
    '2999-01-01T00:00:00',
    '',
  ])
    t.equal(await create({ expiresAt }), 'invalid_body', expiresAt);
  t.equal(await create({ expiresAt: '2999-01-01T00:00:00+02:00' }), 'ok');
  const nobody = { id: '01900000-0000-7000-8000-00000000dead' };
  t.equal(await outcome(keyOf(nobody)), 'not_found');
  t.equal(await outcome(list(nobody)), 'not_found');
});

t.test('an account has at most 100 keys, however many are asked for at once', async (t) => {
  const account = await auth.register();
  const outcomes = await Promise.all(Array.from({ length: 130 }, () => outcome(keyOf(account))));
  t.same(tally(outcomes), { ok: 100, conflict: 30 });
  const keys = await list(account);
  t.equal(keys.length, 100);
  await remove(account, keys[0]?.id ?? '');
  t.equal(await outcome(keyOf(account)), 'ok');
});

t.test('creates with an idempotency key show the same secret again', async (t) => {
  const account = await auth.register();
  const idempotency = { key: uniqueName(), fingerprint: 'f' };
  const keys = await Promise.all(Array.from({ length: 10 }, () => keyOf(account, { idempotency })));
  t.equal(new Set(keys.map((key) => JSON.stringify(key))).size, 1);
  t.equal((await list(account)).length, 1);
  const reused = { key: idempotency.key, fingerprint: 'g' };
  t.equal(await outcome(keyOf(account, { idempotency: reused })), 'idempotency_key_reused');
  t.equal(await outcome(keyOf(await auth.register(), { idempotency: reused })), 'ok', 'keys are each account’s own');
  const dayAgo = new Date(Date.now() - 25 * 3_600_000);
  await auth.mongo.accounts.updateOne({ _id: account.id }, { $set: { 'keys.0.idempotency.at': dayAgo } });
  t.not((await keyOf(account, { idempotency })).id, keys[0]?.id, 'a day later it makes a new one');
});
