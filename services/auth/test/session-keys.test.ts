import { setTimeout as sleep } from 'node:timers/promises';
import type { Door } from '@coffer/contracts';
import { createLocalJWKSet, jwtVerify } from 'jose';
import t from 'tap';
import { as, newAddress, operator, outcome, password, startAuth, tally } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;

interface Asked {
  door?: Door;
  reuse?: boolean;
  secret?: string;
  address?: string;
}
const keyFor = (login: string, { door = 'vertex', reuse, secret = password, address = newAddress() }: Asked = {}) =>
  client.call(
    'createSessionKey',
    {
      body: { login, password: secret, door, address, userAgent: 'tests', ...(reuse !== undefined && { reuse }) },
    },
    { timeoutMs: 60_000 },
  );
const verify = (key: string, door: Door = 'vertex') => client.call('verifySessionKey', { body: { key, door } });
const listed = async (account: { id: string }) =>
  (await client.call('listSessions', { params: { accountId: account.id } }, as(account))).items.map(({ id }) => id);
const isRevoked = async (id: string) => (await client.call('listRevocations', {})).items.some((one) => one.id === id);

t.test('a key stands for a session of its door', async (t) => {
  const account = await auth.register();
  const first = await keyFor(account.email);
  t.match(first.key, /^[\w-]{43}$/);
  const { email, ...shown } = account;
  t.same(first.account, { ...shown, email });
  t.equal(first.reused, false);
  const { principal, expiresAt } = await verify(first.key);
  t.same(principal, { accountId: account.id, role: 'user', sessionId: first.sessionId, readOnly: false });
  t.ok(Date.parse(expiresAt) > Date.now() + 29 * 24 * 3_600_000);
  t.same(await listed(account), [first.sessionId]);

  t.equal(await outcome(verify(first.key, 'images')), 'invalid_token', 'at its own door only');
  t.equal(await outcome(verify(`${first.key.slice(1)}A`)), 'invalid_token');
  t.equal(await outcome(verify('')), 'invalid_token');
  t.equal(await outcome(verify(first.sessionId)), 'invalid_token', 'an id is no key');
  t.equal(await outcome(keyFor(account.email, { secret: 'a wrong password' })), 'invalid_credentials');
  t.equal(await outcome(keyFor('nobody at all')), 'invalid_credentials');
  const stored = JSON.stringify(await auth.mongo.sessions.findOne({ _id: first.sessionId }));
  t.notOk(stored.includes(first.key), 'not readable in the database');
  const body = { refreshToken: `${first.sessionId}.${'A'.repeat(22)}.${'A'.repeat(43)}`, address: '', userAgent: '' };
  t.equal(await outcome(client.call('refreshSession', { body })), 'invalid_token', 'there is nothing to refresh');
  t.equal(await outcome(client.call('renewAccess', { body })), 'invalid_token');
});

t.test('a door gets its newest living key again, others make their own', async (t) => {
  const account = await auth.register();
  const [one, two] = [await keyFor(account.username), await keyFor(account.username)];
  t.not(one.key, two.key);
  const again = await keyFor(account.username, { reuse: true });
  t.same([again.key, again.sessionId, again.reused], [two.key, two.sessionId, true]);
  t.equal((await keyFor(account.username, { reuse: true, door: 'images' })).reused, false);
  t.equal(
    await outcome(keyFor(account.username, { reuse: true, secret: 'a wrong password' })),
    'invalid_credentials',
    'for who knows the password',
  );
  await client.call('endSession', { params: { accountId: account.id, sessionId: two.sessionId } }, as(account));
  t.equal((await keyFor(account.username, { reuse: true })).key, one.key);
  await auth.mongo.sessions.updateOne({ _id: one.sessionId }, { $set: { expiresAt: new Date() } });
  t.equal((await keyFor(account.username, { reuse: true })).reused, false, 'an expired one is not living');
});

