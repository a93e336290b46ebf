/** Every route of the native API once, as a client meets it: what it answers when all is well, and its main refusals. */
import { createHash } from 'node:crypto';
import t from 'tap';
import {
  Client,
  everyItem,
  multipart,
  newPerson,
  PASSWORD,
  sha256,
  someBytes,
  startTestStack,
  uniqueName,
  waitFor,
  walk,
} from '../src/index.ts';
import { refused } from './refused.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const nobody = new Client(stack.http);
const ABSENT = '00000000-0000-7000-8000-000000000000';

const NODE_KEYS = [
  'createdAt',
  'etag',
  'generalAccess',
  'id',
  'kind',
  'mime',
  'modifiedAt',
  'name',
  'ownerId',
  'parentId',
  'properties',
  'rev',
  'role',
  'sha256',
  'size',
  'trashedAt',
];
const keysOf = (value: object): string[] => Object.keys(value).sort();

t.test('accounts', async (t) => {
  const username = uniqueName('Ada');
  const account = { username, email: `${username}@Example.org`, password: PASSWORD };
  const made = await nobody.request('POST', '/v1/accounts', { json: account });
  t.equal(made.status, 201, made.text());
  t.match(made.json(), { username, role: 'user', id: String, createdAt: String });
  t.notMatch(made.text(), PASSWORD);
  const taken = { ...account, username: username.toUpperCase(), email: `x${account.email}` };
  refused(t, await nobody.request('POST', '/v1/accounts', { json: taken }), 409, 'username_taken');
  const mail = { ...account, username: uniqueName(), email: account.email.toUpperCase() };
  refused(t, await nobody.request('POST', '/v1/accounts', { json: mail }), 409, 'email_taken');
  const weak = { ...account, username: uniqueName(), email: `y${account.email}`, password: 'short' };
  refused(t, await nobody.request('POST', '/v1/accounts', { json: weak }), 400, 'weak_password');

  const again = { username: uniqueName(), email: `${uniqueName()}@example.org`, password: PASSWORD };
  const headers = { 'idempotency-key': uniqueName('k') };
  const first = await nobody.request('POST', '/v1/accounts', { json: again, headers });
  const second = await nobody.request('POST', '/v1/accounts', { json: again, headers });
  t.strictSame([first.status, second.status], [201, 201], second.text());
  t.strictSame(second.json(), first.json(), 'a repeat with the same key answers the same account');
  const other = await nobody.request('POST', '/v1/accounts', { json: { ...again, username: uniqueName() }, headers });
  refused(t, other, 422, 'idempotency_key_reused');

  const { client, account: mine } = await newPerson(stack.http);
  t.strictSame(await client.me(), mine);
  const renamed = await client.updateMe({ username: uniqueName('Bea') });
  t.equal((await client.me()).username, renamed.username);
  t.equal(renamed.id, mine.id);
  refused(t, await client.request('PATCH', '/v1/me', { json: { username } }), 409, 'username_taken');
  refused(t, await nobody.request('GET', '/v1/me'), 401, 'unauthorized');
});

t.test('passwords', async (t) => {
  const { client, account, password } = await newPerson(stack.http);
  const other = await nobody.logIn(account.username, password);
  const wrong = { currentPassword: 'wrong wrong wrong', newPassword: 'another good password' };
  refused(t, await client.request('PUT', '/v1/me/password', { json: wrong }), 401, 'invalid_credentials');
  await client.changePassword(password, 'another good password');
  t.equal((await client.me()).id, account.id, 'the session that changed it lives on');
  await waitFor('the other session to end', async () => {
    const reply = await nobody.as(`Bearer ${other.accessToken}`).request('GET', '/v1/me');
    return reply.status === 401;
  });
  refused(
    t,
    await nobody.request('POST', '/v1/sessions', { json: { login: account.username, password } }),
    401,
    'invalid_credentials',
  );
  t.ok(
    (await nobody.logIn(account.email?.toUpperCase() ?? '', 'another good password')).accessToken,
    'by e-mail, ignoring case',
  );
});

