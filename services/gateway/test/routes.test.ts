import { Client, everyItem, newPerson, PASSWORD, type Person, startTestStack, uniqueName } from '@coffer/testing';
import t from 'tap';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const nobody = new Client(stack.http);
const base64 = (text: string) => Buffer.from(text).toString('base64');

t.test('accounts', async (t) => {
  const username = uniqueName();
  const body = { username, email: `${username}@example.org`, password: PASSWORD };
  const made = await nobody.request('POST', '/v1/accounts', { json: body });
  t.equal(made.status, 201);
  t.equal(made.headers.location, '/v1/me');
  t.same(
    Object.keys(made.json<object>()).sort(),
    ['createdAt', 'email', 'id', 'role', 'username'],
    'and nothing else is told',
  );
  t.equal(made.json<{ role: string }>().role, 'user');
  t.equal((await nobody.request('POST', '/v1/accounts', { json: body })).problem().code, 'username_taken');

  const key = { 'idempotency-key': uniqueName('k') };
  const other = { ...body, username: uniqueName(), email: `${uniqueName()}@example.org` };
  const first = await nobody.request('POST', '/v1/accounts', { json: other, headers: key });
  const again = await nobody.request('POST', '/v1/accounts', { json: other, headers: key });
  t.same([first.status, again.status], [201, 201]);
  t.same(again.json(), first.json(), 'a repeated request has the first answer');
  const reused = await nobody.request('POST', '/v1/accounts', {
    json: { ...other, password: 'another password' },
    headers: key,
  });
  t.equal(reused.problem().code, 'idempotency_key_reused');

  const { client, account, session } = await newPerson(stack.http);
  t.same(await client.me(), account);
  const renamed = uniqueName();
  t.equal((await client.updateMe({ username: renamed })).username, renamed);
  t.equal((await client.request('PATCH', '/v1/me', { json: {} })).problem().code, 'invalid_body');
  const unknown = await client.request('PATCH', '/v1/me', { json: { role: 'operator' } });
  t.same(unknown.problem().errors, [{ path: '/role', message: 'is not known here' }]);
  const wrong = await client.request('PUT', '/v1/me/password', {
    json: { currentPassword: 'no', newPassword: 'a new password' },
  });
  t.equal(wrong.problem().code, 'invalid_credentials');
  t.ok(wrong.headers['www-authenticate'], 'every 401 says how to authenticate');

  const elsewhere = await nobody.logIn(renamed, PASSWORD);
  await client.changePassword(PASSWORD, 'a new password');
  t.equal((await client.request('GET', '/v1/me')).status, 200, 'the session that changed it goes on');
  t.equal((await nobody.request('POST', '/v1/sessions', { json: { login: renamed, password: PASSWORD } })).status, 401);
  await refused(t, `Bearer ${elsewhere.accessToken}`, 'the others end');
  t.ok(session.refreshToken);
});

/** Until the revocation is known, which takes less than a second. */
async function refused(
  t: { equal(found: unknown, wanted: unknown, message: string): unknown },
  authorization: string,
  what: string,
): Promise<void> {
  const until = Date.now() + 1_000;
  let reply = await nobody.as(authorization).request('GET', '/v1/me');
  while (reply.status === 200 && Date.now() < until) reply = await nobody.as(authorization).request('GET', '/v1/me');
  t.equal(reply.status, 401, `${what} (within a second)`);
}

t.test('sessions', async (t) => {
  const { client, session, account } = await newPerson(stack.http);
  const login = await nobody.request('POST', '/v1/sessions', { json: { login: account.email, password: PASSWORD } });
  t.equal(login.status, 201, 'the e-mail is a login too');
  t.equal(login.headers['cache-control'], 'no-store');
  t.match(login.json(), {
    sessionId: String,
    accessToken: String,
    tokenType: 'Bearer',
    expiresAt: String,
    refreshToken: String,
  });
  const second = login.json<{ sessionId: string; accessToken: string; refreshToken: string }>();

  const { items, nextCursor } = await client.sessions();
  t.equal(nextCursor, null);
  t.same(items.map(({ id }) => id).sort(), [session.sessionId, second.sessionId].sort());
  t.match(
    items.find(({ id }) => id === session.sessionId),
    { current: true, address: String, userAgent: String },
  );

  const renewed = await nobody.refresh(second.refreshToken);
  t.equal(renewed.sessionId, second.sessionId);
  await client.endSession(second.sessionId);
  await refused(t, `Bearer ${renewed.accessToken}`, 'an ended session is refused');
  t.equal((await client.request('DELETE', `/v1/sessions/${second.sessionId}`)).problem().code, 'not_found');
  t.equal((await client.request('DELETE', '/v1/sessions/nonsense')).problem().code, 'invalid_parameter');

  const third = await nobody.logIn(account.username, PASSWORD);
  await client.endOtherSessions();
  await refused(t, `Bearer ${third.accessToken}`, 'all others are ended');
  t.equal((await client.request('GET', '/v1/me')).status, 200);
  t.equal((await client.sessions()).items.length, 1);
});

