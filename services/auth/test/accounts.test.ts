import t from 'tap';
import { as, newAddress, operator, outcome, password, startAuth, tally, uniqueName, until } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const auth = await startAuth(t);
const { client } = auth;
const nobody = '01900000-0000-7000-8000-00000000dead';

t.test('an account is made, read and changed', async (t) => {
  const name = uniqueName('Ada');
  const account = await auth.register(name);
  t.match(account, { username: name, email: `${name}@example.org`, role: 'user', suspended: false });
  t.notOk('passwordHash' in account);
  t.match(account.createdAt, /^\d{4}-.*\.\d{3}Z$/);
  t.same(await client.call('getAccount', { params: { accountId: account.id } }, as(account)), account);

  const params = { accountId: account.id };
  const other = uniqueName('Ada2');
  const changed = await client.call('updateAccount', { params, body: { username: other } }, as(account));
  t.match(changed, { id: account.id, username: other, email: account.email });
  t.equal(await outcome(auth.logIn(name)), 'invalid_credentials', 'the old name is free again');
  t.equal(await outcome(auth.logIn(other)), 'ok');
  t.same(await client.call('updateAccount', { params, body: {} }, as(account)), changed, 'nothing to change');
  const mail = `${other}@example.net`;
  t.equal((await client.call('updateAccount', { params, body: { email: mail } }, as(account))).email, mail);
  t.equal(await outcome(auth.logIn(mail.toUpperCase())), 'ok', 'e-mail addresses log in, ignoring case');
});

t.test('names that are taken', async (t) => {
  const first = await auth.register();
  const second = await auth.register();
  const create = (username: string, email: string) =>
    outcome(client.call('createAccount', { body: { username, email, password } }));
  t.equal(await create(first.username.toUpperCase(), `${uniqueName()}@example.org`), 'username_taken');
  t.equal(await create(uniqueName(), first.email.toUpperCase()), 'email_taken');
  const change = (body: { username?: string; email?: string }) =>
    outcome(client.call('updateAccount', { params: { accountId: second.id }, body }, as(second)));
  t.equal(await change({ username: first.username }), 'username_taken');
  t.equal(await change({ email: first.email.toUpperCase() }), 'email_taken');
  t.equal(await change({ username: second.username.toUpperCase() }), 'ok', 'one may write one’s own name differently');
});

t.test('bad input', async (t) => {
  const account = await auth.register();
  const good = { username: uniqueName(), email: `${uniqueName()}@example.org`, password };
  const create = (bad: object) => outcome(client.call('createAccount', { body: { ...good, ...bad } }));
  t.equal(await create({ username: 'a@b' }), 'invalid_name', 'it is not the e-mail address');
  t.equal(await create({ username: 'a:b' }), 'invalid_name');
  t.equal(await create({ username: '' }), 'invalid_body');
  t.equal(await create({ email: 'nobody' }), 'invalid_body');
  t.equal(await create({ password: 'short' }), 'weak_password');
  t.equal(await create({ password: good.username }), 'weak_password');
  t.equal(await create({ password: 'é'.repeat(600) }), 'weak_password');
  t.equal(await create({ password: 'x'.repeat(1025) }), 'invalid_body');
  t.equal(await create({ role: 'operator' }), 'invalid_body', 'nobody makes themselves operator');
  const change = (body: object) =>
    outcome(client.call('updateAccount', { params: { accountId: account.id }, body }, as(account)));
  t.equal(await change({ username: '. ' }), 'invalid_name');
  t.equal(await change({ email: 'x' }), 'invalid_body');
  t.equal(await change({ suspended: true }), 'invalid_body');
  t.equal(await outcome(client.call('getAccount', { params: { accountId: 'x' } }, as(account))), 'invalid_parameter');
});

