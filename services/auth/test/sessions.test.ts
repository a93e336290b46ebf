import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '@coffer/contracts';
import { createLocalJWKSet, jwtVerify } from 'jose';
import t from 'tap';
import { createSessions } from '../src/domain/sessions.ts';
import { createOutboxes } from '../src/events/outboxes.ts';
import { createAccountStore } from '../src/store/accounts.ts';
import { createPasswords } from '../src/store/password-hasher.ts';
import { createSealing } from '../src/store/sealing.ts';
import { createSessionStore } from '../src/store/sessions.ts';
import { as, newAddress, outcome, ownSpace, password, startAuth, tally, until } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;

const refresh = ({ refreshToken }: { refreshToken: string }): Promise<Session> =>
  client.call('refreshSession', { body: { refreshToken, address: newAddress(), userAgent: 'tests' } });

t.test('a session begins with a token that the key set verifies', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  t.equal(session.tokenType, 'Bearer');
  const { keys } = await client.call('getKeySet', {});
  for (const key of keys)
    t.same(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'], 'public parts only');
  const keySet = createLocalJWKSet({ keys: keys.map((key) => ({ kty: 'OKP', ...key })) });
  const { payload, protectedHeader } = await jwtVerify(session.accessToken, keySet, { issuer: 'coffer' });
  t.match(protectedHeader, { alg: 'EdDSA', kid: keys[0]?.kid });
  t.match(payload, { sub: account.id, sid: session.sessionId, role: 'user' });
  t.equal((payload.exp ?? 0) - (payload.iat ?? 0), 600);
  t.equal(new Date(session.expiresAt).getTime(), (payload.exp ?? 0) * 1000);
});