t.test('credentials', async (t) => {
  const { client, session } = await newPerson(stack.http);
  const key = await client.createKey({ name: 'full', access: 'full' });
  const reader = await client.createKey({ name: 'reader', access: 'read-only' });
  t.match((await client.keys()).items.map(({ name }) => name).sort(), ['full', 'reader']);
  t.notOk(JSON.stringify(await client.keys()).includes(key.secret), 'the secret is shown once');

  for (const scheme of [
    `Bearer ${key.id}.${key.secret}`,
    `Basic ${base64(`${key.id}:${key.secret}`)}`,
    `bearer ${session.accessToken}`,
  ]) {
    t.equal((await nobody.as(scheme).request('GET', '/v1/usage')).status, 200, scheme.slice(0, 12));
  }
  for (const [authorization, code] of [
    [undefined, 'unauthorized'],
    ['Digest x', 'unauthorized'],
    ['Bearer', 'invalid_token'],
    ['Bearer nonsense', 'invalid_token'],
    [`Bearer ${session.accessToken}x`, 'invalid_token'],
    [`Bearer ${session.accessToken.slice(0, -8)}AAAAAAAA`, 'invalid_token'],
    [`Bearer ${unsigned(session.accessToken)}`, 'invalid_token'],
    [`Bearer ${key.id}.wrong`, 'invalid_token'],
    ['Bearer ck_unknown.wrong', 'invalid_token'],
    [`Basic ${base64(`${key.id}:wrong`)}`, 'invalid_token'],
    ['Basic %%%', 'invalid_token'],
    [`Bearer ${'x'.repeat(5000)}`, 'invalid_token'],
  ] as const) {
    const reply = await nobody.as(authorization).request('GET', '/v1/usage');
    t.same([reply.status, reply.problem().code], [401, code], String(authorization).slice(0, 24));
    t.match(reply.headers['www-authenticate'], authorization?.startsWith('Basic') ? /^Basic / : /^Bearer /);
  }

  const readOnly = nobody.as(`Bearer ${reader.id}.${reader.secret}`);
  t.equal((await readOnly.request('GET', '/v1/nodes/root/children')).status, 200);
  for (const [method, path] of [
    ['PUT', '/v1/files/a'],
    ['POST', '/v1/nodes/root/children'],
    ['DELETE', '/v1/trash'],
    ['PATCH', '/v1/nodes/root'],
    ['POST', '/v1/keys'],
  ] as const) {
    t.equal((await readOnly.request(method, path)).problem().code, 'read_only', `${method} ${path}`);
  }
  const withKey = nobody.as(`Bearer ${key.id}.${key.secret}`);
  const more = await withKey.request('POST', '/v1/keys', { json: { name: 'another', access: 'full' } });
  t.equal(more.problem().code, 'forbidden', 'a key makes no keys');
  const past = await client.request('POST', '/v1/keys', { json: { name: 'x', expiresAt: '2001-01-01T00:00:00Z' } });
  t.same(
    past.problem().errors.map(({ path }) => path),
    ['/expiresAt'],
  );

  await client.deleteKey(key.id);
  await refused(t, `Bearer ${key.id}.${key.secret}`, 'a key that was taken away is refused');
});