t.test('sessions', async (t) => {
  const { client, account, session, password } = await newPerson(stack.http);
  t.strictSame(keysOf(session), ['accessToken', 'expiresAt', 'refreshToken', 'sessionId', 'tokenType']);
  t.equal(session.tokenType, 'Bearer');
  t.ok(Date.parse(session.expiresAt) > Date.now());
  const renewed = await nobody.refresh(session.refreshToken);
  t.equal(renewed.sessionId, session.sessionId);
  t.not(renewed.refreshToken, session.refreshToken);
  const second = await nobody.logIn(account.username, password);
  const third = await nobody.logIn(account.username, password);
  const ids = (await client.sessions()).items.map(({ id }) => id).sort();
  t.strictSame(ids, [session.sessionId, second.sessionId, third.sessionId].sort());
  await client.endSession(second.sessionId);
  refused(t, await client.request('DELETE', `/v1/sessions/${ABSENT}`), 404, 'not_found');
  await client.endOtherSessions();
  t.strictSame(
    (await client.sessions()).items.map(({ id }) => id),
    [session.sessionId],
  );
  refused(
    t,
    await nobody.request('POST', '/v1/sessions', { json: { login: 'nobody-at-all', password } }),
    401,
    'invalid_credentials',
  );
  refused(
    t,
    await nobody.request('POST', '/v1/sessions/refresh', { json: { refreshToken: 'made-up' } }),
    401,
    'invalid_token',
  );
});

t.test('API keys', async (t) => {
  const { client, account } = await newPerson(stack.http);
  const full = await client.createKey({ name: 'laptop', access: 'full' });
  const reader = await client.createKey({
    name: 'reader',
    access: 'read-only',
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  });
  const listed = (await client.keys()).items;
  t.strictSame(listed.map(({ name }) => name).sort(), ['laptop', 'reader']);
  t.notOk(
    listed.some((key) => 'secret' in key),
    'a secret is shown once',
  );
  const basic = `Basic ${Buffer.from(`${full.id}:${full.secret}`).toString('base64')}`;
  for (const authorization of [basic, `Bearer ${full.id}.${full.secret}`]) {
    t.equal((await nobody.as(authorization).me()).id, account.id, authorization.split(' ')[0] ?? '');
  }
  t.equal((await nobody.as(basic).putFile('by-key.txt', 'x')).name, 'by-key.txt');
  const onlyReads = nobody.as(`Bearer ${reader.id}.${reader.secret}`);
  t.equal((await onlyReads.getFile('by-key.txt')).text(), 'x');
  refused(t, await onlyReads.request('PUT', '/v1/files/no.txt', { body: 'x' }), 403, 'read_only');
  refused(t, await onlyReads.request('DELETE', '/v1/files/by-key.txt'), 403, 'read_only');
  await client.deleteKey(full.id);
  refused(t, await client.request('DELETE', `/v1/keys/${full.id}`), 404, 'not_found');
  await waitFor('the key to be refused', async () => (await nobody.as(basic).request('GET', '/v1/me')).status === 401);
});

