/** Links: what they give to whoever has them, how long, how often, and that they give nothing else. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import {
  eachOf,
  multipart,
  newPerson,
  type Reply,
  sha256,
  someBytes,
  startTestStack,
  tally,
  waitFor,
} from '../src/index.ts';
import { refused } from './refused.ts';

t.setTimeout(300_000);
const stack = await startTestStack();
t.teardown(() => stack.stop());

const { client, account } = await newPerson(stack.http);
const nobody = client.as(undefined);
const ABSENT = '00000000-0000-7000-8000-000000000000';
const HIDDEN = ['ownerId', 'createdBy', 'parentId', 'properties', 'role'];

const shared = (token: string, tail = '', headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> =>
  nobody.request(method, `/v1/links/${token}${tail}`, { headers });

t.test('a link to a file', async (t) => {
  const bytes = someBytes(5_000);
  const file = await client.putFile('report – final.pdf', bytes, { headers: { 'content-type': 'application/pdf' } });
  const link = await client.createLink(file.id, { role: 'viewer', note: 'For you' });
  t.equal(link.url, `${stack.url}/l/${link.token}`);
  t.match(link.token, /^[\w-]{27,}$/);
  t.match(link, { nodeId: file.id, downloads: 0, downloadsLeft: null, hasPassword: false, createdBy: account.id });
  const facts = {
    name: file.name,
    kind: 'file',
    size: 5_000,
    mime: 'application/pdf',
    role: 'viewer',
    note: 'For you',
  };
  t.match(await nobody.sharedLink(link.token), facts);
  const got = await shared(link.token, '/content');
  t.equal(sha256(got.body), sha256(bytes));
  t.match(got.headers, {
    'referrer-policy': 'no-referrer',
    etag: `"${file.etag}"`,
    'x-content-type-options': 'nosniff',
  });
  const part = await shared(link.token, '/content?download', { range: 'bytes=10-19' });
  t.strictSame([part.status, part.body], [206, bytes.subarray(10, 20)]);
  t.match(part.headers['content-disposition'], /^attachment/);
  const head = await shared(link.token, '/content', {}, 'HEAD');
  t.strictSame([head.status, head.headers['content-length'], head.body.length], [200, '5000', 0]);
  const same = await shared(link.token, '/content', { 'if-none-match': `"${file.etag}"` });
  t.equal(same.status, 304);
  const [listed] = await client.links(file.id);
  t.equal(listed?.downloads, 2, 'only answers with bytes in them count');
  t.notOk(JSON.stringify(listed).includes(link.token), 'the token is shown once');
  refused(t, await shared(link.token, '/children'), 409, 'not_a_folder');
  refused(t, await shared(link.token, `/children/${ABSENT}/content`), 404, 'not_found');
  refused(t, await shared(link.token, '/content', { range: 'bytes=9000-' }), 416, 'range_not_satisfiable');
  t.equal((await client.links(file.id))[0]?.downloads, 2, 'and refusals do not');
});

t.test('a link to a folder gives what is in it and nothing else', async (t) => {
  const top = await client.createFolder('root', 'album');
  const below = await client.createFolder(top.id, 'deep');
  const file = await client.putChild(below.id, 'a.txt', 'deep down', { headers: { 'content-type': 'text/plain' } });
  await client.putChild(top.id, 'b.txt', 'on top');
  const outside = await client.createFolder('root', 'outside');
  const secret = await client.putChild(outside.id, 'secret', 'mine');
  const { token } = await client.createLink(top.id, { role: 'viewer' });
  const first = await nobody.sharedChildren(token, { limit: 1 });
  const second = await nobody.sharedChildren(token, { limit: 1, cursor: first.nextCursor ?? '' });
  t.strictSame(
    [...first.items, ...second.items].map(({ name }) => name),
    ['b.txt', 'deep'],
  );
  const [shown] = (await nobody.sharedChildren(token, { parent: below.id })).items;
  t.match(shown, { id: file.id, name: 'a.txt', size: 9, etag: file.etag });
  t.strictSame(
    HIDDEN.filter((field) => field in (shown ?? {})),
    [],
    'whose it is is not said',
  );
  t.equal((await shared(token, `/children/${file.id}/content`)).text(), 'deep down');
  refused(t, await shared(token, `/children/${below.id}/content`), 409, 'not_a_file');
  refused(t, await shared(token, '/content'), 409, 'not_a_file');
  refused(t, await shared(token, `/children/${secret.id}/content`), 404, 'not_found');
  refused(t, await shared(token, `/children?parent=${outside.id}`), 404, 'not_found');
  refused(t, await shared(token, `/children?parent=${top.parentId}`), 404, 'not_found');
  refused(t, await nobody.request('PUT', `/v1/links/${token}/children/new`, { body: 'x' }), 403, 'forbidden');
  refused(t, await nobody.request('GET', `/v1/nodes/${file.id}/content`), 401, 'unauthorized');
  const zip = await shared(token, '/archive');
  t.equal(zip.headers['content-length'], String(zip.body.length));
  t.equal(zip.body.readUInt32LE(0), 0x04034b50);

  await client.updateNode(file.id, { parentId: outside.id });
  refused(t, await shared(token, `/children/${file.id}/content`), 404, 'not_found', 'what is moved away is not in it');
  await client.deleteNode(top.id);
  refused(t, await shared(token), 410, 'gone', 'in the trash it is not there');
  await client.restore(top.id);
  t.equal((await shared(token)).status, 200);
  await client.deleteNode(top.id, { permanent: true });
  refused(t, await shared(token), 410, 'gone');
});

t.test('a drop box takes files and shows nothing', async (t) => {
  const { client, account } = await newPerson(stack.http);
  const box = await client.createFolder('root', 'box');
  const mine = await client.putChild(box.id, 'mine.txt', 'kept');
  const { token } = await client.createLink(box.id, { role: 'dropbox' });
  const before = (await client.usage()).usedBytes;
  const put = (name: string, body: string, headers: Record<string, string> = {}) =>
    nobody.request('PUT', `/v1/links/${token}/children/${encodeURIComponent(name)}`, { body, headers });
  const reply = await put('mine.txt', 'other bytes');
  t.strictSame(
    [reply.status, reply.json()],
    [201, { name: 'mine.txt', size: 11 }],
    'which does not tell that it was taken',
  );
  t.equal((await client.download(mine.id)).text(), 'kept', 'nothing is replaced');
  const names = (await client.children(box.id)).items.map(({ name }) => name);
  t.strictSame(names, ['mine (1).txt', 'mine.txt']);
  t.equal((await client.usage()).usedBytes, before + 11, 'the owner pays');
  t.equal((await put('empty', '')).status, 201);
  refused(t, await put('x', 'x', { 'if-none-match': '*' }), 400, 'invalid_header');
  refused(t, await put('a/b', 'x'), 400, 'invalid_name');
  for (const tail of ['/children', '/content', '/archive', `/children/${mine.id}/content`])
    refused(t, await shared(token, tail), 403, 'forbidden', tail);
  t.match(await nobody.sharedLink(token), { name: 'box', kind: 'folder', size: null, role: 'dropbox' });
  refused(
    t,
    await client.request('POST', `/v1/nodes/${mine.id}/links`, { json: { role: 'dropbox' } }),
    409,
    'not_a_folder',
  );
  if (!stack.hasOperator) return;
  const { usedBytes } = await client.usage();
  const operator = (await stack.operator()).client;
  await operator.updateAccount(account.id, { limitBytes: usedBytes + 10 });
  refused(t, await put('large', 'x'.repeat(11)), 507, 'quota_exceeded');
  t.equal((await put('small', 'x'.repeat(10))).status, 201);
  await operator.updateAccount(account.id, { limitBytes: 10 ** 9 });
});

t.test('a password', async (t) => {
  const file = await client.putFile('guarded.txt', 'guarded');
  const password = 'pässword ✓';
  const link = await client.createLink(file.id, { role: 'viewer', password });
  const { token } = link;
  t.ok(link.hasPassword);
  const without = await shared(token, '/content');
  refused(t, without, 401, 'link_password_required');
  t.match(without.headers['www-authenticate'], /^Basic realm="coffer link"/);
  refused(t, await shared(token, '', { 'x-link-password': 'wrong' }), 401, 'invalid_credentials');
  refused(t, await shared(token, '', { 'x-link-password': 'x'.repeat(1025) }), 400, 'invalid_header');
  const asBytes = Buffer.from(password).toString('latin1');
  t.equal((await shared(token, '/content', { 'x-link-password': asBytes })).text(), 'guarded');
  const basic = (user: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });
  t.equal((await shared(token, '/content', basic('link'))).text(), 'guarded');
  refused(t, await shared(token, '/content', basic('someone')), 401, 'link_password_required');

  await client.updateLink(link, { password: 'another' });
  refused(t, await shared(token, '/content', { 'x-link-password': asBytes }), 401, 'invalid_credentials');
  await client.updateLink(link, { password: null });
  t.equal((await shared(token, '/content')).status, 200);

  await client.updateLink(link, { password: 'again' });
  const tries = await eachOf(Array.from({ length: 60 }), 8, (_, n) =>
    shared(token, '', { 'x-link-password': `no ${n}` }),
  );
  const counts = tally(tries.map(({ status }) => status));
  t.ok((counts[429] ?? 0) >= 30 && (counts[401] ?? 0) > 0, 'guessing is slowed down');
  t.strictSame(Object.keys(counts), ['401', '429']);
  const limited = await shared(token, '', { 'x-link-password': 'again' });
  refused(t, limited, 429, 'rate_limited', 'for the right one too');
});

t.test('a link that expires, is changed, or whose maker loses the right', async (t) => {
  const file = await client.putFile('times.txt', 'x');
  const soon = await client.createLink(file.id, {
    role: 'viewer',
    expiresAt: new Date(Date.now() + 1_200).toISOString(),
  });
  t.equal((await shared(soon.token, '/content')).status, 200);
  await waitFor('its end', async () => (await shared(soon.token)).status === 410, { timeoutMs: 4_000 });
  refused(t, await shared(soon.token, '/content'), 410, 'gone');
  await client.updateLink(soon, { expiresAt: null });
  t.equal((await shared(soon.token, '/content')).status, 200, 'and goes on when that is taken away');

  const helper = await newPerson(stack.http);
  await client.grant(file.id, helper.account.id, 'editor');
  const theirs = await helper.client.createLink(file.id, { role: 'viewer' });
  t.equal((await shared(theirs.token)).status, 200);
  await client.revoke(file.id, helper.account.id);
  refused(t, await shared(theirs.token), 410, 'gone', 'a right that was taken does not live on in a link');
  t.ok(
    (await client.links(file.id)).some(({ id }) => id === theirs.id),
    'its owner sees it',
  );
  await client.revokeLink(theirs);
  await client.revokeLink(theirs);
  t.ok((await client.links(file.id)).find(({ id }) => id === theirs.id)?.revokedAt);

  const other = await client.putFile('other.txt', 'x');
  const path = `/v1/nodes/${other.id}/links/${theirs.id}`;
  refused(t, await client.request('DELETE', path), 404, 'not_found', 'under another node it is not there');
  refused(t, await client.request('PATCH', path, { json: { note: 'x' } }), 404, 'not_found');
});

t.test('1,000 racing downloads of a link for 100', async (t) => {
  const bytes = someBytes(20_000);
  const file = await client.putFile('wanted.bin', bytes);
  const link = await client.createLink(file.id, { role: 'viewer', maxDownloads: 100 });
  const replies = await eachOf(Array.from({ length: 1_000 }), 100, () => shared(link.token, '/content'));
  t.strictSame(tally(replies.map(({ status }) => status)), { 200: 100, 410: 900 });
  t.ok(
    replies.every(({ status, body }) => status === 410 || body.equals(bytes)),
    'each of them whole',
  );
  const [listed] = await client.links(file.id);
  t.match(listed, { downloads: 100, downloadsLeft: 0 });
  await client.updateLink(link, { maxDownloads: 101 });
  t.equal((await nobody.sharedLink(link.token)).downloadsLeft, 1);
});

t.test('no way around the number of downloads', async (t) => {
  const folder = await client.createFolder('root', 'counted');
  const file = await client.putChild(folder.id, 'f', 'x'.repeat(1_000));
  const limited = async () => (await client.createLink(folder.id, { role: 'viewer', maxDownloads: 1 })).token;
  const ways: [string, Record<string, string>][] = [
    [`/children/${file.id}/content`, {}],
    [`/children/${file.id}/content`, { range: 'bytes=500-' }],
    [`/children/${file.id}/content`, { range: 'bytes=-1' }],
    [`/children/${file.id}/content`, { 'if-none-match': '"other"' }],
    ['/archive', {}],
  ];
  for (const [tail, headers] of ways) {
    const token = await limited();
    t.ok([200, 206].includes((await shared(token, tail, headers)).status));
    refused(t, await shared(token, tail, headers), 410, 'gone', `${tail} ${JSON.stringify(headers)}`);
  }
});

t.test('revoking cuts what is under way', async (t) => {
  const file = await client.putFile('long.bin', someBytes(40 * 1024 * 1024));
  /** Nobody reads meanwhile, so that most of it is still to be sent; a second later it must be cut off. */
  const isCutAfter = async (path: string, revoke: () => Promise<void>): Promise<boolean> => {
    const { body, statusCode, headers } = await stack.http.open('GET', path);
    t.equal(statusCode, 200);
    const reader = body[Symbol.asyncIterator]();
    let bytes = ((await reader.next()).value as Buffer).length;
    await delay(200);
    await revoke();
    await delay(900);
    try {
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) bytes += next.value.length;
      return false;
    } catch {
      return bytes < Number(headers['content-length']);
    }
  };
  const one = await client.createLink(file.id, { role: 'viewer' });
  const other = await client.createLink(file.id, { role: 'viewer' });
  const bystander = await stack.http.open('GET', `/v1/links/${other.token}/content`);
  t.ok(await isCutAfter(`/v1/links/${one.token}/content`, () => client.revokeLink(one)), 'a download');
  t.notOk(await isCutAfter(`/v1/links/${other.token}/content`, async () => {}), 'but not without that');
  refused(t, await shared(one.token, '/content'), 410, 'gone');
  let bytes = 0;
  for await (const chunk of bystander.body) bytes += chunk.length;
  t.equal(bytes, 40 * 1024 * 1024, 'a transfer through another link goes on');
  const zipped = await client.createLink(file.id, { role: 'viewer' });
  t.ok(await isCutAfter(`/l/${zipped.token}/archive`, () => client.revokeLink(zipped)), 'an archive');
  const { items } = await client.children('root');
  t.ok(items.length > 0, 'and the service goes on');
});

