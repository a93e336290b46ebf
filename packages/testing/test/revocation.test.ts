/** What was ended is refused: sessions, keys, suspended accounts, refresh tokens that were used before. */
import t from 'tap';
import { type Client, logIn, newPerson, PASSWORD, startTestStack, waitFor } from '../src/index.ts';
import { refused } from './refused.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());

/** An ended session is refused by every gateway within this time. */
const WITHIN_MS = 1_000;

const isRefused = async (client: Client): Promise<boolean> => {
  const { status } = await client.request('GET', '/v1/usage');
  if (status !== 200 && status !== 401 && status !== 403) throw new Error(`answered ${status}`);
  return status !== 200;
};
const soonRefused = async (what: string, client: Client): Promise<boolean> =>
  await waitFor(what, () => isRefused(client), { timeoutMs: WITHIN_MS, everyMs: 20 });

t.test('an ended session', async (t) => {
  const one = await newPerson(stack.http);
  const two = await logIn(stack.http, one.account, PASSWORD);
  t.notOk(await isRefused(two.client));
  await one.client.endSession(two.session.sessionId);
  t.ok(await soonRefused('the session', two.client));
  refused(t, await two.client.request('GET', '/v1/usage'), 401, 'session_ended');
  const renewal = { json: { refreshToken: two.session.refreshToken } };
  t.equal((await two.client.request('POST', '/v1/sessions/refresh', renewal)).status, 401, 'it cannot be renewed');
  t.notOk(await isRefused(one.client), 'the other lives on');
});

t.test('one’s own session: logging out', async (t) => {
  const { client, session } = await newPerson(stack.http);
  await client.endSession(session.sessionId);
  t.ok(await soonRefused('the session', client));
});

t.test('all other sessions', async (t) => {
  const one = await newPerson(stack.http);
  const others = await Promise.all([1, 2, 3].map(() => logIn(stack.http, one.account, PASSWORD)));
  await one.client.endOtherSessions();
  for (const other of others) t.ok(await soonRefused('another session', other.client));
  t.notOk(await isRefused(one.client));
});

t.test('a new password ends the other sessions', async (t) => {
  const one = await newPerson(stack.http);
  const other = await logIn(stack.http, one.account, PASSWORD);
  await one.client.changePassword(PASSWORD, `${PASSWORD} 2`);
  t.ok(await soonRefused('the other session', other.client));
  t.notOk(await isRefused(one.client));
});

t.test('a deleted key', async (t) => {
  const { client } = await newPerson(stack.http);
  const key = await client.createKey({ name: 'k', access: 'full' });
  const user = client.as(`Bearer ${key.id}.${key.secret}`);
  t.notOk(await isRefused(user));
  await client.deleteKey(key.id);
  t.ok(await soonRefused('the key', user));
});

t.test('an expired key', async (t) => {
  const { client } = await newPerson(stack.http);
  const key = await client.createKey({
    name: 'k',
    access: 'full',
    expiresAt: new Date(Date.now() + 1500).toISOString(),
  });
  const user = client.as(`Bearer ${key.id}.${key.secret}`);
  t.notOk(await isRefused(user));
  t.ok(await waitFor('the key to expire', () => isRefused(user), { timeoutMs: 3_000 }));
  refused(t, await user.request('GET', '/v1/usage'), 401, 'invalid_token');
});

t.test('a suspended account', { skip: stack.hasOperator ? false : 'no operator is known' }, async (t) => {
  const operator = (await stack.operator()).client;
  const { client, account, session } = await newPerson(stack.http);
  const key = await client.createKey({ name: 'k', access: 'full' });
  const user = client.as(`Bearer ${key.id}.${key.secret}`);
  await user.putFile('mine.txt', 'kept');
  await operator.updateAccount(account.id, { suspended: true });
  t.ok(await soonRefused('the session', client));
  t.ok(await soonRefused('the key', user));
  const login = { json: { login: account.username, password: PASSWORD } };
  refused(t, await client.as(undefined).request('POST', '/v1/sessions', login), 403, 'account_suspended');
  const renewal = { json: { refreshToken: session.refreshToken } };
  t.ok((await client.as(undefined).request('POST', '/v1/sessions/refresh', renewal)).status >= 401, 'no renewal');

  await operator.updateAccount(account.id, { suspended: false });
  // Tokens tell the second of their making: one made within the second of the suspension may be taken for an older one.
  const back = await waitFor('the account to be let in', async () => {
    const person = await logIn(stack.http, account, PASSWORD);
    return !(await isRefused(person.client)) && person;
  });
  t.equal((await back.client.getFile('mine.txt')).text(), 'kept');
});

t.test('a refresh token that was used before ends its session', async (t) => {
  const { client, session } = await newPerson(stack.http);
  const nobody = client.as(undefined);
  const second = await nobody.refresh(session.refreshToken);
  const third = await nobody.refresh(second.refreshToken);
  t.notOk(await isRefused(client.as(`Bearer ${third.accessToken}`)));
  const stolen = { json: { refreshToken: session.refreshToken } };
  refused(t, await nobody.request('POST', '/v1/sessions/refresh', stolen), 401, 'refresh_reused');
  t.ok(await soonRefused('the newest token', client.as(`Bearer ${third.accessToken}`)));
  const newest = { json: { refreshToken: third.refreshToken } };
  t.equal((await nobody.request('POST', '/v1/sessions/refresh', newest)).status, 401, 'the whole family is ended');
});