t.test('who may ask what', async (t) => {
  const [account, stranger] = [await auth.register(), await auth.register()];
  const params = { accountId: account.id };
  const body = { currentPassword: password, newPassword: `${password}!` };
  const calls = {
    get: (o = {}) => client.call('getAccount', { params }, o),
    update: (o = {}) => client.call('updateAccount', { params, body: {} }, o),
    password: (o = {}) => client.call('changePassword', { params, body }, o),
    sessions: (o = {}) => client.call('listSessions', { params }, o),
    endOthers: (o = {}) => client.call('endOtherSessions', { params, query: {} }, o),
    keys: (o = {}) => client.call('listKeys', { params }, o),
    createKey: (o = {}) =>
      client.call('createKey', { params, body: { name: 'k', access: 'full', expiresAt: null } }, o),
  };
  const writing = new Set(['update', 'password', 'endOthers', 'createKey']);
  for (const [name, call] of Object.entries(calls)) {
    t.equal(await outcome(call()), 'unauthorized', `${name} by nobody`);
    t.equal(await outcome(call(as(stranger))), 'not_found', `${name} by a stranger`);
    const readOnly = writing.has(name) ? 'read_only' : 'ok';
    t.equal(await outcome(call(as(account, { readOnly: true }))), readOnly, `${name} with a read-only key`);
  }
  t.equal(await outcome(calls.get(operator)), 'ok');
  t.equal(await outcome(client.call('findAccounts', { query: {} }, as(account))), 'forbidden');
  const status = { params, body: { suspended: true } };
  t.equal(await outcome(client.call('setAccountStatus', status, as(account))), 'forbidden');
  t.equal(await outcome(client.call('getAccount', { params: { accountId: nobody } }, operator)), 'not_found');
  const response = await fetch(`${auth.url}/keyset`);
  t.equal(response.status, 401, 'nothing without the internal secret');
});

t.test('one name, a hundred ways to write it, one winner', async (t) => {
  const core = `straße${uniqueName()}`;
  const wide = core.replace(/[a-z0-9]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
  const ways = [core, core.toUpperCase(), core.replace('ß', 'ss'), wide, core.replace('st', 'ﬆ')];
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      const body = { username: ways[i % ways.length] ?? core, email: `${uniqueName()}@example.org`, password };
      return outcome(client.call('createAccount', { body }, { timeoutMs: 60_000 }));
    }),
  );
  t.same(tally(outcomes), { ok: 1, username_taken: 99 });
  t.equal(await auth.mongo.accounts.countDocuments({ username: { $in: ways } }), 1);
});

t.test('creates with an idempotency key', async (t) => {
  const body = (over: object = {}) => {
    const username = uniqueName();
    return {
      username,
      email: `${username}@example.org`,
      password,
      idempotency: { key: uniqueName(), fingerprint: 'f' },
      ...over,
    };
  };
  const once = body();
  const first = await client.call('createAccount', { body: once });
  t.same(await client.call('createAccount', { body: once }), first, 'sent again, the same answer');
  const other = { ...once, idempotency: { ...once.idempotency, fingerprint: 'g' } };
  t.equal(await outcome(client.call('createAccount', { body: other })), 'idempotency_key_reused');
  t.equal(
    await outcome(
      client.call('createAccount', { body: { ...once, idempotency: { key: uniqueName(), fingerprint: 'f' } } }),
    ),
    'username_taken',
  );

  const racing = body();
  const twins = await Promise.all(
    Array.from({ length: 20 }, () => client.call('createAccount', { body: racing }, { timeoutMs: 60_000 })),
  );
  t.equal(new Set(twins.map(({ id }) => id)).size, 1, 'twenty at once make one account and all get it');

  await auth.mongo.accounts.updateOne(
    { _id: first.id },
    { $set: { 'idempotency.at': new Date(Date.now() - 25 * 3_600_000) } },
  );
  const later = body({ idempotency: { ...once.idempotency, fingerprint: 'h' } });
  t.not((await client.call('createAccount', { body: later })).id, first.id, 'a day later the key is free');
});