t.test('folders and nodes', async (t) => {
  const { client, account } = await newPerson(stack.http);
  const root = await client.node('root');
  t.strictSame(keysOf(root), NODE_KEYS);
  t.match(root, { kind: 'folder', parentId: null, ownerId: account.id, role: 'owner' });
  const folder = await client.createFolder('root', 'Fotos 📷', { properties: { colour: 'red' } });
  t.strictSame(keysOf(folder), NODE_KEYS);
  t.match(folder, {
    kind: 'folder',
    name: 'Fotos 📷',
    size: null,
    mime: null,
    sha256: null,
    properties: { colour: 'red' },
  });
  t.equal(folder.parentId, root.id);
  refused(
    t,
    await client.request('POST', '/v1/nodes/root/children', { json: { name: 'Fotos 📷' } }),
    409,
    'name_taken',
  );
  const got = await client.request('GET', `/v1/nodes/${folder.id}`);
  t.strictSame(got.json(), folder);
  const etag = got.headers.etag ?? '';
  t.match(etag, /^"[^"]+"$/);
  const renamed = await client.updateNode(
    folder.id,
    { name: 'Photos', properties: { colour: null, size: 'L' } },
    { headers: { 'if-match': etag } },
  );
  t.match(renamed, { name: 'Photos', properties: { size: 'L' } });
  t.notHas(renamed.properties, { colour: 'red' });
  t.ok(renamed.rev > folder.rev);
  refused(
    t,
    await client.request('PATCH', `/v1/nodes/${folder.id}`, { json: { name: 'Late' }, headers: { 'if-match': etag } }),
    412,
    'precondition_failed',
  );
  const inner = await client.createFolder(folder.id, 'inner');
  refused(
    t,
    await client.request('PATCH', `/v1/nodes/${folder.id}`, { json: { parentId: inner.id } }),
    409,
    'would_cycle',
  );
  refused(
    t,
    await client.request('PATCH', `/v1/nodes/${folder.id}`, { json: { parentId: folder.id } }),
    409,
    'would_cycle',
  );
  refused(t, await client.request('PATCH', '/v1/nodes/root', { json: { name: 'x' } }), 403, 'forbidden');
  refused(t, await client.request('GET', `/v1/nodes/${ABSENT}`), 404, 'not_found');
  const stranger = await newPerson(stack.http);
  refused(
    t,
    await stranger.client.request('GET', `/v1/nodes/${folder.id}`),
    404,
    'not_found',
    'what is not yours is not there',
  );
  refused(t, await stranger.client.request('DELETE', `/v1/nodes/${folder.id}`), 404, 'not_found');
});

t.test('uploads and lists', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = someBytes(3000);
  const file = await client.upload('root', 'a.bin', bytes);
  t.match(file, { kind: 'file', name: 'a.bin', size: 3000, sha256: sha256(bytes) });
  const form = multipart([{ part: 'file', filename: 'a.bin', mime: 'text/plain', bytes: 'again' }]);
  const headers = { 'content-type': form.contentType };
  refused(t, await client.request('POST', '/v1/nodes/root/children', { headers, body: form.body }), 409, 'name_taken');
  const put = await client.request('PUT', '/v1/nodes/root/children/b.txt', {
    body: 'one',
    headers: { 'content-type': 'text/plain' },
  });
  t.equal(put.status, 201);
  t.match(put.json(), { name: 'b.txt', mime: /^text\/plain/, size: 3 });
  const replaced = await client.request('PUT', '/v1/nodes/root/children/b.txt', { body: 'three' });
  t.equal(replaced.status, 200);
  t.match(replaced.json(), { size: 5 });
  const b = replaced.json<{ id: string; etag: string }>();
  t.equal((await client.replaceContent(b.id, 'four!!')).size, 6);
  refused(
    t,
    await client.request('PUT', `/v1/nodes/${b.id}/content`, { body: 'late', headers: { 'if-match': `"${b.etag}"` } }),
    412,
    'precondition_failed',
  );
  refused(t, await client.request('PUT', '/v1/nodes/root/content', { body: 'x' }), 409, 'not_a_file');
  refused(t, await client.request('PUT', `/v1/nodes/${b.id}/children/x`, { body: 'x' }), 409, 'not_a_folder');
  refused(t, await client.request('GET', `/v1/nodes/${b.id}/children`), 409, 'not_a_folder');

  for (const name of ['Z', 'é', 'a', '😀', 'ｚ']) await client.createFolder('root', name);
  const names: string[] = [];
  for await (const { name } of everyItem((cursor) => client.children('root', { limit: 2, ...(cursor && { cursor }) })))
    names.push(name);
  const inByteOrder = ['Z', 'a', 'a.bin', 'b.txt', 'é', 'ｚ', '😀'].sort((x, y) =>
    Buffer.compare(Buffer.from(x), Buffer.from(y)),
  );
  // A folder's place is that of its name with a slash behind it, so that `a/…` comes after `a.bin`.
  const withSlash = inByteOrder.filter((name) => name !== 'a').toSpliced(inByteOrder.indexOf('a.bin'), 0, 'a');
  t.strictSame(names, withSlash);

  const key = { 'idempotency-key': uniqueName('k') };
  const once = await client.createFolder('root', 'once', { headers: key });
  const twice = await client.createFolder('root', 'once', { headers: key });
  t.equal(twice.id, once.id, 'a repeat with the same key makes no second folder');
});

