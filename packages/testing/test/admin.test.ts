/** What operators see and do, that nobody else can, and that all of it is written down. */
import { createHash } from 'node:crypto';
import t from 'tap';
import {
  type AuditEntry,
  type Client,
  everyItem,
  logIn,
  newPerson,
  PASSWORD,
  type RequestOptions,
  startTestStack,
  waitFor,
} from '../src/index.ts';
import { refused } from './refused.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const skip = stack.hasOperator ? false : 'no operator is known';
const ABSENT = '01900000-0000-7000-8000-0000000000aa';

type Ask = [method: string, path: string, options?: RequestOptions];

/** Every route of operators; `ID` is an account's. */
const READING: readonly Ask[] = [
  ['GET', '/v1/admin/accounts'],
  ['GET', '/v1/admin/accounts/ID'],
  ['GET', '/v1/admin/usage'],
  ['GET', '/v1/admin/payments'],
  ['GET', '/v1/admin/queues'],
  ['GET', '/v1/admin/queues/mail/jobs?state=failed'],
  ['GET', '/v1/admin/audit'],
];
const CHANGING: readonly Ask[] = [
  ['PATCH', '/v1/admin/accounts/ID', { json: { limitBytes: 5 } }],
  ['POST', '/v1/admin/accounts/ID/reset', { json: {} }],
  ['PUT', '/v1/admin/accounts/ID/plan', { json: { planId: 'basic', until: null } }],
  ['DELETE', '/v1/admin/accounts/ID'],
  ['POST', `/v1/admin/payments/${ABSENT}/reverse`, { json: { reason: 'x' } }],
  ['POST', '/v1/admin/ledger/check', { json: {} }],
  ['POST', '/v1/admin/store/check', { json: {} }],
  ['POST', '/v1/admin/queues/mail/jobs/x/retry', { json: {} }],
  ['DELETE', '/v1/admin/queues/mail/jobs/x'],
];
const send = async (client: Client, [method, path, options]: Ask, id: string) =>
  await client.request(method, path.replace('ID', id), options);
const keyOf = async (client: Client, access: 'full' | 'read-only') => {
  const key = await client.createKey({ name: access, access });
  return client.as(`Bearer ${key.id}.${key.secret}`);
};
/** The entries about this target, the latest first. */
const entriesOf = async (operator: Client, targetId: string): Promise<AuditEntry[]> =>
  (await operator.audit({ targetId })).items;

t.test('every route, whoever asks', { skip }, async (t) => {
  const { paths } = (await stack.http.request('GET', '/v1/openapi.json')).json<{
    paths: Record<string, Record<string, unknown>>;
  }>();
  const documented = Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/admin/'))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  const tried = [...READING, ...CHANGING].map(
    ([method, path]) =>
      `${method} ${path
        .replace(/\?.*/, '')
        .replace(/\/(?:ID|01900000[0-9a-f-]*)/, '/{id}')
        .replace('/queues/mail', '/queues/{queue}')
        .replace('/jobs/x', '/jobs/{jobId}')}`,
  );
  t.same(documented.sort(), tried.sort(), 'no route is left out');

  const { client: operator } = await stack.operator();
  const reader = await keyOf(operator, 'read-only');
  const { client, account } = await newPerson(stack.http);
  const userKey = await keyOf(client, 'full');
  const before = await operator.adminAccount(account.id);
  for (const ask of [...READING, ...CHANGING]) {
    const name = `${ask[0]} ${ask[1]}`;
    refused(t, await send(client, ask, account.id), 403, 'forbidden', `${name} by a user`);
    refused(t, await send(userKey, ask, account.id), 403, 'forbidden', `${name} by a user's key`);
    refused(t, await send(client.as(undefined), ask, account.id), 401, 'unauthorized', `${name} by nobody`);
    refused(t, await send(client.as('Bearer x.y.z'), ask, account.id), 401, 'invalid_token', `${name} by a forger`);
  }
  for (const ask of CHANGING)
    refused(t, await send(reader, ask, account.id), 403, 'read_only', `${ask[0]} ${ask[1]} by a key that reads`);
  for (const ask of READING) {
    t.equal((await send(operator, ask, account.id)).status, 200, `${ask[1]} by the operator`);
    t.equal((await send(reader, ask, account.id)).status, 200, `${ask[1]} by the operator's key that reads`);
  }
  t.same(await operator.adminAccount(account.id), before, 'nothing was changed');
  t.same(await entriesOf(operator, account.id), [], 'and nothing was tried by an operator');
});

