import { connect, createServer, type Socket } from 'node:net';
import { type EventEnvelope, events } from '@coffer/contracts';
import { createTestContext } from '@coffer/service-kit';
import t from 'tap';
import {
  as,
  deadPort,
  engines,
  operator,
  outcome,
  ownSpace,
  password,
  startAuth,
  uniqueName,
  until,
} from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

t.test('revocations are published, and reach the bus later where it was away', async (t) => {
  const { NATS_URL } = engines();
  const space = ownSpace(t);
  const listener = createTestContext('listener', { ...space.env, NATS_URL });
  t.teardown(() => listener.shutdown.run('test'));
  const heard: EventEnvelope[] = [];
  listener.bus.subscribe(events.revoked.type, (event) => heard.push(event));
  await until(async () => listener.bus.connected());
  const auth = await startAuth(t, { space, env: { NATS_URL } });
  await until(async () => auth.ctx.bus.connected());
  const account = await auth.register();
  const revokedIds = (): string[] =>
    heard.flatMap(({ data }) =>
      (data as { items: { kind: string; id: string }[] }).items.map(({ kind, id }) => `${kind} ${id}`),
    );
  const hears = async (what: string, timeoutMs: number): Promise<void> => {
    await until(async () => revokedIds().includes(what), timeoutMs);
    t.pass(`heard of ${what}`);
  };

  const { sessionId } = await auth.logIn(account.username);
  const params = { accountId: account.id };
  await auth.client.call('endSession', { params: { ...params, sessionId } }, as(account));
  await hears(`session ${sessionId}`, 3_000);
  const key = await auth.client.call(
    'createKey',
    { params, body: { name: 'k', access: 'full', expiresAt: null } },
    as(account),
  );
  await auth.client.call('deleteKey', { params: { ...params, keyId: key.id } }, as(account));
  await hears(`key ${key.id}`, 3_000);
  await auth.client.call('setAccountStatus', { params, body: { suspended: true } }, operator);
  await hears(`account ${account.id}`, 3_000);
  await auth.client.call('setAccountStatus', { params, body: { suspended: false } }, operator);

  // An instance without a bus stands for a crash right after the write: the event is in the document, and another instance publishes it.
  const deaf = await startAuth(t, { space });
  const second = await deaf.logIn(account.username);
  await deaf.client.call('endSession', { params: { ...params, sessionId: second.sessionId } }, as(account));
  const other = await deaf.register();
  const otherKey = await deaf.client.call(
    'createKey',
    { params: { accountId: other.id }, body: { name: 'k', access: 'full', expiresAt: null } },
    as(other),
  );
  await deaf.client.call('deleteKey', { params: { accountId: other.id, keyId: otherKey.id } }, as(other));
  await deaf.client.call('setAccountStatus', { params: { accountId: other.id }, body: { suspended: true } }, operator);
  await hears(`session ${second.sessionId}`, 8_000);
  await hears(`key ${otherKey.id}`, 8_000);
  await hears(`account ${other.id}`, 8_000);
  await until(async () => (await space.mongo.sessions.countDocuments({ outboxAt: { $exists: true } })) === 0);
  await until(async () => (await space.mongo.accounts.countDocuments({ outboxAt: { $exists: true } })) === 0);
  t.pass('the outboxes are empty again');
});

t.test('the service starts without its database, serves when it comes, and survives its loss', async (t) => {
  const port = await deadPort();
  const target = new URL(engines().MONGODB_URL);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port || 27017), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  const open = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const auth = await startAuth(t, { env: { MONGODB_URL: `mongodb://127.0.0.1:${port}/` }, waitReady: false });
  const ready = async (): Promise<number> =>
    (await fetch(`${auth.url}/readyz`, { headers: { 'x-coffer-secret': auth.ctx.internalSecret } })).status;
  t.equal((await fetch(`${auth.url}/healthz`)).status, 200);
  t.equal(await ready(), 503);
  t.equal(await outcome(auth.logIn('ada')), 'unavailable');

  await open();
  // Indexes are made then, one after the other, which a busy machine takes its time for.
  await until(async () => (await ready()) === 200, 60_000);
  const account = await auth.register();
  t.equal(await outcome(auth.logIn(account.username)), 'ok');

  await cut();
  const before = Date.now();
  t.equal(await outcome(auth.logIn(account.username)), 'unavailable');
  t.ok(Date.now() - before < 8_000, 'told before the caller’s own patience ends');
  t.equal(await ready(), 503);
  t.equal((await auth.client.call('getKeySet', {})).keys.length, 1, 'keys in memory stay good');
  await open();
  t.teardown(cut);
  await until(async () => (await outcome(auth.logIn(account.username))) === 'ok', 15_000);
});

t.test('the first operator is made once, by many instances at once, and never made again', async (t) => {
  const space = ownSpace(t);
  const username = uniqueName('Admin');
  const env = { ADMIN_USERNAME: username, ADMIN_PASSWORD: password };
  const instances = await Promise.all([1, 2, 3, 4, 5].map(() => startAuth(t, { space, env })));
  t.equal(await space.mongo.accounts.countDocuments(), 1);
  const [one] = instances;
  if (!one) return;
  const { items } = await one.client.call('findAccounts', { query: {} }, operator);
  t.match(items, [{ username, role: 'operator', email: `${username}@localhost.localdomain` }]);
  t.equal(await outcome(one.logIn(username.toLowerCase())), 'ok');

  const later = await startAuth(t, { space, env: { ...env, ADMIN_PASSWORD: 'a different password' } });
  t.equal(await outcome(later.logIn(username)), 'ok', 'its password stays');
  t.equal(await outcome(later.logIn(username, 'a different password')), 'invalid_credentials');

  const user = await one.register();
  const grab = await startAuth(t, { space, env: { ADMIN_USERNAME: user.username, ADMIN_PASSWORD: 'whatever it is' } });
  const after = await grab.client.call('getAccount', { params: { accountId: user.id } }, operator);
  t.equal(after.role, 'user', 'a user who has the name is not raised');
});
