import { randomBytes } from 'node:crypto';
import t from 'tap';
import { accountNames } from '../src/domain/names.ts';
import { createAccountStore } from '../src/store/accounts.ts';
import { createSealing } from '../src/store/sealing.ts';
import { as, newAddress, operator, outcome, ownSpace, password, startAuth, tally, uniqueName } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;
const nobody = '01900000-0000-7000-8000-00000000dead';

interface NewAccount {
  username: string;
  email: string | null;
  password: string;
  anyPassword?: boolean;
  profile?: Record<string, string>;
}
const create = (over: Partial<NewAccount> = {}) =>
  client.call(
    'createAccount',
    { body: { username: uniqueName(), email: null, password, ...over } },
    { timeoutMs: 60_000 },
  );
const change = (account: { id: string }, body: { username?: string; email?: string }) =>
  client.call('updateAccount', { params: { accountId: account.id }, body }, as(account));

t.test('any number of accounts have no e-mail address', async (t) => {
  const [one, two] = [await create(), await create()];
  t.equal(one.email, null);
  t.equal(two.email, null);
  t.equal(await outcome(auth.logIn(one.username)), 'ok');
  t.equal(await outcome(create({ email: '' })), 'invalid_body');
  const email = `${uniqueName()}@example.org`;
  t.equal((await change(one, { email })).email, email, 'one may be given later');
  t.equal(await outcome(change(two, { email: email.toUpperCase() })), 'email_taken');
  t.equal((await change(one, { username: uniqueName('re') })).email, email, 'and stays with a new name');
});

t.test('a user name that is an e-mail address is the account’s own', async (t) => {
  const name = `${uniqueName('Ada')}@Example.org`;
  const account = await create({ username: name });
  t.match(account, { username: name, email: name });
  t.equal(await outcome(auth.logIn(name.toLowerCase())), 'ok');
  t.equal(await outcome(create({ username: uniqueName(), email: name.toUpperCase() })), 'email_taken');
  t.equal(await outcome(create({ username: name.toLowerCase() })), 'username_taken');
  t.equal(await outcome(create({ username: name, email: 'another@example.org' })), 'invalid_name');

  const other = await auth.register();
  t.equal(await outcome(create({ username: other.email })), 'email_taken', 'nobody takes another’s address as a name');
  t.equal(await outcome(change(other, { username: name })), 'invalid_name', 'it has another address');
  t.equal((await change(other, { username: other.email.toUpperCase() })).email, other.email.toUpperCase());
  t.equal(
    await outcome(change(other, { email: 'another@example.org' })),
    'invalid_name',
    'the name is still the old one',
  );
  const moved = { username: uniqueName(), email: `${uniqueName()}@example.org` };
  t.match(await change(other, moved), moved, 'both together are fine');
  const back = await change(account, { username: uniqueName('plain') });
  t.equal(back.email, name, 'the address stays where the name goes');
  t.equal(await outcome(auth.logIn(name)), 'ok');
});

t.test('a name and an address that are the same, raced for by a hundred', async (t) => {
  const name = `${uniqueName()}@example.org`;
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      outcome(i % 2 ? create({ username: name }) : create({ username: uniqueName(), email: name })),
    ),
  );
  const { ok, username_taken: byName = 0, email_taken: byEmail = 0 } = tally(outcomes);
  t.same([ok, byName + byEmail], [1, 99]);
  t.equal(await auth.mongo.accounts.countDocuments({ emailKey: name }), 1);
});

t.test('renames that meet keep the rule', async (t) => {
  const store = createAccountStore(auth.mongo, createSealing(randomBytes(32)));
  const from = await create();
  await change(from, { email: `${uniqueName()}@example.org` });
  const to = accountNames({ username: `${uniqueName()}@example.org`, email: null });
  t.equal(await store.rename(from.id, { from, to, at: new Date() }), undefined, 'judged on names that are no more');
  for (let round = 0; round < 10; round++) {
    const account = await create();
    const name = `${uniqueName()}@example.org`;
    await Promise.all([
      outcome(change(account, { username: name })),
      outcome(change(account, { email: `${uniqueName()}@example.org` })),
    ]);
    const stored = await auth.mongo.accounts.findOne({ _id: account.id });
    t.ok(
      stored && (!stored.usernameKey?.includes('@') || stored.usernameKey === stored.emailKey),
      `${stored?.username} with ${stored?.email}`,
    );
  }
});

t.test('doors that take any password say so', async (t) => {
  const account = await create({ password: '1', anyPassword: true });
  t.equal(await outcome(auth.logIn(account.username, '1')), 'ok');
  t.equal(await outcome(create({ password: '1' })), 'weak_password');
  t.equal(await outcome(create({ password: '1', anyPassword: false })), 'weak_password');
  const name = uniqueName();
  t.equal(await outcome(create({ username: name, password: name, anyPassword: true })), 'ok');
  t.equal(await outcome(create({ password: '', anyPassword: true })), 'invalid_body');
  t.equal(await outcome(create({ password: '😀'.repeat(1024), anyPassword: true })), 'ok');
});