t.test('a limit, a suspension, and what is written about them', { skip }, async (t) => {
  const { client: operator, account: own } = await stack.operator();
  const { client, account } = await newPerson(stack.http);
  const free = (await client.usage()).limitBytes;
  t.equal((await operator.updateAccount(account.id, { limitBytes: 12_345 })).usage.limitBytes, 12_345);
  t.equal((await client.usage()).limitBytes, 12_345);
  t.equal((await operator.updateAccount(account.id, { limitBytes: null })).usage.limitBytes, free, 'the plan’s again');
  t.equal((await operator.updateAccount(account.id, { limitBytes: 0, suspended: true })).suspended, true);
  const key = await keyOf(operator, 'full');
  t.equal((await key.updateAccount(account.id, { suspended: false })).suspended, false);
  const keyId = key.authorization?.slice('Bearer '.length).split('.')[0];

  const byAccount = { actorId: own.id, action: 'admin.updateAccount', targetId: account.id, outcome: 'ok' };
  const entries = await entriesOf(operator, account.id);
  t.match(entries, [
    { ...byAccount, details: { suspended: false, byKey: keyId } },
    { ...byAccount, details: { limitBytes: 0, suspended: true } },
    { ...byAccount, details: { limitBytes: null } },
    { ...byAccount, details: { limitBytes: 12_345 } },
  ]);
  t.equal(entries.length, 4);
  for (const { at, address, requestId } of entries) {
    t.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    t.match(address, /^(?:127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)$/);
    t.match(requestId, /^[0-9a-f-]{36}$/);
  }
});

t.test('what is refused is written down too', { skip }, async (t) => {
  const { client: operator, account: own } = await stack.operator();
  const other = { targetId: ABSENT, actorId: own.id };
  refused(
    t,
    await operator.request('PATCH', `/v1/admin/accounts/${ABSENT}`, { json: { limitBytes: 1 } }),
    404,
    'not_found',
  );
  refused(t, await operator.request('POST', `/v1/admin/accounts/${ABSENT}/reset`), 404, 'not_found');
  refused(t, await operator.request('DELETE', `/v1/admin/accounts/${ABSENT}`), 404, 'not_found');
  const plan = { json: { planId: 'basic', until: null } };
  refused(t, await operator.request('PUT', `/v1/admin/accounts/${ABSENT}/plan`, plan), 404, 'not_found');
  t.match(
    await entriesOf(operator, ABSENT),
    ['setPlan', 'deleteAccount', 'resetAccount', 'updateAccount'].map((name) => ({
      ...other,
      action: `admin.${name}`,
      outcome: 'not_found',
    })),
  );

  for (const [method, path, options] of [
    ['PATCH', `/v1/admin/accounts/${own.id}`, { json: { suspended: true } }],
    ['DELETE', `/v1/admin/accounts/${own.id}`],
  ] as Ask[])
    refused(t, await operator.request(method, path, options), 403, 'forbidden', `${method} of oneself`);
  t.match(await entriesOf(operator, own.id), [{ outcome: 'forbidden' }, { outcome: 'forbidden' }]);

  const job = `no-such-job-${createHash('md5').update(own.id).digest('hex').slice(0, 8)}`;
  refused(t, await operator.request('POST', `/v1/admin/queues/mail/jobs/${job}/retry`), 404, 'not_found');
  refused(t, await operator.request('DELETE', `/v1/admin/queues/mail/jobs/${job}`), 404, 'not_found');
  t.match(await entriesOf(operator, `mail/${job}`), [
    { action: 'admin.discardJob', outcome: 'not_found' },
    { action: 'admin.retryJob', outcome: 'not_found' },
  ]);
  const reversal = { json: { reason: 'paid back' } };
  refused(t, await operator.request('POST', `/v1/admin/payments/${ABSENT}/reverse`, reversal), 404, 'not_found');
  t.match(await entriesOf(operator, ABSENT), [
    { action: 'admin.reversePayment', details: { reason: 'paid back' }, outcome: 'not_found' },
  ]);
});

t.test('reset', { skip }, async (t) => {
  const { client: operator } = await stack.operator();
  const person = await newPerson(stack.http);
  const key = await keyOf(person.client, 'full');
  await person.client.putFile('mine.txt', 'kept');
  t.same(await operator.resetAccount(person.account.id), { mailed: true });
  for (const [name, client] of [
    ['session', person.client],
    ['key', key],
  ] as const) {
    await waitFor(`the ${name} to end`, async () => (await client.request('GET', '/v1/usage')).status === 401, {
      timeoutMs: 1_000,
      everyMs: 20,
    });
  }
  const back = await logIn(stack.http, person.account, PASSWORD);
  t.equal((await back.client.getFile('mine.txt')).text(), 'kept');
  t.match(await entriesOf(operator, person.account.id), [{ action: 'admin.resetAccount', outcome: 'ok' }]);
});

