import t, { type Test } from 'tap';
import { as, deadPort, newAddress, outcome, ownSpace, password, startAuth, tally } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const limits = { LOGIN_ATTEMPTS_PER_ACCOUNT: '3', LOGIN_ATTEMPTS_PER_ADDRESS: '6', LOGIN_WINDOW_SECONDS: '60' };

async function limitsHold(t: Test, env: Record<string, string>): Promise<void> {
  const auth = await startAuth(t, { env: { ...limits, ...env } });
  const account = await auth.register();
  const wrong = (login: string, address?: string) => auth.logIn(login, 'a wrong password', address);
  const racing = await Promise.all(Array.from({ length: 10 }, () => outcome(wrong(account.username))));
  t.same(tally(racing), { invalid_credentials: 3, rate_limited: 7 }, 'racing guesses count too');
  const problem = await auth.logIn(account.username).then(
    () => ({}),
    (error: object) => error,
  );
  t.match(problem, { status: 429, code: 'rate_limited', headers: { 'retry-after': /^([1-9]|[1-5]\d|60)$/ } });
  t.equal(await outcome(auth.logIn(account.email)), 'rate_limited', 'both names of an account count as one');

  const busy = await auth.register();
  const many = await Promise.all(Array.from({ length: 20 }, () => outcome(auth.logIn(busy.username))));
  t.same(tally(many), { ok: 20 }, 'right ones at once do not use up each other’s attempts');

  const other = await auth.register();
  for (let round = 0; round < 3; round++) {
    t.same(
      [await outcome(wrong(other.username)), await outcome(wrong(other.email))],
      ['invalid_credentials', 'invalid_credentials'],
    );
    t.equal(await outcome(auth.logIn(other.username)), 'ok', 'success starts the account’s count anew');
  }
  const change = (currentPassword: string) =>
    outcome(
      auth.client.call(
        'changePassword',
        { params: { accountId: other.id }, body: { currentPassword, newPassword: `${password}!` } },
        as(other),
      ),
    );
  for (let i = 0; i < 3; i++) t.equal(await change('a wrong password'), 'invalid_credentials');
  t.equal(await change(password), 'rate_limited', 'guesses at the current password count');

  const address = newAddress();
  for (let i = 0; i < 10; i++)
    t.equal(await outcome(auth.logIn((await auth.register()).username, password, address)), 'ok');
  for (let i = 0; i < 6; i++) t.equal(await outcome(wrong(`nobody${i}`, address)), 'invalid_credentials');
  const third = await auth.register();
  t.equal(await outcome(auth.logIn(third.username, password, address)), 'rate_limited', 'the address has no more');
  t.equal(await outcome(auth.logIn(third.username)), 'ok', 'others do');
}

t.test('log-in attempts are limited per account and address', async (t) => limitsHold(t, {}));

t.test('without Redis they are too, and nobody is locked out', async (t) =>
  limitsHold(t, { REDIS_URL: `redis://127.0.0.1:${await deadPort()}` }),
);

t.test('instances count together', async (t) => {
  const space = ownSpace(t);
  const [one, two] = [await startAuth(t, { space, env: limits }), await startAuth(t, { space, env: limits })];
  const account = await one.register();
  for (let i = 0; i < 3; i++) await outcome((i % 2 ? one : two).logIn(account.username, 'a wrong password'));
  t.equal(await outcome(one.logIn(account.username)), 'rate_limited');
  t.equal(await outcome(two.logIn(account.username)), 'rate_limited');
});
