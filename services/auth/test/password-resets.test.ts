import { randomBytes } from 'node:crypto';
import { type EventEnvelope, events } from '@coffer/contracts';
import { createTestContext } from '@coffer/service-kit';
import t from 'tap';
import { createResetTokens } from '../src/domain/reset-token.ts';
import { createAccountStore } from '../src/store/accounts.ts';
import { createSealing } from '../src/store/sealing.ts';
import {
  as,
  engines,
  newAddress,
  operator,
  outcome,
  ownSpace,
  password,
  startAuth,
  tally,
  uniqueName,
  until,
} from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;

const request = (email: string, address = newAddress()) =>
  client.call('requestPasswordReset', { body: { email, address } });
const use = (token: string, newPassword = 'another password', anyPassword?: boolean) =>
  client.call(
    'resetPassword',
    { body: { token, newPassword, ...(anyPassword !== undefined && { anyPassword }) } },
    { timeoutMs: 60_000 },
  );
const get = (resetId: string) => client.call('getPasswordReset', { params: { resetId } });
const resetsOf = async (account: { id: string }) =>
  (await auth.mongo.passwordResets.find({ accountId: account.id }).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
/** Asks, and answers the id of the reset that came of it. */
async function ask(account: { id: string; email: string }): Promise<string> {
  await request(account.email);
  return (await resetsOf(account)).at(-1) ?? '';
}
const tokenFor = async (account: { id: string; email: string }) => (await get(await ask(account))).token;

t.test('a link sets a new password, once', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  const keyed = await client.call('createSessionKey', {
    body: { login: account.username, password, door: 'vertex', address: newAddress(), userAgent: '' },
  });
  const resetId = await ask({ ...account, email: account.email.toUpperCase() });
  const found = await get(resetId);
  t.match(found.account, { id: account.id, email: account.email });
  t.ok(Math.abs(Date.parse(found.expiresAt) - Date.now() - 3_600_000) < 60_000);
  const stored = JSON.stringify(await auth.mongo.passwordResets.findOne({ _id: resetId }));
  t.notOk(stored.includes(found.token.slice(-43)), 'its secret part is nowhere stored');

  t.equal(await outcome(use(found.token, 'short')), 'weak_password');
  t.equal(await outcome(use(found.token, account.username)), 'weak_password');
  t.equal(await outcome(auth.logIn(account.username)), 'ok', 'nothing happened yet');
  t.equal(await outcome(use(found.token)), 'ok');
  t.equal(await outcome(use(found.token, 'a third password')), 'invalid_token');
  t.equal(await outcome(get(resetId)), 'not_found');
  t.equal(await outcome(auth.logIn(account.username)), 'invalid_credentials');
  t.equal(await outcome(auth.logIn(account.username, 'another password')), 'ok');
  const body = { refreshToken: session.refreshToken, address: newAddress(), userAgent: '' };
  t.equal(await outcome(client.call('refreshSession', { body })), 'session_ended');
  const verify = client.call('verifySessionKey', { body: { key: keyed.key, door: 'vertex' } });
  t.equal(await outcome(verify), 'session_ended');
  const { items } = await client.call('listRevocations', {});
  for (const { sessionId } of [session, keyed]) t.ok(items.some(({ id }) => id === sessionId));

  t.equal(await outcome(use(await tokenFor(account), '1', true)), 'ok', 'doors that take any password say so');
});

t.test('tokens that are not good', async (t) => {
  const account = await auth.register();
  const [first, second] = [await ask(account), await ask(account)];
  const token = (await get(first)).token;
  const other = (await get(second)).token;
  for (const bad of [
    'x',
    first,
    `${first}.${other.slice(-43)}`,
    `${first}.${'A'.repeat(43)}`,
    `${token}x`,
    token.slice(1),
  ])
    t.equal(await outcome(use(bad)), 'invalid_token', bad);
  t.equal(await outcome(get('01900000-0000-7000-8000-00000000dead')), 'not_found');

  await auth.mongo.passwordResets.updateOne({ _id: first }, { $set: { expiresAt: new Date() } });
  t.equal(await outcome(use(token)), 'invalid_token', 'expired');
  t.equal(await outcome(get(first)), 'not_found');
  t.equal(await outcome(use(other)), 'ok', 'each stands for itself');
  const indexes = await auth.mongo.passwordResets.indexes();
  t.match(
    indexes.find(({ name }) => name === 'purgeAt'),
    { expireAfterSeconds: 0 },
  );
});

t.test('a link is overtaken by what changes meanwhile', async (t) => {
  const overtaken = async (
    why: string,
    change: (account: { id: string; email: string; username: string }) => Promise<unknown>,
  ) => {
    const account = await auth.register();
    const resetId = await ask(account);
    const { token } = await get(resetId);
    await change(account);
    t.equal(await outcome(use(token)), 'invalid_token', why);
    t.equal(await outcome(get(resetId)), 'not_found', why);
  };
  await overtaken('another link was used', async (account) => await use(await tokenFor(account)));
  await overtaken('the password changed', (account) =>
    client.call(
      'changePassword',
      { params: { accountId: account.id }, body: { currentPassword: password, newPassword: 'another password' } },
      as(account),
    ),
  );
  await overtaken('the e-mail address changed', (account) =>
    client.call(
      'updateAccount',
      { params: { accountId: account.id }, body: { email: `${uniqueName()}@example.org` } },
      as(account),
    ),
  );
  await overtaken('the account was deleted', (account) =>
    client.call('deleteAccount', { params: { accountId: account.id }, body: { password } }, as(account)),
  );
});