t.test('a plan without payment', { skip }, async (t) => {
  const { client: operator } = await stack.operator();
  const { client, account } = await newPerson(stack.http);
  const free = (await client.usage()).limitBytes;
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const path = `/v1/admin/accounts/${account.id}/plan`;
  const reply = await operator.request('PUT', path, { json: { planId: 'basic', until } });
  t.match(reply.json(), { plan: { id: 'basic' }, status: 'active', periodEnd: until });
  const { limitBytes } = reply.json<{ limitBytes: number }>();
  t.ok(limitBytes > free);
  await waitFor('the limit', async () => (await client.usage()).limitBytes === limitBytes);
  t.match((await operator.adminAccount(account.id)).subscription, { plan: { id: 'basic' }, limitBytes });
  refused(t, await operator.request('PUT', path, { json: { planId: 'nothing', until: null } }), 404, 'not_found');
  const ended = await operator.request('PUT', path, { json: { planId: 'free', until: null } });
  t.match(ended.json(), { plan: { id: 'free' }, status: 'none', limitBytes: free });
  await waitFor('the free limit', async () => (await client.usage()).limitBytes === free);
  t.match(await entriesOf(operator, account.id), [
    { details: { planId: 'free', until: null }, outcome: 'ok' },
    { details: { planId: 'nothing' }, outcome: 'not_found' },
    { action: 'admin.setPlan', details: { planId: 'basic', until }, outcome: 'ok' },
  ]);
});

t.test('the whole store', { skip }, async (t) => {
  const { client: operator } = await stack.operator();
  const { client, account } = await newPerson(stack.http);
  type Totals = {
    accounts: number;
    usedBytes: number;
    files: number;
    store: { freeBytes: number; totalBytes: number };
  };
  const totals = async () => (await operator.request('GET', '/v1/admin/usage')).json<Totals>();
  const before = await totals();
  await client.putFile('a.txt', 'x'.repeat(1_000));
  const after = await totals();
  t.equal(after.usedBytes - before.usedBytes, 1_000);
  t.equal(after.files - before.files, 1);
  t.ok(after.store.freeBytes > 0 && after.store.totalBytes >= after.store.freeBytes);

  const one = await operator.checkStore({ accountId: account.id });
  t.match(one, { isSound: true, checkedAccounts: 1, differing: [], busy: [], nextCursor: null });
  const all = await operator.checkStore();
  t.same(all.differing, []);
  t.ok(all.checkedAccounts >= 2);
  t.same(await entriesOf(operator, account.id), [], 'looking is no deed');
  t.match(await operator.checkStore({ accountId: account.id, repair: true }), { isSound: true, checkedAccounts: 1 });
  t.match(await entriesOf(operator, account.id), [
    { action: 'admin.checkStore', details: { repair: true }, outcome: 'ok' },
  ]);
  refused(
    t,
    await operator.request('POST', '/v1/admin/store/check', { json: { accountId: ABSENT } }),
    404,
    'not_found',
  );
  t.match((await operator.request('POST', '/v1/admin/ledger/check', { json: {} })).json(), { isBalanced: true });
  const queues = (await operator.request('GET', '/v1/admin/queues')).json<{ items: { name: string }[] }>();
  t.ok(queues.items.some(({ name }) => name === 'mail'));
});

t.test('the audit log in pages', { skip }, async (t) => {
  const { client: operator, account: own } = await stack.operator();
  const { account } = await newPerson(stack.http);
  for (let n = 0; n < 7; n++) await operator.updateAccount(account.id, { limitBytes: n });
  const seen: AuditEntry[] = [];
  for await (const entry of everyItem((cursor) =>
    operator.audit({ targetId: account.id, limit: 3, ...(cursor && { cursor }) }),
  ))
    seen.push(entry);
  t.same(
    seen.map(({ details }) => details.limitBytes),
    [6, 5, 4, 3, 2, 1, 0],
  );
  t.match((await operator.audit({ actorId: own.id, limit: 1 })).items, [{ id: seen[0]?.id }]);
  t.same((await operator.audit({ actorId: account.id })).items, []);
  for (const method of ['DELETE', 'PUT', 'PATCH', 'POST'])
    refused(t, await operator.request(method, '/v1/admin/audit', { json: {} }), 405, 'method_not_allowed', method);
});

