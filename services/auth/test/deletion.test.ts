import { randomBytes } from 'node:crypto';
import { type EventEnvelope, events } from '@coffer/contracts';
import { createTestContext } from '@coffer/service-kit';
import t from 'tap';
import { createDeletion } from '../src/domain/deletion.ts';
import { createOutboxes } from '../src/events/outboxes.ts';
import { createAccountStore } from '../src/store/accounts.ts';
import { createOutboxPort } from '../src/store/outbox.ts';
import { createPasswords } from '../src/store/password-hasher.ts';
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

const remove = (account: { id: string }, secret = password, o = as(account)) =>
  client.call(
    'deleteAccount',
    { params: { accountId: account.id }, body: { password: secret, address: newAddress() } },
    { ...o, timeoutMs: 60_000 },
  );
const isRevoked = async (id: string) => (await client.call('listRevocations', {})).items.some((one) => one.id === id);
const sessionKey = (login: string) =>
  client.call('createSessionKey', {
    body: { login, password, door: 'vertex', address: newAddress(), userAgent: 'tests' },
  });

t.test('a deleted account is gone, and what it had is free', async (t) => {
  const pair = { door: 'cloudrest' as const, id: uniqueName('AKIA'), secret: 'secret' };
  const idempotency = { key: uniqueName(), fingerprint: 'f' };
  const username = uniqueName();
  const body = {
    username,
    email: `${username}@example.org`,
    password,
    importedKey: pair,
    idempotency,
    profile: { first_name: 'Ada' },
  };
  const account = await client.call('createAccount', { body });
  const params = { accountId: account.id };
  const session = await auth.logIn(username);
  const { key } = await sessionKey(username);

  t.equal(await outcome(remove(account, 'a wrong password')), 'invalid_credentials');
  t.equal(await outcome(remove(account, password, {})), 'unauthorized');
  t.equal(await outcome(remove(account, password, as(await auth.register()))), 'not_found');
  t.equal(await outcome(remove(account, password, operator)), 'not_found');
  t.equal(await outcome(remove(account, password, as(account, { readOnly: true }))), 'read_only');
  t.equal(await outcome(auth.logIn(username)), 'ok', 'nothing happened yet');
  t.equal(await outcome(remove(account)), 'ok');

  const refresh = client.call('refreshSession', {
    body: { refreshToken: session.refreshToken, address: newAddress(), userAgent: '' },
  });
  t.equal(await outcome(refresh), 'session_ended');
  t.equal(await outcome(client.call('verifySessionKey', { body: { key, door: 'vertex' } })), 'session_ended');
  t.equal(await outcome(client.call('verifyKey', { body: { keyId: pair.id, secret: pair.secret } })), 'invalid_token');
  t.equal(await outcome(auth.logIn(username)), 'invalid_credentials');
  t.ok(await isRevoked(account.id), 'gateways are told');
  const calls = {
    get: () => client.call('getAccount', { params }, operator),
    profile: () => client.call('getProfile', { params }, operator),
    update: () => client.call('updateAccount', { params, body: { username: uniqueName() } }, as(account)),
    updateProfile: () => client.call('updateProfile', { params, body: { a: 'b' } }, as(account)),
    keys: () => client.call('listKeys', { params }, as(account)),
    createKey: () =>
      client.call('createKey', { params, body: { name: 'k', access: 'full', expiresAt: null } }, as(account)),
    status: () => client.call('setAccountStatus', { params, body: { suspended: true } }, operator),
    password: () =>
      client.call(
        'changePassword',
        { params, body: { currentPassword: password, newPassword: 'another password' } },
        as(account),
      ),
    imported: () => client.call('getImportedKey', { params: { ...params, door: 'cloudrest' } }),
    again: () => remove(account),
  };
  for (const [name, call] of Object.entries(calls)) t.equal(await outcome(call()), 'not_found', name);
  t.same(await client.call('lookUpAccounts', { body: { logins: [account.id, username] } }), { accounts: [null, null] });
  t.same((await client.call('findAccounts', { query: { query: username } }, operator)).items, []);
  t.same((await client.call('findAccounts', { query: { query: account.id } }, operator)).items, []);

  const husk = JSON.stringify(await auth.mongo.accounts.findOne({ _id: account.id }));
  for (const word of [username, 'argon2', pair.id, idempotency.key]) t.notOk(husk.includes(word), word);
  const heir = await client.call('createAccount', { body });
  t.not(heir.id, account.id, 'names, key and idempotency key are free');
  t.equal(await outcome(auth.logIn(username)), 'ok');
});

t.test('many accounts may be deleted, each once', async (t) => {
  const accounts = [await auth.register(), await auth.register(), await auth.register()];
  for (const account of accounts) {
    const outcomes = tally(await Promise.all(Array.from({ length: 10 }, () => outcome(remove(account)))));
    t.equal(outcomes.ok, 1);
    t.same(
      Object.keys(outcomes).filter((code) => !['ok', 'busy', 'not_found'].includes(code)),
      [],
    );
  }
});