/** The same claims with `alg: none`. */
function unsigned(token: string): string {
  const [, claims] = token.split('.');
  return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`;
}

t.test('nodes: folders, names, properties, moves', async (t) => {
  const { client, account } = await newPerson(stack.http);
  const made = await client.request('POST', '/v1/nodes/root/children', {
    json: { name: 'a', properties: { colour: 'red' } },
  });
  t.equal(made.status, 201);
  const a = made.json<{ id: string; parentId: string; rev: number }>();
  t.equal(made.headers.location, `/v1/nodes/${a.id}`);
  t.match(made.json(), {
    kind: 'folder',
    name: 'a',
    parentId: account.id,
    ownerId: account.id,
    size: null,
    mime: null,
    sha256: null,
    etag: `r${a.rev}`,
    trashedAt: null,
    role: 'owner',
    generalAccess: 'restricted',
    properties: { colour: 'red' },
  });
  t.equal(
    (await client.request('POST', '/v1/nodes/root/children', { json: { name: 'a' } })).problem().code,
    'name_taken',
  );
  for (const name of ['', '.', '..', 'x/y', 'a\0b', 'é'.repeat(128)]) {
    t.equal(
      (await client.request('POST', '/v1/nodes/root/children', { json: { name } })).problem().code,
      'invalid_name',
      name.slice(0, 9),
    );
  }

  const got = await client.request('GET', `/v1/nodes/${a.id}`);
  t.same(got.json(), made.json());
  t.equal(got.headers.etag, `"r${a.rev}"`);
  t.equal(
    (await client.request('GET', `/v1/nodes/${a.id}`, { headers: { 'if-none-match': got.headers.etag ?? '' } })).status,
    304,
  );
  t.match(await client.node('root'), { kind: 'folder', id: account.id, parentId: null });

  const b = await client.createFolder('root', 'b');
  const changed = await client.request('PATCH', `/v1/nodes/${a.id}`, {
    json: { name: 'a2', parentId: b.id, properties: { colour: null, size: 'big' } },
    headers: { 'if-match': got.headers.etag ?? '' },
  });
  t.match(changed.json(), { name: 'a2', parentId: b.id, properties: { size: 'big' } });
  t.not(changed.headers.etag, got.headers.etag);
  const late = await client.request('PATCH', `/v1/nodes/${a.id}`, {
    json: { name: 'a3' },
    headers: { 'if-match': got.headers.etag ?? '' },
  });
  t.equal(late.problem().code, 'precondition_failed', 'no update is lost');
  t.equal(
    (await client.request('PATCH', `/v1/nodes/${b.id}`, { json: { parentId: a.id } })).problem().code,
    'would_cycle',
  );
  t.equal((await client.request('PATCH', '/v1/nodes/root', { json: { name: 'x' } })).status, 403);

  const other = await newPerson(stack.http);
  t.equal(
    (await other.client.request('GET', `/v1/nodes/${a.id}`)).problem().code,
    'not_found',
    "others' nodes are not there",
  );
  t.equal((await client.request('GET', '/v1/nodes/nonsense')).problem().code, 'invalid_parameter');

  const key = { 'idempotency-key': 'folder-1' };
  const one = await client.createFolder('root', 'c', { headers: key });
  const two = await client.createFolder('root', 'c', { headers: key });
  t.equal(two.id, one.id, 'a repeated request makes one folder');
  const three = await client.request('POST', '/v1/nodes/root/children', { json: { name: 'd' }, headers: key });
  t.equal(three.problem().code, 'idempotency_key_reused');
});

t.test('lists, copies, trash, search, usage', async (t) => {
  const { client } = await newPerson(stack.http);
  const folder = await client.createFolder('root', 'many');
  const names = ['B', 'a', 'ä', '\u{1f600}', '\uff5e', 'b', 'a b'];
  for (const name of names) await client.putChild(folder.id, name, name);
  const byBytes = [...names].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
  const listed: string[] = [];
  for await (const { name } of everyItem((cursor) =>
    client.children(folder.id, { limit: 2, ...(cursor && { cursor }) }),
  ))
    listed.push(name);
  t.same(listed, byBytes, 'pages in byte order');
  t.equal(
    (await client.request('GET', `/v1/nodes/${folder.id}/children?cursor=nonsense`)).problem().code,
    'invalid_cursor',
  );
  t.equal((await client.request('GET', `/v1/nodes/${folder.id}/children?limit=0`)).problem().code, 'invalid_query');
  t.same((await client.request('GET', '/v1/trash?page=1')).problem().errors, [
    { path: '/page', message: 'is not known here' },
  ]);
  const file = await client.putFile('many/b', 'b');
  t.equal((await client.request('GET', `/v1/nodes/${file.id}/children`)).problem().code, 'not_a_folder');

  const copied = await client.request('POST', `/v1/nodes/${file.id}/copy`, { json: { name: 'b copy' } });
  t.equal(copied.status, 201);
  t.match(
    copied.json(),
    { name: 'b copy', parentId: folder.id, sha256: file.sha256 },
    'into the same folder unless told otherwise',
  );
  t.equal(
    (await client.request('POST', `/v1/nodes/${file.id}/copy`, { json: { name: 'a' } })).problem().code,
    'name_taken',
  );
  const tree = await client.copy(folder.id, { parentId: 'root', name: 'many too' });
  t.equal((await client.children(tree.id)).items.length, names.length + 1);

  t.match(
    (await client.search('B COPY')).items.map(({ name }) => name),
    ['b copy', 'b copy'],
  );
  t.equal((await client.search('b c', { match: 'prefix', limit: 1 })).items.length, 1);
  t.equal((await client.request('GET', '/v1/search')).problem().code, 'invalid_query');
  t.equal((await client.request('GET', '/v1/search?q=a&match=exact')).problem().code, 'invalid_query');

  const before = await client.usage();
  t.match(before, { files: 16, folders: 2, trashBytes: 0, versionBytes: 1 });
  await client.deleteNode(tree.id);
  t.equal(
    (await client.request('GET', `/v1/nodes/${tree.id}/children`)).problem().code,
    'not_found',
    'below the trash nothing is there',
  );
  t.match((await client.trash()).items, [{ id: tree.id }]);
  t.equal((await client.usage()).usedBytes, before.usedBytes, 'the trash counts');
  await client.createFolder('root', 'many too');
  const restored = await client.restore(tree.id);
  t.equal(restored.trashedAt, null);
  t.not(restored.name, 'many too', 'under a free name where the old one is taken');
  t.equal(
    (await client.request('DELETE', `/v1/nodes/${tree.id}`, { headers: { 'if-match': '"r1"' } })).problem().code,
    'precondition_failed',
  );
  await client.deleteNode(tree.id, { permanent: true });
  t.equal((await client.request('GET', `/v1/nodes/${tree.id}`)).problem().code, 'not_found');
  await client.deleteFile('many/b copy');
  await client.emptyTrash();
  t.same((await client.trash()).items, []);
});

t.test('versions', async (t) => {
  const { client } = await newPerson(stack.http);
  const { id } = await client.putFile('v.txt', 'one');
  await client.putFile('v.txt', 'second');
  const [old] = await client.versions(id);
  t.match(old, { id: String, size: 3, mime: 'text/plain; charset=utf-8' });
  const version = old?.id ?? '';
  const content = await client.downloadVersion(id, version);
  t.equal(content.text(), 'one');
  t.equal(content.headers.etag, `"${old?.etag}"`);
  const part = await client.request('GET', `/v1/nodes/${id}/versions/${version}/content`, {
    headers: { range: 'bytes=1-' },
  });
  t.same([part.status, part.text()], [206, 'ne']);
  t.equal((await client.restoreVersion(id, version)).size, 3);
  t.equal((await client.getFile('v.txt')).text(), 'one');
  t.equal((await client.versions(id)).length, 2, 'the current one became a version');
  t.equal((await client.request('GET', `/v1/nodes/${id}/versions/${id}/content`)).problem().code, 'not_found');
});

t.test('operators', async (t) => {
  const person = await newPerson(stack.http);
  t.equal((await person.client.request('GET', '/v1/admin/accounts')).problem().code, 'forbidden');
  t.equal(
    (
      await person.client.request('PATCH', `/v1/admin/accounts/${person.account.id}`, { json: { limitBytes: 1 } })
    ).problem().code,
    'forbidden',
  );
  const operator: Person = await stack.operator();
  const { items } = await operator.client.findAccounts(person.account.username.toUpperCase());
  t.match(items, [{ id: person.account.id, suspended: false, usage: { usedBytes: 0, limitBytes: 104_857_600 } }]);
  t.equal((await operator.client.updateAccount(person.account.id, { limitBytes: 10 })).usage.limitBytes, 10);
  t.equal(
    (await person.client.request('PUT', '/v1/files/x', { body: 'more than ten' })).problem().code,
    'quota_exceeded',
  );
  t.equal(
    (await operator.client.request('GET', `/v1/nodes/${person.account.id}`)).problem().code,
    'not_found',
    'and no right to the files',
  );

  t.equal((await operator.client.updateAccount(person.account.id, { suspended: true })).suspended, true);
  await refused(t, `Bearer ${person.session.accessToken}`, 'a suspended account is refused');
  const login = { login: person.account.username, password: PASSWORD };
  t.equal((await nobody.request('POST', '/v1/sessions', { json: login })).problem().code, 'account_suspended');
  await operator.client.updateAccount(person.account.id, { suspended: false });
  t.equal((await nobody.request('POST', '/v1/sessions', { json: login })).status, 201);
  t.equal(
    (await operator.client.request('PATCH', `/v1/admin/accounts/${operator.account.id}`, { json: { suspended: true } }))
      .status,
    403,
  );
  const none = '01900000-0000-7000-8000-000000000000';
  t.equal(
    (await operator.client.request('PATCH', `/v1/admin/accounts/${none}`, { json: { limitBytes: 1 } })).problem().code,
    'not_found',
  );
});

t.test('what every answer has', async (t) => {
  const home = await nobody.request('GET', '/');
  t.match(home.json(), { status: true }, 'the health of the API that has this path, for programs');
  t.match((await nobody.request('GET', '/', { headers: { accept: 'text/html' } })).text(), /href="\/docs"/);
  t.same((await nobody.request('GET', '/readyz')).json(), { status: 'ready' });
  t.equal((await nobody.request('GET', '/metrics')).status, 404, 'figures are for the inside');
  for (const path of ['/', '/nothing', '/v1/me', '/v1/files/%zz', '/v1/openapi.json']) {
    t.match((await nobody.request('GET', path)).headers['x-request-id'], /^[\w.-]{8,}$/, path);
  }
  const sent = await nobody.request('GET', '/nothing', { headers: { 'x-request-id': 'my-request-1' } });
  t.same([sent.headers['x-request-id'], sent.problem().requestId], ['my-request-1', 'my-request-1']);
  t.same([sent.status, sent.problem().code], [404, 'not_found']);
  const wrong = await nobody.request('POST', '/v1/me', { json: {} });
  t.same([wrong.status, wrong.headers.allow], [405, 'DELETE, GET, HEAD, PATCH']);
  t.equal((await nobody.request('GET', `/v1/files/${'x'.repeat(9_000)}`)).problem().code, 'uri_too_long');
  t.equal(
    (await nobody.request('GET', '/', { headers: { 'x-big': 'x'.repeat(20_000) } })).problem().code,
    'headers_too_large',
  );
  const big = await nobody.request('POST', '/v1/accounts', {
    body: `"${'x'.repeat(2_000_000)}"`,
    headers: { 'content-type': 'application/json' },
  });
  t.equal(big.problem().code, 'too_large');
  t.equal(
    (
      await nobody.request('POST', '/v1/accounts', { body: '{', headers: { 'content-type': 'application/json' } })
    ).problem().code,
    'invalid_body',
  );
  t.equal(
    (await nobody.request('POST', '/v1/accounts', { body: 'x', headers: { 'content-type': 'text/plain' } })).problem()
      .code,
    'unsupported_media_type',
  );
});

t.test('the OpenAPI document', async (t) => {
  interface Operation {
    operationId: string;
    responses: Record<string, unknown>;
    security?: unknown[];
  }
  interface Document {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, unknown> };
  }
  const document = (await nobody.request('GET', '/v1/openapi.json')).json<Document>();
  t.equal(document.openapi, '3.1.0');
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const table = [
    'POST /v1/accounts',
    'GET /v1/me',
    'PATCH /v1/me',
    'PUT /v1/me/password',
    'POST /v1/sessions',
    'POST /v1/sessions/refresh',
    'GET /v1/sessions',
    'DELETE /v1/sessions/{id}',
    'DELETE /v1/sessions',
    'GET /v1/keys',
    'POST /v1/keys',
    'DELETE /v1/keys/{id}',
    'GET /v1/usage',
    'GET /v1/nodes/{id}',
    'PATCH /v1/nodes/{id}',
    'DELETE /v1/nodes/{id}',
    'GET /v1/nodes/{id}/children',
    'POST /v1/nodes/{id}/children',
    'GET /v1/nodes/{id}/content',
    'HEAD /v1/nodes/{id}/content',
    'PUT /v1/nodes/{id}/content',
    'PUT /v1/nodes/{id}/children/{name}',
    'POST /v1/nodes/{id}/copy',
    'POST /v1/nodes/{id}/restore',
    'GET /v1/nodes/{id}/access',
    'PUT /v1/nodes/{id}/grants/{account}',
    'DELETE /v1/nodes/{id}/grants/{account}',
    'GET /v1/shared',
    'GET /v1/trash',
    'DELETE /v1/trash',
    'GET /v1/nodes/{id}/versions',
    'GET /v1/nodes/{id}/versions/{version}/content',
    'HEAD /v1/nodes/{id}/versions/{version}/content',
    'POST /v1/nodes/{id}/versions/{version}/restore',
    'GET /v1/files/{path}',
    'HEAD /v1/files/{path}',
    'PUT /v1/files/{path}',
    'DELETE /v1/files/{path}',
    'GET /v1/search',
    'GET /v1/admin/accounts',
    'PATCH /v1/admin/accounts/{id}',
    'DELETE /v1/admin/accounts/{id}',
    'DELETE /v1/admin/queues/{queue}/jobs/{jobId}',
    'DELETE /v1/me',
    'DELETE /v1/nodes/{id}/links/{linkId}',
    'GET /v1/admin/accounts/{id}',
    'GET /v1/admin/audit',
    'GET /v1/admin/payments',
    'GET /v1/admin/queues',
    'GET /v1/admin/queues/{queue}/jobs',
    'GET /v1/admin/usage',
    'GET /v1/links/{token}',
    'GET /v1/links/{token}/archive',
    'GET /v1/links/{token}/children',
    'GET /v1/links/{token}/children/{nodeId}/content',
    'GET /v1/links/{token}/content',
    'GET /v1/nodes/{id}/archive',
    'GET /v1/nodes/{id}/links',
    'GET /v1/payments',
    'GET /v1/payments/{id}',
    'GET /v1/plans',
    'GET /v1/signed/{token}/{name}',
    'GET /v1/subscription',
    'HEAD /v1/links/{token}/archive',
    'HEAD /v1/links/{token}/children/{nodeId}/content',
    'HEAD /v1/links/{token}/content',
    'HEAD /v1/nodes/{id}/archive',
    'HEAD /v1/signed/{token}/{name}',
    'PATCH /v1/nodes/{id}/links/{linkId}',
    'POST /v1/admin/accounts/{id}/reset',
    'POST /v1/admin/ledger/check',
    'POST /v1/admin/payments/{id}/reverse',
    'POST /v1/admin/queues/{queue}/jobs/{jobId}/retry',
    'POST /v1/admin/store/check',
    'POST /v1/checkouts',
    'POST /v1/nodes/{id}/links',
    'POST /v1/nodes/{id}/signed-url',
    'POST /v1/nodes/{id}/signed-urls/revoke',
    'POST /v1/subscription/cancel',
    'POST /v1/webhooks/{provider}',
    'PUT /v1/admin/accounts/{id}/plan',
    'PUT /v1/links/{token}/children/{name}',
    'PUT /v1/signed/{token}',
  ];
  t.same(routes.sort(), table.sort(), 'every route, and no other');
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  t.equal(
    new Set(operations.map(({ operationId }) => operationId)).size,
    operations.length,
    'operation ids are unique',
  );
  t.ok(operations.every(({ responses }) => responses['4XX'] !== undefined && responses['5XX'] !== undefined));
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    t.ok(document.components.schemas[name ?? ''], `${name} is there`);

  const page = (await nobody.request('GET', '/docs/')).text();
  t.notMatch(page, /(?:src|href)="(?:https?:)?\/\//, 'the page loads nothing from elsewhere');
  for (const [, path] of page.matchAll(/(?:src|href)="\.\/([^"]+)"/g))
    t.equal((await nobody.request('GET', `/docs/${path}`)).status, 200, `${path}`);
});