t.test('a hundred that ask at once all hold a living key', async (t) => {
  const account = await auth.register();
  const held = await Promise.all(Array.from({ length: 100 }, () => keyFor(account.username, { reuse: true })));
  t.same(tally(await Promise.all(held.map(({ key }) => outcome(verify(key))))), { ok: 100 });
  const last = await keyFor(account.username, { reuse: true });
  t.equal(last.reused, true);
});

t.test('what ends a session ends its key', async (t) => {
  const account = await auth.register();
  const params = { accountId: account.id };
  const dead = async (held: { key: string; sessionId: string }, why: string): Promise<void> => {
    t.equal(await outcome(verify(held.key)), 'session_ended', why);
    t.ok(await isRevoked(held.sessionId), `${why}: gateways are told`);
  };
  const [ended, kept, other] = [
    await keyFor(account.username),
    await keyFor(account.username),
    await keyFor(account.username),
  ];
  await client.call('endSession', { params: { ...params, sessionId: ended.sessionId } }, as(account));
  await dead(ended, 'ended');
  await client.call('endOtherSessions', { params, query: { except: kept.sessionId } }, as(account));
  await dead(other, 'ended with the others');
  const body = { currentPassword: password, newPassword: 'another password', keepSessionId: kept.sessionId };
  const third = await keyFor(account.username);
  await client.call('changePassword', { params, body }, as(account));
  await dead(third, 'a new password');
  t.equal(await outcome(verify(kept.key)), 'ok', 'but for the one that changed it');
  t.equal((await keyFor(account.username, { reuse: true, secret: 'another password' })).key, kept.key);

  const setStatus = (suspended: boolean) => client.call('setAccountStatus', { params, body: { suspended } }, operator);
  await setStatus(true);
  t.equal(await outcome(verify(kept.key)), 'account_suspended');
  t.equal(await outcome(keyFor(account.username, { secret: 'another password' })), 'account_suspended');
  await setStatus(false);
  t.equal(await outcome(verify(kept.key)), 'ok');

  // As if the change of the password had stopped before the sessions were ended.
  await auth.mongo.accounts.updateOne(
    { _id: account.id },
    { $inc: { credentialRev: 1 }, $unset: { keptSessionId: '' } },
  );
  t.equal(
    (await keyFor(account.username, { reuse: true, secret: 'another password' })).reused,
    false,
    'one of an older password is not handed out',
  );
  await dead(kept, 'a password that changed behind its back');
});

t.test('use keeps a key alive, written once an hour at most', async (t) => {
  const account = await auth.register();
  const held = await keyFor(account.username);
  const stored = async () => await auth.mongo.sessions.findOne({ _id: held.sessionId });
  const before = await stored();
  await sleep(5);
  await verify(held.key);
  t.same((await stored())?.lastUsedAt, before?.lastUsedAt);
  const soon = new Date(Date.now() + 60_000);
  await auth.mongo.sessions.updateOne(
    { _id: held.sessionId },
    { $set: { lastUsedAt: new Date(Date.now() - 3_700_000), expiresAt: soon } },
  );
  const { expiresAt } = await verify(held.key);
  t.ok(Date.parse(expiresAt) > soon.getTime());
  const after = await stored();
  t.equal(after?.expiresAt.toISOString(), expiresAt);
  t.ok((after?.purgeAt ?? 0) > (after?.expiresAt ?? 0));
  await auth.mongo.sessions.updateOne({ _id: held.sessionId }, { $set: { expiresAt: new Date() } });
  t.equal(await outcome(verify(held.key)), 'session_ended');
});

const begin = (login: string, more: { accessTokenSeconds?: number; fixedRefreshToken?: boolean }) =>
  client.call('createSession', { body: { login, password, address: newAddress(), userAgent: 'tests', ...more } });
const refresh = (refreshToken: string) =>
  client.call('refreshSession', { body: { refreshToken, address: newAddress(), userAgent: 'tests' } });
const renew = (refreshToken: string) =>
  client.call('renewAccess', { body: { refreshToken, address: newAddress(), userAgent: 'tests' } });