t.test('downloads', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = someBytes(200_000);
  const file = await client.putFile('dir/na"me é.bin', bytes, { headers: { 'content-type': 'application/x-thing' } });
  const path = `/v1/nodes/${file.id}/content`;
  const whole = await client.download(file.id);
  t.equal(sha256(whole.body), sha256(bytes));
  const { headers } = whole;
  t.match(headers, { 'accept-ranges': 'bytes', 'content-length': '200000', 'content-type': 'application/x-thing' });
  t.equal(headers.etag, `"${file.etag}"`);
  t.equal(headers['x-content-type-options'], 'nosniff');
  t.match(headers['content-security-policy'], /sandbox/);
  t.ok(Number.isFinite(Date.parse(headers['last-modified'] ?? '')));
  const saved = await client.request('GET', path, { query: { download: '' } });
  t.match(saved.headers['content-disposition'], /^attachment; filename=".*"; filename\*=UTF-8''na%22me%20%C3%A9\.bin$/);

  const head = await client.request('HEAD', path);
  t.strictSame([head.status, head.headers['content-length'], head.body.length], [200, '200000', 0]);
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=199990-', 199_990, 200_000],
    ['bytes=-5', 199_995, 200_000],
    ['bytes=199999-999999999', 199_999, 200_000],
  ] as const) {
    const part = await client.request('GET', path, { headers: { range } });
    t.equal(part.status, 206, range);
    t.equal(part.headers['content-range'], `bytes ${from}-${to - 1}/200000`);
    t.ok(part.body.equals(bytes.subarray(from, to)), `${range} brings these bytes`);
  }
  const beyond = await client.request('GET', path, { headers: { range: 'bytes=200000-' } });
  refused(t, beyond, 416, 'range_not_satisfiable');
  t.equal(beyond.headers['content-range'], 'bytes */200000');
  const stale = await client.request('GET', path, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
  t.equal(stale.status, 200, 'a range of another version is the whole of this one');
  for (const condition of [
    { 'if-none-match': `"${file.etag}"` },
    { 'if-modified-since': headers['last-modified'] ?? '' },
  ]) {
    const reply = await client.request('GET', path, { headers: condition });
    t.strictSame([reply.status, reply.body.length], [304, 0], JSON.stringify(condition));
  }
  refused(t, await client.request('GET', '/v1/nodes/root/content'), 409, 'not_a_file');

  const empty = await client.putFile('empty', '');
  t.strictSame([empty.size, (await client.download(empty.id)).body.length], [0, 0]);
  refused(
    t,
    await client.request('GET', `/v1/nodes/${empty.id}/content`, { headers: { range: 'bytes=0-' } }),
    416,
    'range_not_satisfiable',
  );
});