t.test('guesses at the password are counted', async (t) => {
  const account = await auth.register();
  for (let i = 0; i < 10; i++) t.equal(await outcome(remove(account, 'a wrong password')), 'invalid_credentials');
  t.equal(await outcome(remove(account)), 'rate_limited');
  t.equal(await outcome(auth.logIn(account.username)), 'rate_limited', 'together with those of log-ins');
});

t.test('an operator cannot be deleted', async (t) => {
  const username = uniqueName('admin');
  const own = await startAuth(t, { env: { ADMIN_USERNAME: username, ADMIN_PASSWORD: password } });
  const { items } = await own.client.call('findAccounts', { query: {} }, operator);
  const admin = items[0] ?? { id: '' };
  const call = own.client.call(
    'deleteAccount',
    { params: { accountId: admin.id }, body: { password } },
    as({ id: admin.id, role: 'operator' }),
  );
  t.equal(await outcome(call), 'forbidden');
  t.equal(await outcome(own.logIn(username)), 'ok');
});

t.test('a crash between the account and its sessions leaves no session that works', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  const { key } = await sessionKey(account.username);
  const halfway = createDeletion({
    accounts: createAccountStore(auth.mongo, createSealing(randomBytes(32))),
    passwords: createPasswords(),
    limits: { check: async () => {}, take: async () => {}, forgive: async () => {} },
    events: createOutboxes(auth.ctx, auth.mongo, { keepDeletedMs: 600_000 }).accounts,
    sessions: {
      endOthers: async () => {
        throw new Error('crashed');
      },
    },
  });
  await t.rejects(halfway.byOwner(account.id, { password }), { message: 'crashed' });
  const living = { accountId: account.id, endedAt: { $exists: false } };
  t.equal(await auth.mongo.sessions.countDocuments(living), 2);
  t.equal(await outcome(client.call('verifySessionKey', { body: { key, door: 'vertex' } })), 'session_ended');
  const body = { refreshToken: session.refreshToken, address: newAddress(), userAgent: '' };
  t.equal(await outcome(client.call('refreshSession', { body })), 'session_ended');
  t.ok(await isRevoked(account.id), 'and gateways learn it for the access tokens');
  t.equal(await auth.mongo.sessions.countDocuments(living), 0, 'each ended when it was met');
});

t.test('a log-in that races the deletion holds nothing that works', async (t) => {
  const account = await auth.register();
  const keys = Array.from({ length: 10 }, () => sessionKey(account.username).catch(() => undefined));
  await remove(account);
  for (const held of await Promise.all(keys))
    if (held)
      t.equal(
        await outcome(client.call('verifySessionKey', { body: { key: held.key, door: 'vertex' } })),
        'session_ended',
      );
  t.equal(await auth.mongo.sessions.countDocuments({ accountId: account.id, endedAt: { $exists: false } }), 0);
});

t.test('what is left of it goes when its events are out, and not before', async (t) => {
  const { NATS_URL } = engines();
  const space = ownSpace(t);
  const listener = createTestContext('listener', { ...space.env, NATS_URL });
  t.teardown(() => listener.shutdown.run('test'));
  const heard: EventEnvelope[] = [];
  for (const { type } of [events.accountDeleted, events.revoked])
    listener.bus.subscribe(type, (event) => heard.push(event));
  await until(async () => listener.bus.connected());
  // Without a bus: as if it had crashed right after the write.
  const deaf = await startAuth(t, { space });
  const account = await deaf.register();
  await deaf.client.call('deleteAccount', { params: { accountId: account.id }, body: { password } }, as(account));
  const husk = await space.mongo.accounts.findOne({ _id: account.id });
  t.same(
    husk?.outbox?.map(({ type }) => type),
    [events.accountCreated.type, events.accountDeleted.type, events.revoked.type],
    'with what was waiting already',
  );
  t.equal(husk?.purgeAt, undefined);
  const port = createOutboxPort(space.mongo.db, 'accounts', { keepDeletedMs: 600_000 });
  const purgeAt = async ({ id }: { id: string }) => (await space.mongo.accounts.findOne({ _id: id }))?.purgeAt;
  await port.clear([{ documentId: account.id, eventId: husk?.outbox?.[0]?.id ?? '' }]);
  t.equal(await purgeAt(account), undefined, 'one of three is out');

  const living = await deaf.register();
  await startAuth(t, { space, env: { NATS_URL } });
  await until(async () => (await purgeAt(account)) !== undefined);
  t.match(
    heard.map(({ type, data }) => [type, data]),
    [
      [events.accountDeleted.type, { accountId: account.id }],
      [events.revoked.type, { items: [{ kind: 'account', id: account.id }] }],
    ],
  );
  const done = await space.mongo.accounts.findOne({ _id: account.id });
  t.equal(done?.outboxAt, undefined);
  await until(async () => (await space.mongo.accounts.findOne({ _id: living.id }))?.outboxAt === undefined);
  t.equal(await purgeAt(living), undefined, 'an account that lives stays');
  t.ok((done?.purgeAt?.getTime() ?? 0) > Date.now() + 24 * 3_600_000, 'later than any access token of it lives');
  const indexes = await space.mongo.accounts.indexes();
  t.match(
    indexes.find(({ name }) => name === 'purgeAt'),
    { expireAfterSeconds: 0 },
  );
});