async function lifeSeconds(accessToken: string): Promise<number> {
  const { keys } = await client.call('getKeySet', {});
  const keySet = createLocalJWKSet({ keys: keys.map((key) => ({ kty: 'OKP', ...key })) });
  const { payload } = await jwtVerify(accessToken, keySet);
  return (payload.exp ?? 0) - (payload.iat ?? 0);
}

t.test('a session remembers how long its access tokens live', async (t) => {
  const account = await auth.register();
  const day = await begin(account.username, { accessTokenSeconds: 86_400 });
  t.equal(await lifeSeconds(day.accessToken), 86_400);
  t.equal(await lifeSeconds((await refresh(day.refreshToken)).accessToken), 86_400);
  const hour = await begin(account.username, { accessTokenSeconds: 3_600, fixedRefreshToken: true });
  t.equal(await lifeSeconds((await renew(hour.refreshToken)).accessToken), 3_600);
  t.equal(await outcome(begin(account.username, { accessTokenSeconds: 86_401 })), 'invalid_body');
  t.equal(await outcome(begin(account.username, { accessTokenSeconds: 9 })), 'invalid_body');

  const short = await begin(account.username, {});
  await client.call('endOtherSessions', { params: { accountId: account.id }, query: {} }, as(account));
  const ids = [day, hour, short].map(({ sessionId }) => sessionId);
  t.same(await Promise.all(ids.map(isRevoked)), [true, true, true]);
  const longAgo = new Date(Date.now() - 23 * 3_600_000);
  await auth.mongo.sessions.updateMany({ _id: { $in: ids } }, { $set: { endedAt: longAgo } });
  t.same(await Promise.all(ids.map(isRevoked)), [true, true, false], 'told for as long as such tokens live');
  const kept = await auth.mongo.sessions.findOne({ _id: day.sessionId });
  t.ok((kept?.purgeAt.getTime() ?? 0) > Date.now() + 24 * 3_600_000, 'and remembered for longer');
});

t.test('a refresh token that stays the same renews access only', async (t) => {
  const account = await auth.register();
  const fixed = await begin(account.username, { fixedRefreshToken: true });
  const first = await renew(fixed.refreshToken);
  t.equal(first.sessionId, fixed.sessionId);
  t.same(
    tally(await Promise.all(Array.from({ length: 20 }, () => outcome(renew(fixed.refreshToken))))),
    { ok: 20 },
    'as often as it likes, also at once',
  );
  t.equal(await outcome(refresh(fixed.refreshToken)), 'invalid_token');
  const guess = `${fixed.refreshToken.slice(0, -43)}${'A'.repeat(43)}`;
  t.equal(await outcome(renew(guess)), 'invalid_token');
  t.equal(await outcome(refresh(guess)), 'invalid_token');
  t.equal(await outcome(renew(fixed.refreshToken)), 'ok', 'which ends nothing');
  t.equal(await outcome(renew('nonsense')), 'invalid_token');
  const rotating = await begin(account.username, {});
  t.equal(await outcome(renew(rotating.refreshToken)), 'invalid_token');
  t.equal(await outcome(refresh(rotating.refreshToken)), 'ok', 'which spends nothing');

  const soon = new Date(Date.now() + 60_000);
  const hourAgo = new Date(Date.now() - 3_700_000);
  await auth.mongo.sessions.updateOne({ _id: fixed.sessionId }, { $set: { lastUsedAt: hourAgo, expiresAt: soon } });
  await renew(fixed.refreshToken);
  const stored = await auth.mongo.sessions.findOne({ _id: fixed.sessionId });
  t.ok(stored && stored.expiresAt > soon, 'use keeps it alive');

  const params = { accountId: account.id };
  await client.call('setAccountStatus', { params, body: { suspended: true } }, operator);
  t.equal(await outcome(renew(fixed.refreshToken)), 'account_suspended');
  await client.call('setAccountStatus', { params, body: { suspended: false } }, operator);
  const body = { currentPassword: password, newPassword: 'another password' };
  await client.call('changePassword', { params, body }, as(account));
  t.equal(await outcome(renew(fixed.refreshToken)), 'session_ended');
});