t.test('a change that comes while a link is used wins over it', async (t) => {
  const account = await auth.register();
  const store = createAccountStore(auth.mongo, createSealing(randomBytes(32)));
  const [read] = await auth.mongo.accounts.find({ _id: account.id }).toArray();
  const body = { email: `${uniqueName()}@example.org` };
  await client.call('updateAccount', { params: { accountId: account.id }, body }, as(account));
  const { credentialRev = 0, emailKey = '', passwordHash = '' } = read ?? {};
  t.equal(await store.setPassword(account.id, { credentialRev, emailKey, passwordHash, at: new Date() }), false);
  t.equal(
    await store.setPassword(account.id, { credentialRev, emailKey: body.email, passwordHash, at: new Date() }),
    true,
  );
});

t.test('a hundred use one link at once', async (t) => {
  const account = await auth.register();
  const token = await tokenFor(account);
  const passwords = Array.from({ length: 100 }, (_, i) => `a new password ${i}`);
  const outcomes = await Promise.all(passwords.map((one) => outcome(use(token, one))));
  t.same(tally(outcomes), { ok: 1, invalid_token: 99 });
  const winner = passwords[outcomes.indexOf('ok')] ?? '';
  t.equal(await outcome(auth.logIn(account.username, winner)), 'ok');
});

t.test('nobody learns whether an address is registered', async (t) => {
  const account = await auth.register();
  const suspended = await auth.register();
  await client.call('setAccountStatus', { params: { accountId: suspended.id }, body: { suspended: true } }, operator);
  for (const email of [account.email, suspended.email, `${uniqueName()}@example.org`])
    t.equal(await outcome(request(email)), 'ok');
  t.equal((await resetsOf(account)).length, 1);
  t.equal((await resetsOf(suspended)).length, 0);
  t.equal(await outcome(request('nobody')), 'invalid_body');
  const decoys = await auth.mongo.passwordResets.find({ accountId: { $exists: false } }).toArray();
  for (const { _id } of decoys)
    t.equal(await outcome(get(_id)), 'not_found', 'what is written for the others finds nothing');
  t.notOk(JSON.stringify(decoys).includes('example.org'), 'and names nobody');
  const key = Buffer.from(auth.env.KEY_ENCRYPTION_KEY ?? '', 'base64');
  t.equal(await outcome(use(createResetTokens(key).make(decoys[0]?._id ?? ''))), 'invalid_token');

  const ms: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
  for (let round = 0; round < 15; round++) {
    const { email } = await auth.register();
    for (const [kind, address] of [
      ['known', email],
      ['unknown', `${uniqueName()}@example.org`],
    ] as const) {
      const before = performance.now();
      await request(address);
      ms[kind].push(performance.now() - before);
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const ratio = median(ms.unknown) / median(ms.known);
  t.ok(ratio > 0.5 && ratio < 2, `medians ${median(ms.unknown)} and ${median(ms.known)} ms`);
});

t.test('requests are limited without a word', async (t) => {
  const account = await auth.register();
  for (let i = 0; i < 8; i++) t.equal(await outcome(request(account.email)), 'ok');
  t.equal((await resetsOf(account)).length, 5, 'five for one account');
  const address = newAddress();
  const accounts = await Promise.all(Array.from({ length: 52 }, () => auth.register()));
  for (const { email } of accounts) t.equal(await outcome(request(email, address)), 'ok');
  const made = await auth.mongo.passwordResets.countDocuments({ accountId: { $in: accounts.map(({ id }) => id) } });
  t.equal(made, 50, 'fifty from one address');
});

t.test('a new password lets its owner in where guesses had locked the account', async (t) => {
  const account = await auth.register();
  for (let i = 0; i < 10; i++) await outcome(auth.logIn(account.username, 'a wrong password'));
  t.equal(await outcome(auth.logIn(account.username)), 'rate_limited');
  await use(await tokenFor(account));
  t.equal(await outcome(auth.logIn(account.username, 'another password')), 'ok');
});

t.test('events tell of the request and of the new password, and hold no secret', async (t) => {
  const { NATS_URL } = engines();
  const space = ownSpace(t);
  const listener = createTestContext('listener', { ...space.env, NATS_URL });
  t.teardown(() => listener.shutdown.run('test'));
  const heard: EventEnvelope[] = [];
  for (const { type } of [events.passwordResetRequested, events.passwordReset])
    listener.bus.subscribe(type, (event) => heard.push(event));
  await until(async () => listener.bus.connected());
  const own = await startAuth(t, { space, env: { NATS_URL } });
  await until(async () => own.ctx.bus.connected());
  const account = await own.register();
  const body = { email: account.email, address: newAddress() };
  await own.client.call('requestPasswordReset', { body });
  await own.client.call('requestPasswordReset', { body: { ...body, email: 'nobody@example.org' } });
  await until(async () => heard.length === 1);
  const { resetId } = (heard[0]?.data ?? {}) as { resetId: string };
  const { token } = await own.client.call('getPasswordReset', { params: { resetId } });
  await own.client.call('resetPassword', { body: { token, newPassword: 'another password' } });
  await until(async () => heard.length === 2);
  t.match(
    heard.map(({ type, data }) => [type, data]),
    [
      [events.passwordResetRequested.type, { accountId: account.id, resetId }],
      [events.passwordReset.type, { accountId: account.id, resetId }],
    ],
  );
  t.notOk(JSON.stringify(heard).includes(token.slice(-43)));
  await until(async () => (await space.mongo.passwordResets.countDocuments({ outboxAt: { $exists: true } })) === 0);
  await until(async () => (await space.mongo.accounts.countDocuments({ outboxAt: { $exists: true } })) === 0);
  t.pass('the outboxes are empty again');
});