t.test('accounts are looked up by id, user name and e-mail address', async (t) => {
  const [one, two] = [await auth.register(uniqueName('Ünï')), await create()];
  const suspended = await auth.register();
  await client.call('setAccountStatus', { params: { accountId: suspended.id }, body: { suspended: true } }, operator);
  const logins = [
    one.email.toUpperCase(),
    'nobody@example.org',
    two.id,
    one.username.normalize('NFD'),
    nobody,
    suspended.username,
    one.id,
    'x:y',
  ];
  const { accounts } = await client.call('lookUpAccounts', { body: { logins } });
  t.same(
    accounts.map((account) => account && [account.id, account.suspended]),
    [[one.id, false], null, [two.id, false], [one.id, false], null, [suspended.id, true], [one.id, false], null],
  );
  t.same(accounts[2], two, 'nothing but what an account shows');
  t.equal(await outcome(client.call('lookUpAccounts', { body: { logins: [] } })), 'invalid_body');
  const many = Array.from({ length: 1000 }, () => uniqueName());
  t.equal((await client.call('lookUpAccounts', { body: { logins: many } })).accounts.length, 1000);
});

t.test('profiles', async (t) => {
  const facts = { first_name: 'Ada', phone: '+44 20 7946 0000' };
  const account = await create({ profile: facts });
  const params = { accountId: account.id };
  const get = (o = as(account)) => client.call('getProfile', { params }, o);
  const update = (body: Record<string, string | null>, o = as(account)) =>
    client.call('updateProfile', { params, body }, o);
  t.same(await get(), facts);
  t.same(await update({ phone: null, last_name: 'King', missing: null }), { first_name: 'Ada', last_name: 'King' });
  t.same(await get(operator), { first_name: 'Ada', last_name: 'King' });
  t.equal(await outcome(update({}, operator)), 'not_found', 'operators read only');
  t.equal(await outcome(update({}, as(account, { readOnly: true }))), 'read_only');
  const stranger = await create();
  t.equal(await outcome(get(as(stranger))), 'not_found');
  t.equal(await outcome(update({}, as(stranger))), 'not_found');
  t.same(await client.call('getProfile', { params: { accountId: stranger.id } }, as(stranger)), {});
  t.equal(await outcome(client.call('getProfile', { params: { accountId: nobody } }, operator)), 'not_found');
  const stored = JSON.stringify(await auth.mongo.accounts.findOne({ _id: account.id }));
  t.notOk(stored.includes('King'), 'not readable in the database');

  const hostile = JSON.parse('{"constructor":"x","toString":"y","valueOf":"z"}');
  t.same(Object.entries(await update(hostile)).length, 5, 'names that mean something to JavaScript are names');
  const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`fact${i}`, 'x']));
  t.equal(await outcome(update(many(33))), 'invalid_body');
  t.equal(await outcome(update(many(28))), 'invalid_body', 'with what is there already');
  t.equal(await outcome(update(many(27))), 'ok');
  for (const bad of [{ '': 'x' }, { ['n'.repeat(65)]: 'x' }, { 'a\nb': 'x' }, { a: 'x'.repeat(1025) }, { a: '\ud800' }])
    t.equal(await outcome(update(bad)), 'invalid_body', JSON.stringify(bad));
  t.equal(await outcome(create({ profile: many(33) })), 'invalid_body');

  const raced = await create();
  const writes = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      outcome(
        client.call('updateProfile', { params: { accountId: raced.id }, body: { [`fact${i}`]: `${i}` } }, as(raced)),
      ),
    ),
  );
  const kept = await client.call('getProfile', { params: { accountId: raced.id } }, as(raced));
  t.equal(Object.keys(kept).length, tally(writes).ok, 'no write that was acknowledged is lost');
});

t.test('an operator may have an e-mail address for a name', async (t) => {
  const space = ownSpace(t);
  const name = `${uniqueName('admin')}@example.org`;
  const env = { ADMIN_USERNAME: name, ADMIN_PASSWORD: password };
  const [one] = await Promise.all([1, 2, 3].map(() => startAuth(t, { space, env })));
  t.match(await space.mongo.accounts.find().toArray(), [{ username: name, email: name, role: 'operator' }]);
  t.equal(one && (await outcome(one.logIn(name, password, newAddress()))), 'ok');
});

t.test('unique indexes of an earlier version are replaced', async (t) => {
  const space = ownSpace(t);
  const { accounts } = space.mongo;
  await accounts.createIndexes([
    { key: { usernameKey: 1 }, name: 'usernameKey', unique: true },
    { key: { emailKey: 1 }, name: 'emailKey', unique: true },
  ]);
  const [one] = await Promise.all([1, 2, 3].map(() => startAuth(t, { space })));
  const names = (await accounts.indexes()).map(({ name }) => name);
  t.notOk(names.includes('emailKey') || names.includes('usernameKey'));
  t.ok(names.includes('emailKeyHeld') && names.includes('usernameKeyHeld'));
  if (!one) return;
  for (const username of [uniqueName(), uniqueName()]) {
    const made = one.client.call('createAccount', { body: { username, email: null, password } });
    t.equal(await outcome(made), 'ok');
  }
});