t.test('a page for browsers, without scripts', async (t) => {
  const folder = await client.createFolder('root', '<b>page & "co"');
  const below = await client.createFolder(folder.id, 'inner');
  const file = await client.putChild(below.id, "it's <i>.txt", 'hello', { headers: { 'content-type': 'text/plain' } });
  const get = (path: string, headers: Record<string, string> = {}) => nobody.request('GET', path, { headers });
  const post = (path: string, fields: Record<string, string>) =>
    nobody.request('POST', path, {
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const link = await client.createLink(folder.id, { role: 'viewer', password: 'open', note: '<script>1</script>' });
  const path = new URL(link.url).pathname;
  const asked = await get(path);
  t.strictSame([asked.status, /type="password"/.test(asked.text())], [401, true]);
  t.notOk(asked.text().includes('page'), 'its name is not shown before');
  const wrong = await post(path, { password: 'no' });
  t.strictSame([wrong.status, /not the password/.test(wrong.text())], [401, true]);
  const opened = await post(path, { password: 'open' });
  t.strictSame([opened.status, opened.headers.location], [303, path]);
  const setCookie = opened.headers['set-cookie'] ?? '';
  t.match(setCookie, new RegExp(`Path=${path}; Max-Age=3600; HttpOnly; SameSite=Lax`));
  const cookie = setCookie.split(';')[0] ?? '';
  t.notMatch(Buffer.from(cookie.split('=')[1] ?? '', 'base64url').toString('latin1'), /open/);
  const page = await get(path, { cookie });
  t.equal(page.status, 200);
  t.match(page.headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': /default-src 'none'/,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
  t.notMatch(page.text(), /<script|<b>page/);
  t.match(page.text(), /&lt;script&gt;1&lt;\/script&gt;/);
  const inner = await get(`${path}?parent=${below.id}`, { cookie });
  t.match(inner.text(), /it&#39;s &lt;i&gt;\.txt/);
  t.equal((await get(`${path}/children/${file.id}/content`, { cookie })).text(), 'hello');
  t.equal((await get(`${path}/archive`, { cookie })).headers['content-type'], 'application/zip');
  t.equal((await get(`${path}/archive`)).status, 401);
  const second = await client.createLink(folder.id, { role: 'viewer', password: 'open' });
  t.equal((await get(`/l/${second.token}`, { cookie })).status, 401, 'the cookie opens no other link');
  await client.updateLink(link, { password: 'changed' });
  t.equal((await get(path, { cookie })).status, 401, 'nor this one under another password');
  t.equal((await get('/l/unknown')).status, 404);
  t.equal((await get(`${path}?parent=x`)).status, 400);

  const plain = await client.createLink(file.id, { role: 'viewer', maxDownloads: 3 });
  const filePage = (await get(`/l/${plain.token}`)).text();
  t.match(filePage, /Downloads left/);
  t.match(filePage, new RegExp(`href="/l/${plain.token}/content\\?download"`));
  const box = await client.createLink(below.id, { role: 'dropbox' });
  t.match((await get(`/l/${box.token}`)).text(), /type="file"/);
  t.notMatch((await get(`/l/${box.token}`)).text(), /it&#39;s/);
  const { body, contentType } = multipart([{ part: 'file', filename: 'sent.txt', bytes: 'sent' }]);
  const sent = await nobody.request('POST', `/l/${box.token}/files`, {
    body,
    headers: { 'content-type': contentType },
  });
  t.strictSame([sent.status, sent.headers.location], [303, `/l/${box.token}?received`]);
  t.match((await get(`/l/${box.token}?received`)).text(), /was received/);
  t.ok((await client.children(below.id)).items.some(({ name, size }) => name === 'sent.txt' && size === 4));
  const none = multipart([{ part: 'file', filename: '', bytes: '' }]);
  const empty = await nobody.request('POST', `/l/${box.token}/files`, {
    body: none.body,
    headers: { 'content-type': none.contentType },
  });
  t.strictSame([empty.status, /No file was chosen/.test(empty.text())], [400, true]);
});

t.test('bad input', async (t) => {
  const file = await client.putFile('bad.txt', 'x');
  const folder = await client.createFolder('root', 'bad');
  const { token, id } = await client.createLink(folder.id, { role: 'viewer' });
  const links = `/v1/nodes/${file.id}/links`;
  const sign = `/v1/nodes/${file.id}/signed-url`;
  const shared = `/v1/links/${token}`;
  const make = (extra: object) => ({ role: 'viewer', ...extra });
  type Case = [what: string, method: string, path: string, json: unknown, status: number, code: string];
  const bodies: [string, unknown][] = [
    ['no body', undefined],
    ['a list', []],
    ['no role', {}],
    ['another role', { role: 'editor' }],
    ['a role that is none', { role: 1 }],
    ['an unknown field', make({ extra: 1 })],
    ['an empty password', make({ password: '' })],
    ['a number for a password', make({ password: 5 })],
    ['a long password', make({ password: 'x'.repeat(1025) })],
    ['no downloads', make({ maxDownloads: 0 })],
    ['fewer than no downloads', make({ maxDownloads: -1 })],
    ['half a download', make({ maxDownloads: 1.5 })],
    ['too many downloads', make({ maxDownloads: 1e10 })],
    ['downloads as text', make({ maxDownloads: '5' })],
    ['a long note', make({ note: 'x'.repeat(1001) })],
    ['a note that is none', make({ note: null })],
    ['a time that is none', make({ expiresAt: 'tomorrow' })],
    ['a time as a number', make({ expiresAt: 5 })],
    ['a date alone', make({ expiresAt: '2030-01-01' })],
    ['a leap second', make({ expiresAt: '2030-12-31T23:59:60Z' })],
    ['a time that is over', make({ expiresAt: '2020-01-01T00:00:00Z' })],
  ];
  const signings: [string, unknown][] = [
    ['no time', {}],
    ['no seconds', { expiresInSeconds: 0 }],
    ['more than a week', { expiresInSeconds: 604_801 }],
    ['half a second', { expiresInSeconds: 0.5 }],
    ['text', { expiresInSeconds: '60' }],
    ['another method', { expiresInSeconds: 60, method: 'DELETE' }],
    ['another scope', { expiresInSeconds: 60, scope: 'all' }],
    ['a scope that goes with another method', { expiresInSeconds: 60, scope: 'content', method: 'PUT' }],
    ['an unknown field', { expiresInSeconds: 60, role: 'operator' }],
  ];
  const cases: Case[] = [
    ...bodies.map(([what, json]): Case => [`a link with ${what}`, 'POST', links, json, 400, 'invalid_body']),
    ...signings.map(([what, json]): Case => [`a signed URL with ${what}`, 'POST', sign, json, 400, 'invalid_body']),
    ['a link to a root', 'POST', '/v1/nodes/root/links', make({}), 403, 'forbidden'],
    ['a link to nothing', 'POST', `/v1/nodes/${ABSENT}/links`, make({}), 404, 'not_found'],
    ['a link to what is no id', 'POST', '/v1/nodes/x/links', make({}), 400, 'invalid_parameter'],
    ['a change of nothing', 'PATCH', `/v1/nodes/${folder.id}/links/${id}`, {}, 400, 'invalid_body'],
    ['a change of the role', 'PATCH', `/v1/nodes/${folder.id}/links/${id}`, { role: 'dropbox' }, 400, 'invalid_body'],
    ['a change of what is no id', 'PATCH', `/v1/nodes/${folder.id}/links/x`, { note: '' }, 400, 'invalid_parameter'],
    ['a change of no link', 'PATCH', `/v1/nodes/${folder.id}/links/${ABSENT}`, { note: '' }, 404, 'not_found'],
    ['an end of no link', 'DELETE', `/v1/nodes/${folder.id}/links/${ABSENT}`, undefined, 404, 'not_found'],
    [
      'a signed URL of a folder',
      'POST',
      `/v1/nodes/${folder.id}/signed-url`,
      { expiresInSeconds: 60 },
      409,
      'not_a_file',
    ],
    ['an unknown token', 'GET', '/v1/links/unknown', undefined, 404, 'not_found'],
    ['a token of other signs', 'GET', '/v1/links/%F0%9F%8E%88%00', undefined, 404, 'not_found'],
    ['a token that is too long', 'GET', `/v1/links/${'x'.repeat(201)}`, undefined, 400, 'invalid_parameter'],
    ['a token in other letters', 'GET', `/v1/links/${flipped(token)}`, undefined, 404, 'not_found'],
    ['a query', 'GET', `${shared}?x=1`, undefined, 400, 'invalid_query'],
    ['a parent that is no id', 'GET', `${shared}/children?parent=root`, undefined, 400, 'invalid_query'],
    ['a limit of none', 'GET', `${shared}/children?limit=0`, undefined, 400, 'invalid_query'],
    ['a limit of too many', 'GET', `${shared}/children?limit=1001`, undefined, 400, 'invalid_query'],
    ['a cursor that is none', 'GET', `${shared}/children?cursor=x`, undefined, 400, 'invalid_cursor'],
    ['a child that is no id', 'GET', `${shared}/children/root/content`, undefined, 400, 'invalid_parameter'],
    ['a query of an archive', 'GET', `${shared}/archive?x=1`, undefined, 400, 'invalid_query'],
    [
      'a download that is neither',
      'GET',
      `${shared}/children/${file.id}/content?download=2`,
      undefined,
      400,
      'invalid_query',
    ],
    ['an archive of nothing', 'GET', `/v1/nodes/${ABSENT}/archive`, undefined, 404, 'not_found'],
    ['an archive of what is no id', 'GET', '/v1/nodes/x/archive', undefined, 400, 'invalid_parameter'],
    ['a method that it has not', 'DELETE', shared, undefined, 405, 'method_not_allowed'],
    ['a signature that is none', 'GET', '/v1/signed/x/y', undefined, 401, 'invalid_token'],
    ['a signature that is too long', 'GET', `/v1/signed/${'x'.repeat(201)}/y`, undefined, 400, 'invalid_parameter'],
  ];
  t.ok(cases.length >= 40, `${cases.length} cases`);
  for (const [what, method, path, json, status, code] of cases)
    refused(t, await client.request(method, path, json === undefined ? {} : { json }), status, code, what);
});

const flipped = (text: string): string =>
  text.replace(/[a-zA-Z]/g, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );

t.test(
  'the links of a suspended account lead nowhere until it may act again',
  { skip: stack.hasOperator ? false : 'no operator is known' },
  async (t) => {
    const { client: operator } = await stack.operator();
    const maker = await newPerson(stack.http);
    const file = await maker.client.putFile('shown', 'bytes');
    const { token } = await maker.client.createLink(file.id, { role: 'viewer' });
    t.equal((await shared(token, '/content')).text(), 'bytes');
    await operator.updateAccount(maker.account.id, { suspended: true });
    refused(t, await shared(token, '/content'), 410, 'gone');
    refused(t, await shared(token), 410, 'gone');
    await operator.updateAccount(maker.account.id, { suspended: false });
    t.equal((await shared(token, '/content')).text(), 'bytes');
  },
);