t.test('digests', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = someBytes(100_000);
  const other = createHash('sha256').update('other').digest('base64');
  for (const size of [1000, 100_000]) {
    const body = bytes.subarray(0, size);
    const right = createHash('sha256').update(body).digest('base64');
    const md5 = createHash('md5').update(body).digest('base64');
    for (const [header, value] of [
      ['repr-digest', `sha-256=:${right}:`],
      ['content-digest', `sha-256=:${right}:`],
      ['content-md5', md5],
    ] as const) {
      t.equal((await client.putFile(`${header}-${size}`, body, { headers: { [header]: value } })).size, size);
    }
    for (const [header, value] of [
      ['repr-digest', `sha-256=:${other}:`],
      ['content-digest', `sha-256=:${other}:`],
      ['content-md5', createHash('md5').update('other').digest('base64')],
    ] as const) {
      refused(
        t,
        await client.request('PUT', '/v1/files/wrong', { body, headers: { [header]: value } }),
        400,
        'digest_mismatch',
      );
    }
  }
  refused(t, await client.request('GET', '/v1/files/wrong'), 404, 'not_found');
});

t.test('by path', async (t) => {
  const { client } = await newPerson(stack.http);
  const made = await client.request('PUT', '/v1/files/trips/2026/a%20b%25.txt', { body: 'hello' });
  t.equal(made.status, 201);
  t.match(made.json(), { name: 'a b%.txt' });
  t.equal((await client.request('PUT', '/v1/files/trips/2026/a%20b%25.txt', { body: 'again' })).status, 200);
  t.equal((await client.getFile('trips/2026/a b%.txt')).text(), 'again');
  t.equal((await client.request('HEAD', '/v1/files/trips/2026/a%20b%25.txt')).headers['content-length'], '5');
  const folder = await client.request('PUT', '/v1/files/trips/2027/');
  t.equal(folder.status, 201);
  t.match(folder.json(), { kind: 'folder', name: '2027' });
  t.equal((await client.request('PUT', '/v1/files/trips/2027/')).status, 200);
  const listed = await client.request('GET', '/v1/files/trips/');
  t.strictSame(
    listed.json<{ items: { name: string }[] }>().items.map(({ name }) => name),
    ['2026', '2027'],
  );

  // A file and a folder of one name stand side by side, as object keys do.
  await client.putFile('twin', 'file');
  await client.putFile('twin/inside', 'in the folder');
  t.equal((await client.getFile('twin')).text(), 'file');
  t.equal((await client.getFile('twin/inside')).text(), 'in the folder');
  await client.deleteFile('twin');
  t.equal((await client.getFile('twin/inside')).text(), 'in the folder');

  await client.deleteFile('trips/', { permanent: true });
  refused(t, await client.request('GET', '/v1/files/trips/2026/a%20b%25.txt'), 404, 'not_found');
  refused(t, await client.request('DELETE', '/v1/files/trips/'), 404, 'not_found');
  const once = { 'if-none-match': '*' };
  t.equal((await client.request('PUT', '/v1/files/new', { body: '1', headers: once })).status, 201);
  refused(t, await client.request('PUT', '/v1/files/new', { body: '2', headers: once }), 412, 'precondition_failed');
});

t.test('copies', async (t) => {
  const { client } = await newPerson(stack.http);
  const file = await client.putFile('src/deep/x.txt', 'bytes');
  await client.putFile('src/y.txt', 'more');
  const src = (await client.children('root')).items.find(({ name }) => name === 'src');
  const copy = await client.copy(file.id, { parentId: 'root', name: 'x-copy.txt' });
  t.not(copy.id, file.id);
  t.equal((await client.getFile('x-copy.txt')).text(), 'bytes');
  refused(
    t,
    await client.request('POST', `/v1/nodes/${file.id}/copy`, { json: { parentId: 'root', name: 'x-copy.txt' } }),
    409,
    'name_taken',
  );
  await client.copy(src?.id ?? '', { parentId: 'root', name: 'dst' });
  const paths: string[] = [];
  for await (const { path } of walk(client)) paths.push(path);
  t.strictSame(paths.filter((path) => path.startsWith('/dst')).sort(), [
    '/dst',
    '/dst/deep',
    '/dst/deep/x.txt',
    '/dst/y.txt',
  ]);
  t.equal((await client.getFile('dst/deep/x.txt')).text(), 'bytes');
  await client.putFile('src/deep/x.txt', 'changed');
  t.equal((await client.getFile('dst/deep/x.txt')).text(), 'bytes', 'a copy is one of its own');
  const usage = await client.usage();
  t.strictSame([usage.liveBytes, usage.versionBytes, usage.files], [5 + 4 + 5 + 2 + 4 + 5, 5, 5]);
});