t.test('bad input', { skip }, async (t) => {
  const { client: operator } = await stack.operator();
  const { account } = await newPerson(stack.http);
  const at = `/v1/admin/accounts/${account.id}`;
  const queries: [path: string, code: string][] = [
    ...['limit=0', 'limit=101', 'limit=x', 'cursor=', 'cursor=%21', `query=${'x'.repeat(255)}`, 'other=1'].map(
      (query): [string, string] => [
        `/v1/admin/accounts?${query}`,
        query === 'cursor=%21' ? 'invalid_cursor' : 'invalid_query',
      ],
    ),
    ...['limit=0', 'limit=1001', 'actorId=x', `targetId=${'x'.repeat(201)}`, 'targetId=', 'cursor=', 'other=1'].map(
      (query): [string, string] => [`/v1/admin/audit?${query}`, 'invalid_query'],
    ),
    ['/v1/admin/audit?cursor=nonsense', 'invalid_cursor'],
    ...['status=paid', 'accountId=me', 'reference=', `reference=${'x'.repeat(101)}`, 'limit=-1', 'other=1'].map(
      (query): [string, string] => [`/v1/admin/payments?${query}`, 'invalid_query'],
    ),
    ['/v1/admin/payments?cursor=nonsense', 'invalid_cursor'],
    ...['', '?state=lost', '?state=failed&limit=0', '?state=failed&other=1'].map((query): [string, string] => [
      `/v1/admin/queues/mail/jobs${query}`,
      'invalid_query',
    ]),
    ['/v1/admin/queues?limit=5', 'invalid_query'],
    ['/v1/admin/usage?other=1', 'invalid_query'],
    [`${at}?other=1`, 'invalid_query'],
    ['/v1/admin/accounts/me', 'invalid_parameter'],
    ['/v1/admin/accounts/%00', 'invalid_parameter'],
    ['/v1/admin/queues/A/jobs?state=failed', 'invalid_parameter'],
  ];
  for (const [path, code] of queries) refused(t, await operator.request('GET', path), 400, code, path);
  refused(t, await operator.request('GET', '/v1/admin/queues/nothing/jobs?state=failed'), 404, 'not_found');

  const bodies: [method: string, path: string, json: unknown, code?: string][] = [
    ['PATCH', at, {}],
    ['PATCH', at, { limitBytes: 1, role: 'operator' }],
    ['PATCH', at, { username: 'x' }],
    ['PATCH', '/v1/admin/accounts/root', { limitBytes: 1 }, 'invalid_parameter'],
    ['POST', `${at}/reset`, { password: 'x' }],
    ['POST', `${at}/reset?mail=no`, {}, 'invalid_query'],
    ['PUT', `${at}/plan`, { planId: 'basic' }],
    ['PUT', `${at}/plan`, { until: null }],
    ['PUT', `${at}/plan`, { planId: 'basic', until: null, free: true }],
    ['PUT', `${at}/plan`, { planId: 'BASIC', until: null }],
    ['PUT', `${at}/plan`, { planId: 'basic', until: '2001-01-01T00:00:00Z' }],
    ['PUT', `${at}/plan`, { planId: 'basic', until: 'tomorrow' }],
    ['DELETE', `${at}?yes=1`, undefined, 'invalid_query'],
    ['POST', '/v1/admin/store/check', { accountId: 'me' }],
    ['POST', '/v1/admin/store/check', { repair: 'yes' }],
    ['POST', '/v1/admin/store/check', { cursor: '' }],
    ['POST', '/v1/admin/store/check', { cursor: 'nonsense' }, 'invalid_cursor'],
    ['POST', '/v1/admin/store/check', []],
    ['POST', '/v1/admin/ledger/check', { repair: true }],
    ['POST', '/v1/admin/payments/x/reverse', { reason: 'x' }, 'invalid_parameter'],
    ['POST', `/v1/admin/payments/${ABSENT}/reverse`, {}],
    ['POST', `/v1/admin/payments/${ABSENT}/reverse`, { reason: '' }],
    ['POST', '/v1/admin/queues/mail/jobs/x/retry', { again: true }],
    ['POST', `/v1/admin/queues/mail/jobs/${'x'.repeat(161)}/retry`, {}, 'invalid_parameter'],
    ['DELETE', '/v1/admin/queues/Mail/jobs/x', undefined, 'invalid_parameter'],
  ];
  for (const [method, path, json, code = 'invalid_body'] of bodies) {
    const reply = await operator.request(method, path, json === undefined ? {} : { json });
    refused(t, reply, 400, code, `${method} ${path} ${JSON.stringify(json)}`);
  }
  t.ok(queries.length + bodies.length >= 40, `${queries.length + bodies.length} cases`);
  t.same(await entriesOf(operator, account.id), [], 'what is no request is no deed');
});