t.test('unknown logins and wrong passwords are answered alike, in the same time', async (t) => {
  const account = await auth.register();
  const problem = async (login: string): Promise<object> =>
    auth.logIn(login, 'a wrong password').then(
      () => ({}),
      ({ status, code, title, detail, errors, headers }) => ({ status, code, title, detail, errors, headers }),
    );
  t.same(await problem(account.username), await problem('nobody-at-all'));
  t.same(await problem(account.email), await problem('nobody@example.org'));
  t.match(await problem('nobody'), { status: 401, code: 'invalid_credentials' });

  const ms: Record<'wrong' | 'unknown', number[]> = { wrong: [], unknown: [] };
  for (let round = 0; round < 15; round++) {
    for (const [kind, login] of [
      ['wrong', account.username],
      ['unknown', `nobody${round}`],
    ] as const) {
      await auth.mongo.db.command({ ping: 1 });
      const before = performance.now();
      await problem(login);
      ms[kind].push(performance.now() - before);
      if (kind === 'wrong') await auth.logIn(account.username);
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const ratio = median(ms.unknown) / median(ms.wrong);
  t.ok(ratio > 0.5 && ratio < 2, `medians ${median(ms.unknown)} and ${median(ms.wrong)} ms`);
});

t.test('refreshing rotates', async (t) => {
  const account = await auth.register();
  const first = await auth.logIn(account.username);
  const second = await refresh(first);
  t.equal(second.sessionId, first.sessionId);
  t.not(second.refreshToken, first.refreshToken);
  const third = await refresh(second);
  t.equal(await outcome(refresh(third)), 'ok');
  t.equal(await outcome(refresh({ refreshToken: 'nonsense' })), 'invalid_token');
  const forged = third.refreshToken.replace(/\.[^.]+\./, `.${'A'.repeat(22)}.`);
  t.equal(await outcome(refresh({ refreshToken: forged })), 'invalid_token', 'an id alone ends nobody’s session');
});

t.test('reuse of a spent token ends the session, however old the token', async (t) => {
  const account = await auth.register();
  for (const age of [1, 5]) {
    const spent = await auth.logIn(account.username);
    let newest = spent;
    for (let i = 0; i < age; i++) newest = await refresh(newest);
    t.equal(await outcome(refresh(spent)), 'refresh_reused', `${age} rotations old`);
    t.equal(await outcome(refresh(newest)), 'session_ended', 'the newest is dead too');
    t.equal(await outcome(refresh(spent)), 'session_ended');
    const { items } = await client.call('listRevocations', {});
    t.match(
      items.filter(({ id }) => id === spent.sessionId),
      [{ kind: 'session' }],
    );
  }
});

t.test('of racing refreshes exactly one wins', async (t) => {
  const account = await auth.register();
  for (let round = 0; round < 5; round++) {
    const session = await auth.logIn(account.username);
    const outcomes = tally(await Promise.all(Array.from({ length: 6 }, () => outcome(refresh(session)))));
    t.equal(outcomes.ok, 1);
    // One that came when all others were answered already is reuse.
    t.same(
      Object.keys(outcomes).filter((code) => !['ok', 'busy', 'refresh_reused', 'session_ended'].includes(code)),
      [],
    );
  }
});

t.test('requests that were under way together are no reuse, and the session goes on', async (t) => {
  const account = await auth.register();
  const sealing = createSealing(randomBytes(32));
  const accounts = createAccountStore(auth.mongo, sealing);
  const store = createSessionStore(auth.mongo, { keepMs: 600_000, sealing });
  const together = 5;
  /** Holds the first `together` that come until all of them have come. */
  const barrier = (): (() => Promise<void>) => {
    const all = Promise.withResolvers<void>();
    let here = 0;
    return async () => {
      if (++here >= together) all.resolve();
      await all.promise;
    };
  };
  const instance = (afterGet: () => Promise<void>, beforeAnswer: () => Promise<void>) =>
    createSessions({
      accounts,
      sessions: {
        ...store,
        get: async (sessionId) => {
          const found = await store.get(sessionId);
          await afterGet();
          return found;
        },
      },
      passwords: createPasswords(),
      limits: { check: async () => {}, take: async () => {}, forgive: async () => {} },
      tokens: {
        issue: async () => {
          await beforeAnswer();
          return { token: 'a token', expiresAt: new Date() };
        },
      },
      events: createOutboxes(auth.ctx, auth.mongo, { keepDeletedMs: 600_000 }).sessions,
      sessionLifeMs: 3_600_000,
    });
  const renew = (sessions: ReturnType<typeof instance>, refreshToken: string) =>
    outcome(sessions.refresh({ refreshToken, address: '', userAgent: '' }));
  const atOnce = Array.from({ length: together });

  const byDatabase = await auth.logIn(account.username);
  const read = barrier();
  const instances = atOnce.map(() => instance(read, async () => {}));
  const outcomes = await Promise.all(instances.map((sessions) => renew(sessions, byDatabase.refreshToken)));
  t.same(tally(outcomes), { ok: 1, busy: 4 }, 'on several instances: all had read before the first wrote');

  const inFlight = await auth.logIn(account.username);
  const answered = Promise.withResolvers<void>();
  const one = instance(
    async () => {},
    () => answered.promise,
  );
  const winner = one.refresh({ refreshToken: inFlight.refreshToken, address: '', userAgent: '' });
  await until(async () => (await store.get(inFlight.sessionId))?.address === '');
  t.equal(await renew(one, inFlight.refreshToken), 'busy', 'on one instance: the first has written but not answered');
  answered.resolve();
  const { session } = await winner;
  t.equal(await outcome(refresh(session)), 'ok', 'the winner’s token is good');
  t.equal(await renew(one, inFlight.refreshToken), 'refresh_reused', 'and the race is over');
});

t.test('sessions are listed and ended', async (t) => {
  const account = await auth.register();
  const address = newAddress();
  const sessions = [await auth.logIn(account.username, password, address)];
  for (let i = 0; i < 3; i++) sessions.push(await auth.logIn(account.username));
  const [a, b, c, d] = sessions;
  if (!a || !b || !c || !d) return;
  const params = { accountId: account.id };
  const list = async () => (await client.call('listSessions', { params }, as(account))).items;
  t.same(new Set((await list()).map(({ id }) => id)), new Set(sessions.map(({ sessionId }) => sessionId)));
  t.match(
    (await list()).find(({ id }) => id === a.sessionId),
    { address, userAgent: 'tests' },
  );

  const end = (sessionId: string, who = account) =>
    outcome(client.call('endSession', { params: { accountId: who.id, sessionId } }, as(who)));
  const stranger = await auth.register();
  t.equal(await end(b.sessionId, stranger), 'not_found');
  t.equal(await end(b.sessionId), 'ok');
  t.equal(await end(b.sessionId), 'not_found', 'it has ended already');
  t.equal(await outcome(refresh(b)), 'session_ended');
  t.equal((await list()).length, 3);

  await client.call('endOtherSessions', { params, query: { except: c.sessionId } }, as(account));
  t.same(
    (await list()).map(({ id }) => id),
    [c.sessionId],
  );
  t.equal(await outcome(refresh(a)), 'session_ended');
  t.equal(await outcome(refresh(c)), 'ok');
  const { items } = await client.call('listRevocations', {});
  const revoked = new Set(items.map(({ id }) => id));
  t.same(
    [a, b, c, d].map(({ sessionId }) => revoked.has(sessionId)),
    [true, true, false, true],
  );
  await client.call('endOtherSessions', { params, query: {} }, as(account));
  t.same(await list(), []);
});

t.test('a new password ends all other sessions', async (t) => {
  const account = await auth.register();
  const [kept, other] = [await auth.logIn(account.username), await auth.logIn(account.username)];
  const change = (currentPassword: string, newPassword: string, keepSessionId?: string) =>
    outcome(
      client.call(
        'changePassword',
        {
          params: { accountId: account.id },
          body: { currentPassword, newPassword, ...(keepSessionId && { keepSessionId }) },
        },
        as(account),
      ),
    );
  t.equal(await change('a wrong password', 'another password'), 'invalid_credentials');
  t.equal(await change(password, 'short'), 'weak_password');
  t.equal(await outcome(refresh(other).then((session) => Object.assign(other, session))), 'ok', 'nothing ended yet');
  t.equal(await change(password, 'another password', kept.sessionId), 'ok');
  t.equal(await outcome(refresh(other)), 'session_ended');
  t.equal(await outcome(refresh(kept).then((session) => Object.assign(kept, session))), 'ok');
  t.equal(await outcome(auth.logIn(account.username)), 'invalid_credentials');
  t.equal(await outcome(auth.logIn(account.username, 'another password')), 'ok');
  t.equal(await change('another password', 'a third password'), 'ok');
  t.equal(await outcome(refresh(kept)), 'session_ended', 'kept once is not kept for ever');
});

t.test('log-ins that race a change of the password leave no session with the old one', async (t) => {
  const account = await auth.register();
  for (const [from, to] of [
    [password, 'second password'],
    ['second password', 'third password'],
  ] as const) {
    const logIns = Array.from({ length: 10 }, () => auth.logIn(account.username, from).catch(() => undefined));
    await sleep(60);
    const params = { accountId: account.id };
    await client.call('changePassword', { params, body: { currentPassword: from, newPassword: to } }, as(account));
    for (const session of await Promise.all(logIns))
      if (session) t.equal(await outcome(refresh(session)), 'session_ended');
    t.same((await client.call('listSessions', { params }, as(account))).items, []);
  }
});

t.test('a session that is not used ends by itself', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  await auth.mongo.sessions.updateOne({ _id: session.sessionId }, { $set: { expiresAt: new Date() } });
  t.equal(await outcome(refresh(session)), 'session_ended');
  t.same((await client.call('listSessions', { params: { accountId: account.id } }, as(account))).items, []);
  const indexes = await auth.mongo.sessions.indexes();
  t.match(
    indexes.find(({ name }) => name === 'purgeAt'),
    { expireAfterSeconds: 0 },
  );
});

t.test('instances agree on one signing key and take each other’s tokens', async (t) => {
  const space = ownSpace(t);
  const instances = await Promise.all([1, 2, 3, 4].map(() => startAuth(t, { space })));
  const sets = await Promise.all(instances.map(async ({ client }) => (await client.call('getKeySet', {})).keys));
  t.equal(new Set(sets.map((keys) => JSON.stringify(keys))).size, 1);
  t.equal(sets[0]?.length, 1);
  const [one, two] = instances;
  if (!one || !two) return;
  const account = await one.register();
  const session = await two.logIn(account.username);
  const body = { refreshToken: session.refreshToken, address: newAddress(), userAgent: '' };
  t.equal(await outcome(one.client.call('refreshSession', { body })), 'ok');
  const [stored] = await space.mongo.signingKeys.find().toArray();
  t.notMatch(JSON.stringify(stored), /"d":/, 'the private half is sealed');
});