t.test('operators find accounts', async (t) => {
  const word = uniqueName('find');
  const made = [];
  for (const suffix of ['a', 'b', 'c']) made.push(await auth.register(`${word}${suffix}`));
  const find = (query: object) => client.call('findAccounts', { query }, operator);
  const all = await find({ query: word.toUpperCase() });
  t.same(all, { items: made, nextCursor: null });
  const page = await find({ query: word, limit: 2 });
  t.same(page.items, made.slice(0, 2));
  t.same(await find({ query: word, limit: 2, cursor: page.nextCursor }), { items: made.slice(2), nextCursor: null });
  t.same((await find({ query: made[1]?.id })).items, made.slice(1, 2), 'by id');
  t.same((await find({ query: `${word}c@EXAMPLE` })).items, made.slice(2), 'by part of the e-mail address');
  t.same((await find({ query: '.*' })).items, [], 'no pattern language');
  t.ok((await find({})).items.length >= 3);
  t.equal(await outcome(find({ cursor: 'nonsense' })), 'invalid_cursor');
  t.equal(await outcome(find({ limit: 0 })), 'invalid_query');
});

t.test('a suspended account can do nothing until it is let in again', async (t) => {
  const account = await auth.register();
  const session = await auth.logIn(account.username);
  const key = await client.call(
    'createKey',
    { params: { accountId: account.id }, body: { name: 'k', access: 'full', expiresAt: null } },
    as(account),
  );
  const setStatus = (suspended: boolean, accountId = account.id) =>
    client.call('setAccountStatus', { params: { accountId }, body: { suspended } }, operator);
  t.equal((await setStatus(true)).suspended, true);
  t.equal((await setStatus(true)).suspended, true, 'twice is no error');

  const refresh = () =>
    client.call('refreshSession', {
      body: { refreshToken: session.refreshToken, address: newAddress(), userAgent: '' },
    });
  const verify = () => client.call('verifyKey', { body: { keyId: key.id, secret: key.secret } });
  t.equal(await outcome(auth.logIn(account.username)), 'account_suspended');
  t.equal(
    await outcome(auth.logIn(account.username, 'wrong password')),
    'invalid_credentials',
    'told only to its owner',
  );
  t.equal(await outcome(refresh()), 'account_suspended');
  t.equal(await outcome(verify()), 'account_suspended');
  const listed = await client.call('listRevocations', {});
  t.match(
    listed.items.filter(({ id }) => id === account.id),
    [{ kind: 'account' }],
  );

  t.equal((await setStatus(false)).suspended, false);
  t.equal(await outcome(auth.logIn(account.username)), 'ok');
  t.equal(await outcome(refresh()), 'ok', 'its sessions go on');
  t.equal(await outcome(verify()), 'ok');
  t.equal(await outcome(setStatus(true, nobody)), 'not_found');
  t.equal(await outcome(setStatus(true, operator.principal?.accountId)), 'conflict', 'nobody suspends themselves');
});

t.test('logs name accounts by id and hold nothing that is private', async (t) => {
  const lines: string[] = [];
  const loud = await startAuth(t, { log: (line) => lines.push(line) });
  const account = await loud.register();
  const session = await loud.logIn(account.email);
  await outcome(loud.logIn(account.username, 'a wrong password'));
  await outcome(loud.register(account.username.toUpperCase()));
  const key = await loud.client.call(
    'createKey',
    { params: { accountId: account.id }, body: { name: 'k', access: 'full', expiresAt: null } },
    as(account),
  );
  await loud.client.call('findAccounts', { query: { query: account.username } }, operator);
  const lineOf = (op: string, status: number) =>
    lines.find((line) => line.includes(`"op":"${op}"`) && line.includes(`"status":${status}`));
  await until(async () => lineOf('accounts.find', 200) !== undefined);
  for (const op of ['accounts.create', 'sessions.create', 'keys.create'])
    t.ok(lineOf(op, 201)?.includes(account.id), `${op} names the account`);
  t.ok(lines.some((line) => line.includes('operator searched') && line.includes(operator.principal?.accountId ?? '?')));
  const all = lines.join('\n').toLowerCase();
  const secrets = [
    account.username,
    'example.org',
    password,
    'a wrong password',
    session.accessToken,
    session.refreshToken,
    key.secret,
  ];
  for (const secret of secrets) t.notOk(all.includes(secret.toLowerCase()), secret);
});
