import t from 'tap';
import { as, newAddress, operator, outcome, password, startAuth, tally, uniqueName } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;
type Door = 'cloudrest' | 'images';

const pairOf = (door: Door = 'cloudrest') => ({
  door,
  id: uniqueName('AKIA'),
  secret: `wJalr/XUtnFEMI+${uniqueName()}`,
});
type Pair = ReturnType<typeof pairOf>;
const create = (importedKey: Pair, username = uniqueName()) =>
  client.call('createAccount', { body: { username, email: null, password, importedKey } }, { timeoutMs: 60_000 });
const bring = (login: string, pair: Pair, secret = password) =>
  client.call(
    'importKey',
    { body: { login, password: secret, ...pair, address: newAddress() } },
    { timeoutMs: 60_000 },
  );
const get = (account: { id: string }, door: Door = 'cloudrest', o = {}) =>
  client.call('getImportedKey', { params: { accountId: account.id, door } }, o);
const list = async (account: { id: string }) =>
  (await client.call('listKeys', { params: { accountId: account.id } }, as(account))).items;
const verify = ({ id, secret }: Pair) => client.call('verifyKey', { body: { keyId: id, secret } });
const remove = (account: { id: string }, keyId: string) =>
  client.call('deleteKey', { params: { accountId: account.id, keyId } }, as(account));

t.test('a pair from elsewhere is a key of the account from its first moment', async (t) => {
  const pair = pairOf();
  const account = await create(pair);
  t.match(await list(account), [
    { id: pair.id, name: 'cloudrest', access: 'full', expiresAt: null, door: 'cloudrest' },
  ]);
  t.same(await get(account), { id: pair.id, secret: pair.secret });
  t.same(await get(account, 'cloudrest', as(account)), { id: pair.id, secret: pair.secret });
  t.equal(await outcome(get(account, 'cloudrest', as(await auth.register()))), 'not_found');
  t.equal(await outcome(get(account, 'cloudrest', operator)), 'not_found', 'operators see no secrets');
  t.equal(await outcome(get(account, 'images')), 'not_found');
  t.same((await verify(pair)).principal, { accountId: account.id, role: 'user', keyId: pair.id, readOnly: false });
  t.equal(await outcome(verify({ ...pair, secret: 'x' })), 'invalid_token');
  t.notOk(JSON.stringify(await auth.mongo.accounts.findOne({ _id: account.id })).includes(pair.secret));

  t.equal(await outcome(remove(account, pair.id)), 'ok');
  t.equal(await outcome(get(account)), 'not_found');
  t.equal(await outcome(verify(pair)), 'invalid_token');
});

t.test('refusals are told apart', async (t) => {
  const pair = pairOf();
  const account = await create(pair);
  t.equal(await outcome(create(pair)), 'key_taken');
  t.equal(await outcome(create(pair, account.username)), 'username_taken');
  const other = await auth.register();
  t.equal(await outcome(bring(other.username, pair)), 'key_taken');
  const own = await client.call(
    'createKey',
    { params: { accountId: other.id }, body: { name: 'k', access: 'full', expiresAt: null } },
    as(other),
  );
  t.equal(await outcome(bring(other.username, { ...pair, id: own.id })), 'key_taken', 'also by a key made here');
  t.equal(await outcome(bring(account.username, pair, 'a wrong password')), 'invalid_credentials');
  for (const bad of [
    { id: 'a b' },
    { id: 'a:b' },
    { id: 'ключ' },
    { id: 'a\n' },
    { id: '' },
    { id: 'x'.repeat(129) },
    { secret: 'ключ' },
    { secret: 'a b' },
    { secret: '' },
  ]) {
    t.equal(await outcome(create({ ...pairOf(), ...bad })), 'invalid_body', JSON.stringify(bad));
    t.equal(await outcome(bring(other.username, { ...pairOf(), ...bad })), 'invalid_body', JSON.stringify(bad));
  }
});

t.test('another pair takes the place of one that is gone, not of one that is there', async (t) => {
  const pair = pairOf();
  const account = await create(pair);
  const before = await list(account);
  t.match(await bring(account.username, pair), { id: pair.id, door: 'cloudrest' });
  t.same(await list(account), before, 'the one that is held changes nothing');
  t.equal(await outcome(bring(account.username, { ...pair, secret: 'another' })), 'conflict');
  t.equal(await outcome(bring(account.username, pairOf())), 'conflict');
  t.equal(await outcome(bring(account.username, pairOf('images'))), 'ok', 'each door has its own');
  await remove(account, pair.id);
  const next = pairOf();
  t.equal(await outcome(bring(account.username, next)), 'ok');
  t.same(await get(account), { id: next.id, secret: next.secret });
  const heir = await auth.register();
  t.equal(await outcome(bring(heir.username, pair)), 'ok', 'an id that nobody holds is free');

  const params = { accountId: account.id };
  await client.call('setAccountStatus', { params, body: { suspended: true } }, operator);
  t.equal(await outcome(bring(account.username, next)), 'account_suspended');
  t.equal(await outcome(verify(next)), 'account_suspended');
});

t.test('a hundred accounts want one key', async (t) => {
  const pair = pairOf();
  const outcomes = tally(await Promise.all(Array.from({ length: 100 }, () => outcome(create(pair)))));
  t.same(outcomes, { ok: 1, key_taken: 99 });
  t.equal(await auth.mongo.accounts.countDocuments({ 'keys.id': pair.id }), 1);

  const accounts = await Promise.all(Array.from({ length: 20 }, () => auth.register()));
  const next = pairOf();
  const brought = tally(await Promise.all(accounts.map(({ username }) => outcome(bring(username, next)))));
  t.same(brought, { ok: 1, key_taken: 19 });
});

t.test('one account is given many keys of a door at once, and keeps one', async (t) => {
  const account = await auth.register();
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(bring(account.username, pairOf()))));
  t.same(tally(outcomes), { ok: 1, conflict: 19 });
  t.equal((await list(account)).length, 1);
  const same = await auth.register();
  const pair = pairOf();
  t.same(tally(await Promise.all(Array.from({ length: 20 }, () => outcome(bring(same.username, pair))))), { ok: 20 });
  t.equal((await list(same)).length, 1);
});