t.test('trash', async (t) => {
  const { client } = await newPerson(stack.http);
  const file = await client.putFile('folder/file.txt', '12345');
  const folder = await client.node(file.parentId ?? '');
  await client.deleteNode(folder.id);
  refused(
    t,
    await client.request('GET', `/v1/nodes/${file.id}`),
    404,
    'not_found',
    'below a trashed folder nothing is there',
  );
  refused(t, await client.request('GET', '/v1/files/folder/file.txt'), 404, 'not_found');
  const trash = await client.trash();
  t.match(trash, { items: [{ id: folder.id, trashedAt: String }], nextCursor: null });
  t.match(await client.usage(), { usedBytes: 5, liveBytes: 0, trashBytes: 5 });
  await client.createFolder('root', 'folder');
  const restored = await client.restore(folder.id);
  t.not(restored.name, 'folder', 'the name was taken meanwhile');
  t.equal(restored.trashedAt, null);
  t.equal((await client.download(file.id)).text(), '12345');
  refused(t, await client.request('POST', `/v1/nodes/${ABSENT}/restore`), 404, 'not_found');

  await client.deleteNode(folder.id);
  await client.deleteNode((await client.putFile('gone.txt', 'x')).id, { permanent: true });
  t.strictSame(
    (await client.trash()).items.map(({ id }) => id),
    [folder.id],
  );
  await client.emptyTrash();
  t.strictSame((await client.trash()).items, []);
  await waitFor('the space to be given back', async () => (await client.usage()).usedBytes === 0);
  refused(t, await client.request('POST', `/v1/nodes/${folder.id}/restore`), 404, 'not_found');
  refused(t, await client.request('DELETE', '/v1/nodes/root'), 403, 'forbidden');
});

t.test('versions', async (t) => {
  const { client } = await newPerson(stack.http);
  const first = await client.putFile('doc.txt', 'first');
  await client.putFile('doc.txt', 'second!');
  await client.putFile('doc.txt', 'third');
  const versions = await client.versions(first.id);
  t.strictSame(
    versions.map(({ size }) => size),
    [7, 5],
    'the newest first, the current one not among them',
  );
  const [, oldest] = versions;
  const id = oldest?.id ?? '';
  t.equal((await client.downloadVersion(first.id, id)).text(), 'first');
  const part = await client.downloadVersion(first.id, id, { headers: { range: 'bytes=1-2' } });
  t.strictSame([part.status, part.text()], [206, 'ir']);
  t.equal(
    (await client.request('HEAD', `/v1/nodes/${first.id}/versions/${id}/content`)).headers['content-length'],
    '5',
  );
  const restored = await client.restoreVersion(first.id, id);
  t.equal(restored.etag, first.etag);
  t.equal((await client.getFile('doc.txt')).text(), 'first');
  t.equal((await client.versions(first.id)).length, 3, 'what was current is a version now');
  refused(t, await client.request('GET', `/v1/nodes/${first.id}/versions/${ABSENT}/content`), 404, 'not_found');
  refused(t, await client.request('POST', `/v1/nodes/${first.id}/versions/${ABSENT}/restore`), 404, 'not_found');
  refused(t, await client.request('GET', '/v1/nodes/root/versions'), 409, 'not_a_file');
});

