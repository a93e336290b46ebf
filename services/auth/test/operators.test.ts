/** What operators do to other people's accounts. */
import { events } from '@coffer/contracts';
import t from 'tap';
import { as, newAddress, operator, outcome, password, startAuth, tally, uniqueName } from './service.ts';

t.setTimeout(120_000);
const adminName = uniqueName('admin');
const auth = await startAuth(t, { env: { ADMIN_USERNAME: adminName, ADMIN_PASSWORD: password } });
const { client } = auth;

const params = (account: { id: string }) => ({ params: { accountId: account.id } });
const remove = (account: { id: string }, o = operator) => client.call('removeAccount', params(account), o);
const reset = (account: { id: string }, o = operator) => client.call('resetAccount', params(account), o);
const refresh = (refreshToken: string) =>
  client.call('refreshSession', { body: { refreshToken, address: newAddress(), userAgent: '' } });
const sessionKey = (login: string) =>
  client.call('createSessionKey', {
    body: { login, password, door: 'vertex', address: newAddress(), userAgent: '' },
  });
const revoked = async () => (await client.call('listRevocations', {})).items;
const nowhere = { id: '01900000-0000-7000-8000-0000000000bb' };
const [admin = nowhere] = (await client.call('findAccounts', { query: { query: adminName } }, operator)).items;
const reader = as({ id: admin.id, role: 'operator' }, { readOnly: true });

t.test('who may not', async (t) => {
  const account = await auth.register();
  const user = as(await auth.register());
  for (const act of [remove, reset]) {
    t.equal(await outcome(act(account, user)), 'forbidden');
    t.equal(await outcome(act(account, as(account))), 'forbidden');
    t.equal(await outcome(act(account, {})), 'unauthorized');
    t.equal(await outcome(act(account, reader)), 'read_only');
    t.equal(await outcome(act(nowhere)), 'not_found');
  }
  t.equal(await outcome(remove(admin)), 'forbidden', 'an operator is not deleted');
  t.equal(await outcome(auth.logIn(adminName)), 'ok');
  t.equal(await outcome(auth.logIn(account.username)), 'ok', 'nothing happened');
});

t.test('a removed account is gone, and removing it again finishes what was left', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  const { key } = await sessionKey(account.username);
  t.equal(await outcome(remove(account)), 'ok');
  t.equal(await outcome(auth.logIn(account.username)), 'invalid_credentials');
  t.equal(await outcome(refresh(session.refreshToken)), 'session_ended');
  t.equal(await outcome(client.call('verifySessionKey', { body: { key, door: 'vertex' } })), 'session_ended');
  t.equal(await outcome(client.call('getAccount', params(account), operator)), 'not_found');
  t.ok((await revoked()).some(({ id }) => id === account.id));
  const husk = await auth.mongo.accounts.findOne({ _id: account.id });
  t.ok(husk?.outbox?.some(({ type }) => type === events.accountDeleted.type));
  t.equal(
    await outcome(
      client.call('createAccount', { body: { ...{ username: account.username }, email: account.email, password } }),
    ),
    'ok',
  );

  await auth.mongo.sessions.updateOne({ _id: session.sessionId }, { $unset: { endedAt: '' } });
  t.equal(await outcome(remove(account)), 'ok', 'as after a crash');
  t.ok((await auth.mongo.sessions.findOne({ _id: session.sessionId }))?.endedAt);
  const after = await auth.mongo.accounts.findOne({ _id: account.id });
  t.same(after?.deletedAt, husk?.deletedAt);
  t.equal(after?.outbox?.filter(({ type }) => type === events.accountDeleted.type).length, 1, 'told once');
});

t.test('of removals that race one tells', async (t) => {
  const account = await auth.register();
  const outcomes = tally(await Promise.all(Array.from({ length: 20 }, () => outcome(remove(account)))));
  t.same(outcomes, { ok: 20 });
  const husk = await auth.mongo.accounts.findOne({ _id: account.id });
  t.equal(husk?.outbox?.filter(({ type }) => type === events.accountDeleted.type).length, 1);
});

t.test('a reset account is open to nobody but its password, and a link for a new one is sent', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  const { key } = await sessionKey(account.username);
  const keys = await Promise.all(
    ['a', 'b'].map((name) =>
      client.call('createKey', { ...params(account), body: { name, access: 'full', expiresAt: null } }, as(account)),
    ),
  );
  await client.call('requestPasswordReset', { body: { email: account.email, address: newAddress() } });
  const resetIds = async () =>
    (await auth.mongo.passwordResets.find({ accountId: account.id }).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
  const [older = ''] = await resetIds();
  const { token: olderToken } = await client.call('getPasswordReset', { params: { resetId: older } });

  t.same(await reset(account), { mailed: true });
  t.equal(await outcome(refresh(session.refreshToken)), 'session_ended');
  t.equal(await outcome(client.call('verifySessionKey', { body: { key, door: 'vertex' } })), 'session_ended');
  for (const { id, secret } of keys)
    t.equal(await outcome(client.call('verifyKey', { body: { keyId: id, secret } })), 'invalid_token');
  t.same((await client.call('listKeys', params(account), as(account))).items, []);
  const told = (await revoked()).map(({ id }) => id);
  for (const id of [session.sessionId, ...keys.map((one) => one.id)]) t.ok(told.includes(id), 'gateways are told');
  t.notOk(told.includes(account.id));
  const use = (token: string) =>
    client.call('resetPassword', { body: { token, newPassword: 'another password' } }, { timeoutMs: 60_000 });
  t.equal(await outcome(use(olderToken)), 'invalid_token', 'a link that was sent before');
  t.equal(await outcome(auth.logIn(account.username)), 'ok', 'the password is good until another is set');

  const [, newer = ''] = await resetIds();
  const document = await auth.mongo.passwordResets.findOne({ _id: newer });
  t.match(document?.outbox, [{ type: events.passwordResetRequested.type, data: { resetId: newer } }]);
  const { token } = await client.call('getPasswordReset', { params: { resetId: newer } });
  t.equal(await outcome(use(token)), 'ok');
  t.equal(await outcome(auth.logIn(account.username, 'another password')), 'ok');
});

t.test('without an address nothing is sent', async (t) => {
  const account = await client.call('createAccount', { body: { username: uniqueName(), email: null, password } });
  const session = await auth.logIn(account.username);
  t.same(await reset(account), { mailed: false });
  t.equal(await outcome(refresh(session.refreshToken)), 'session_ended');
  t.equal(await auth.mongo.passwordResets.countDocuments({ accountId: account.id }), 0);
});

t.test('a key made while an account is reset is either ended or refused', async (t) => {
  const account = await auth.register();
  const create = (n: number) =>
    client.call(
      'createKey',
      { ...params(account), body: { name: `k${n}`, access: 'full', expiresAt: null } },
      as(account),
    );
  const making = Promise.all(Array.from({ length: 5 }, (_, n) => create(n)));
  const done = outcome(reset(account));
  const made = await making;
  t.match(await done, /^(ok|busy)$/);
  const left = new Set((await client.call('listKeys', params(account), as(account))).items.map(({ id }) => id));
  for (const { id, secret } of made) {
    const code = await outcome(client.call('verifyKey', { body: { keyId: id, secret } }));
    t.equal(code, left.has(id) ? 'ok' : 'invalid_token');
  }
  t.same(await reset(account), { mailed: true });
  t.same((await client.call('listKeys', params(account), as(account))).items, []);
});