t.test('search', async (t) => {
  const { client } = await newPerson(stack.http);
  for (const name of ['Holiday plan.txt', 'plan-b', 'x/deep holiday', 'other', '50% (a+b).*'])
    await client.putFile(name, 'x');
  const names = async (q: string, match?: string) =>
    (await client.search(q, match === undefined ? {} : { match })).items.map(({ name }) => name).sort();
  t.strictSame(await names('plan'), ['Holiday plan.txt', 'plan-b']);
  t.strictSame(await names('HOLIDAY'), ['Holiday plan.txt', 'deep holiday']);
  t.strictSame(await names('plan', 'prefix'), ['plan-b']);
  t.strictSame(await names('(a+b).*'), ['50% (a+b).*'], 'no pattern language');
  t.strictSame(await names('.*plan'), []);
  const found = [];
  for await (const node of everyItem((cursor) => client.search('plan', { limit: 1, ...(cursor && { cursor }) })))
    found.push(node.name);
  t.equal(found.length, 2);
  const { client: stranger } = await newPerson(stack.http);
  t.strictSame((await stranger.search('plan')).items, []);
});

t.test('quota', { skip: stack.hasOperator ? false : 'no operator is known' }, async (t) => {
  const { client, account } = await newPerson(stack.http);
  const { client: operator } = await stack.operator();
  await operator.updateAccount(account.id, { limitBytes: 1000 });
  t.equal((await client.usage()).limitBytes, 1000);
  await client.putFile('a', someBytes(900));
  refused(t, await client.request('PUT', '/v1/files/b', { body: someBytes(101) }), 507, 'quota_exceeded');
  refused(t, await client.request('GET', '/v1/files/b'), 404, 'not_found');
  t.equal((await client.putFile('b', someBytes(100))).size, 100, 'to the last byte');
  t.equal((await client.usage()).usedBytes, 1000);
});

t.test('operators', { skip: stack.hasOperator ? false : 'no operator is known' }, async (t) => {
  const { client: operator, account: own } = await stack.operator();
  t.equal(own.role, 'operator');
  const { client, account } = await newPerson(stack.http);
  const found = (await operator.findAccounts(account.username.slice(0, 12))).items;
  t.match(found, [{ id: account.id, suspended: false, usage: { usedBytes: 0 } }]);
  const changed = await operator.updateAccount(account.id, { limitBytes: 12_345 });
  t.equal(changed.usage.limitBytes, 12_345);
  refused(t, await client.request('GET', '/v1/admin/accounts'), 403, 'forbidden');
  refused(
    t,
    await client.request('PATCH', `/v1/admin/accounts/${account.id}`, { json: { limitBytes: 1 } }),
    403,
    'forbidden',
  );
  refused(
    t,
    await operator.request('PATCH', `/v1/admin/accounts/${ABSENT}`, { json: { limitBytes: 1 } }),
    404,
    'not_found',
  );
});

t.test('the rest', async (t) => {
  const document = (await nobody.request('GET', '/v1/openapi.json')).json<{
    openapi: string;
    paths: Record<string, object>;
  }>();
  t.match(document.openapi, /^3\.1/);
  for (const path of [
    '/v1/accounts',
    '/v1/me',
    '/v1/nodes/{id}',
    '/v1/search',
    '/v1/trash',
    '/v1/admin/accounts/{id}',
  ]) {
    t.ok(document.paths[path], `${path} is documented`);
  }
  t.match((await nobody.request('GET', '/docs/')).headers['content-type'], /^text\/html/);
  t.equal((await nobody.request('GET', '/healthz')).status, 200);
  t.equal((await nobody.request('GET', '/readyz')).status, 200);
  const lost = await nobody.request('GET', '/v1/nowhere');
  refused(t, lost, 404, 'not_found');
  const method = await nobody.request('POST', '/v1/usage', { json: {} });
  refused(t, method, 405, 'method_not_allowed');
  t.match(method.headers.allow, /GET/);
});
