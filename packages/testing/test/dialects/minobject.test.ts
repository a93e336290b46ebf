/** minobject as its clients meet it: every body byte for byte, and what becomes of bad input, races and other people's files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  Client,
  MinobjectClient,
  multipart,
  type Reply,
  rawRequest,
  sha256,
  someBytes,
  startTestStack,
  uniqueName,
  waitFor,
} from '../../src/index.ts';
import { curl } from './run-curl.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http, url } = stack;
const folder = mkdtempSync(path.join(tmpdir(), 'coffer-minobject-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const error = (message: string) => JSON.stringify({ error: message });
const CREATED = '{"message":"User created"}';
const UPLOADED = '{"message":"File uploaded successfully"}';
const DELETED = '{"message":"File deleted"}';
const EXISTS = error('User exists');
const MISSING = error('Username or password missing');
const WRONG = error('Invalid username or password');
const NO_TOKEN = error('Token is missing or in wrong format');
const BAD_TOKEN = error('Invalid token');
const NO_FILE = error('No file part');
const NO_ID = error('No file identifier');
const TAKEN = error('File identifier must be globally unique');
const NOT_FOUND = error('File not found');
const NOT_YOURS = error('Unauthorized');

interface Member {
  name: string;
  password: string;
  client: MinobjectClient;
  native: Client;
}
async function newMember(): Promise<Member> {
  const [name, password] = [uniqueName(), 'p'];
  const client = new MinobjectClient(http);
  await client.register(name, password);
  const native = new Client(http, `Bearer ${await client.logIn(name, password)}`);
  return { name, password, client, native };
}

function says(t: Test, reply: Reply, status: number, body: string, message = body): void {
  t.equal(reply.text(), body, message);
  t.equal(reply.status, status, `${status}: ${message}`);
  t.equal(reply.headers['content-type'], 'application/json');
}
const id = () => uniqueName('id-');
const text = (name: string, bytes = 'some text') => ({ name, bytes });

t.test('the document, by curl', async (t) => {
  const name = uniqueName();
  const identifier = id();
  const file = path.join(folder, 'my file.txt');
  writeFileSync(file, 'what it says');
  const json = (status: number, body: string) => ({ status, type: 'application/json', body });
  const as = ['-H', 'Content-Type: application/json', '-d', JSON.stringify({ username: name, password: 'p' })];
  t.strictSame(await curl(...as, `${url}/users/register`), json(201, CREATED));
  t.strictSame(await curl(...as, `${url}/users/register`), json(400, EXISTS));
  const login = await curl(...as, `${url}/users/login`);
  t.match(login.body, /^\{"jwt_token":"[\w-]+\.[\w-]+\.[\w-]+"\}$/);
  const token = ['-H', `Authorization: Bearer ${JSON.parse(login.body).jwt_token}`];
  const parts = [
    '-F',
    `file=@${file}`,
    '-F',
    `file_identifier=${identifier}`,
    '-F',
    'color=red',
    '-F',
    'note=two words',
  ];
  t.strictSame(await curl(...token, ...parts, `${url}/data/file`), json(201, UPLOADED));
  t.strictSame(await curl(...token, `${url}/data/user_file`), json(200, `{"file_identifiers":["${identifier}"]}`));
  t.strictSame(
    await curl(...token, `${url}/data/metadata/${identifier}`),
    json(
      200,
      `{"color":"red","note":"two words","file_identifier":"${identifier}","owner":"${name}","filename":"my file.txt"}`,
    ),
  );
  const out = path.join(folder, 'saved');
  const got = await curl(...token, '-o', out, `${url}/data/file/${identifier}`);
  t.strictSame([got.status, readFileSync(out, 'utf8')], [200, 'what it says']);
  t.strictSame(await curl(...token, '-X', 'DELETE', `${url}/data/file/${identifier}`), json(200, DELETED));
  t.strictSame(await curl(...token, '-X', 'DELETE', `${url}/data/file/${identifier}`), json(404, NOT_FOUND));
  t.strictSame(await curl(...token, `${url}/data/user_file`), json(200, '{"file_identifiers":[]}'));
  t.strictSame(await curl(`${url}/data/user_file`), json(401, NO_TOKEN));
});

t.test('users', async (t) => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const ways: Record<string, (one: Record<string, string>, path: string) => Promise<Reply>> = {
    json: (one, to) => http.request('POST', to, { json: one }),
    urlencoded: (one, to) => http.request('POST', to, { headers: form, body: new URLSearchParams(one).toString() }),
    'the query': (one, to) => http.request('POST', to, { query: one }),
    'JSON of no type': (one, to) => http.request('POST', to, { body: JSON.stringify(one) }),
    multipart: (one, to) => {
      const { body, contentType } = multipart(Object.entries(one).map(([part, bytes]) => ({ part, bytes })));
      return http.request('POST', to, { body, headers: { 'content-type': contentType } });
    },
  };
  for (const [way, send] of Object.entries(ways)) {
    const one = { username: uniqueName(), password: 'pä:+ &' };
    says(t, await send(one, '/users/register'), 201, CREATED, `register by ${way}`);
    says(
      t,
      await send({ ...one, username: one.username.toUpperCase() }, '/users/register/'),
      400,
      EXISTS,
      'in capitals',
    );
    const login = await send(one, '/users/login');
    t.strictSame([login.status, Object.keys(login.json() as object)], [200, ['jwt_token']], `login by ${way}`);
    says(t, await send({ ...one, password: 'x' }, '/users/login/'), 401, WRONG);
    says(t, await send({ username: one.username }, '/users/login'), 401, WRONG, 'no password');
    says(t, await send({ username: uniqueName() }, '/users/register'), 400, MISSING);
    says(t, await send({ password: 'x' }, '/users/register'), 400, MISSING);
    says(t, await send({ username: '', password: 'x' }, '/users/register'), 400, MISSING);
  }
  says(t, await http.request('POST', '/users/register'), 400, MISSING, 'no body');
  says(t, await http.request('POST', '/users/login', { json: { username: 'nobody', password: 'x' } }), 401, WRONG);
  const mail = `${uniqueName()}@example.org`;
  await new MinobjectClient(http).register(mail, 'p');
  says(t, await http.request('POST', '/users/register', { json: { username: mail, password: 'q' } }), 400, EXISTS);
  t.ok(await new MinobjectClient(http).logIn(mail.toUpperCase(), 'p'), 'an e-mail address is a user name too');
});

t.test('tokens', async (t) => {
  const { client, native } = await newMember();
  const lifeSeconds = (token = '') => {
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return exp - iat;
  };
  t.equal(lifeSeconds(client.token), 3600, 'an hour');
  const asked = (authorization?: string) =>
    http.request('GET', '/data/user_file', authorization === undefined ? {} : { headers: { authorization } });
  t.equal((await asked(`bearer ${client.token}`)).status, 200, 'the scheme in any case');
  const formless = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    client.token,
    `Token ${client.token}`,
    `Bearer ${client.token} x`,
  ];
  for (const one of [...formless, 'Basic eDp5', `Bearer ${'x'.repeat(8000)}`])
    says(t, await asked(one), 401, NO_TOKEN, `${one?.slice(0, 12)}`);
  const [head = '', claims = '', signature = ''] = (client.token ?? '').split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const other = Buffer.from('{"sub":"x"}').toString('base64url');
  const bad = [
    'x',
    'a.b.c',
    `${head}.${claims}`,
    `${head}.${claims}.`,
    `${none}.${claims}.`,
    `${head}.${other}.${signature}`,
  ];
  for (const one of bad) says(t, await asked(`Bearer ${one}`), 401, BAD_TOKEN, one.slice(0, 20));
  for (const [method, target] of [
    ['POST', '/data/file'],
    ['GET', '/data/file/x'],
    ['DELETE', '/data/file/x'],
    ['GET', '/data/metadata/x'],
    ['GET', '/data/nothing'],
  ] as const)
    says(t, await http.request(method, target), 401, NO_TOKEN, `${method} ${target}`);

  const sessions = await native.request('DELETE', '/v1/sessions');
  t.equal(sessions.status, 204);
  t.equal((await client.identifiers()).length, 0, 'its own session lives');
  const { sub, sid } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  t.ok(sub);
  await native.request('DELETE', `/v1/sessions/${sid}`);
  const ended = async () => (await client.request('GET', '/data/user_file')).status === 401;
  await waitFor('the session to end', ended);
  says(t, await client.request('GET', '/data/user_file'), 401, BAD_TOKEN, 'a session that ended');
});

t.test('a token that has expired', async (t) => {
  const short = await startTestStack({ env: { ACCESS_TOKEN_SECONDS: '10', DIALECTS: 'minobject' } });
  t.teardown(() => short.stop());
  const name = uniqueName();
  await new MinobjectClient(short.http).register(name, 'p');
  // The dialect's own tokens live an hour; those of another log-in are taken as well, and these are short.
  const { accessToken } = await new Client(short.http).logIn(name, 'p');
  const client = new MinobjectClient(short.http, accessToken);
  t.strictSame(await client.identifiers(), []);
  const over = async () => (await client.request('GET', '/data/user_file')).status === 401;
  await waitFor('the token to expire', over, { timeoutMs: 20_000, everyMs: 500 });
  says(t, await client.request('GET', '/data/user_file'), 401, error('Token has expired'));
});

t.test('uploads', async (t) => {
  const { client, name, native } = await newMember();
  const upload = (parts: Parameters<typeof multipart>[0], boundary?: string) => {
    const { body, contentType } = multipart(parts, boundary);
    return client.request('POST', '/data/file', { body, headers: { 'content-type': contentType } });
  };
  const file = { part: 'file', filename: 'a.tar.gz', bytes: 'bytes' };
  const fields = (identifier: string) => [
    { part: 'file_identifier', bytes: identifier },
    { part: 'x', bytes: 'ü 1' },
    { part: 'owner', bytes: 'someone else' },
    { part: 'filename', bytes: 'another.exe' },
  ];
  const first = id();
  says(t, await upload([file, ...fields(first)]), 201, UPLOADED, 'the file first');
  const second = id();
  says(t, await upload([...fields(second), file]), 201, UPLOADED, 'the file last');
  const third = id();
  const named = fields(third).map((one) => ({ ...one, filename: one.part }));
  says(t, await upload([...named.slice(0, 2), file, ...named.slice(2)]), 201, UPLOADED, 'every part with a file name');
  for (const identifier of [first, second, third]) {
    t.strictSame(await client.metadata(identifier), {
      x: 'ü 1',
      file_identifier: identifier,
      owner: name,
      filename: 'a.tar.gz',
    });
    const got = await client.download(identifier);
    t.equal(got.text(), 'bytes');
    t.equal(
      got.headers['content-disposition'],
      `attachment; filename="${identifier}.gz"; filename*=UTF-8''${identifier}.gz`,
    );
  }
  t.strictSame(await client.identifiers(), [first, second, third], 'in the order of their making');
  const { items } = await native.children('root');
  t.strictSame(
    items.map((node) => node.name).sort(),
    ['a.tar (1).gz', 'a.tar (2).gz', 'a.tar.gz'],
    'as the tree has them',
  );

  says(t, await upload([file]), 400, NO_ID);
  says(t, await upload([file, { part: 'file_identifier', bytes: '' }]), 400, NO_ID);
  says(t, await upload(fields(id())), 400, NO_FILE);
  says(t, await upload([]), 400, NO_FILE);
  says(
    t,
    await upload([...fields(id()), { part: 'file', filename: '', bytes: '' }]),
    400,
    NO_FILE,
    'nobody chose a file',
  );
  says(t, await upload([...fields(first), file]), 400, TAKEN);
  const stranger = await newMember();
  says(t, await stranger.client.tryUpload(first, text('b')), 400, TAKEN, 'of everybody');
  says(t, await client.request('POST', '/data/file', { json: { file_identifier: id() } }), 400, NO_FILE, 'JSON');
  says(t, await client.request('POST', '/data/file'), 400, NO_FILE, 'nothing');

  const odd = [
    'a/b/c',
    'mit Leerzeichen',
    '100%',
    '%41',
    '%2F',
    'a?b=c#d',
    '日本 💾',
    '..',
    '../../etc/passwd',
    '"q"',
    "it's",
  ];
  for (const one of [...odd, 'x'.repeat(1000)]) {
    const identifier = `${one}${one.startsWith('.') ? '' : id()}`;
    says(t, await client.tryUpload(identifier, text('n.txt', one)), 201, UPLOADED, identifier.slice(0, 40));
    t.equal((await client.download(identifier)).text(), one, identifier.slice(0, 40));
    t.equal((await client.metadata(identifier)).file_identifier, identifier);
    await client.delete(identifier);
  }
  const slashes = `a/b/${id()}`;
  await client.upload(slashes, text('n'));
  t.equal((await client.request('GET', `/data/file/${slashes}`)).status, 200, 'slashes as they are');

  const names = ['../../up.txt', 'C:\\dir\\win.txt', '', '.', '..', 'x'.repeat(300), `${'ä'.repeat(200)}.jpeg`];
  for (const filename of names) {
    const identifier = id();
    says(
      t,
      await client.tryUpload(identifier, text(filename)),
      201,
      UPLOADED,
      `a file called ${filename.slice(0, 20)}`,
    );
    t.equal((await client.download(identifier)).text(), 'some text');
  }
  const big = someBytes(20 * 1024 * 1024);
  const boundary = 'b';
  const head = `--b\r\ncontent-disposition: form-data; name="file"; filename="big.bin"\r\n\r\n`;
  const large = id();
  const tail = `\r\n--b\r\ncontent-disposition: form-data; name="file_identifier"\r\n\r\n${large}\r\n--b--\r\n`;
  const stream = Readable.from([Buffer.from(head), big.subarray(0, 5), big.subarray(5), Buffer.from(tail)]);
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  says(t, await client.request('POST', '/data/file', { body: stream, headers }), 201, UPLOADED, '20 MiB, chunked');
  t.equal(sha256((await client.download(large)).body), sha256(big));
  const part = await client.request('GET', `/data/file/${large}`, { headers: { range: 'bytes=10-19' } });
  t.strictSame([part.status, part.body], [206, big.subarray(10, 20)]);
  const header = await client.request('HEAD', `/data/file/${large}`);
  t.strictSame([header.status, header.headers['content-length']], [200, String(big.length)]);
});

t.test('whose files', async (t) => {
  const owner = await newMember();
  const other = await newMember();
  const identifier = id();
  await owner.client.upload(identifier, text('shared.txt'));
  const node = (await owner.native.children('root')).items[0];
  if (node === undefined) throw new Error('the file is not in the tree');
  const targets = [`/data/file/${identifier}`, `/data/metadata/${identifier}`, `/data/file/${node.id}`];
  for (const target of targets) says(t, await other.client.request('GET', target), 401, NOT_YOURS, target);
  says(t, await other.client.request('DELETE', `/data/file/${identifier}`), 401, NOT_YOURS);
  t.strictSame(await other.client.identifiers(), []);

  const grant = async (role: string) => {
    const target = `/v1/nodes/${node.id}/grants/${other.name}`;
    const reply = await owner.native.request('PUT', target, { json: { role } });
    t.ok(reply.status < 300, reply.text());
  };
  await grant('viewer');
  t.equal((await other.client.download(identifier)).text(), 'some text', 'a viewer reads');
  t.equal((await other.client.metadata(identifier)).owner, owner.name);
  says(t, await other.client.request('DELETE', `/data/file/${identifier}`), 401, NOT_YOURS, 'a viewer deletes nothing');
  await grant('editor');
  await other.client.delete(identifier);
  says(t, await owner.client.request('GET', `/data/file/${identifier}`), 404, NOT_FOUND, 'an editor deletes');

  await owner.native.request('PUT', '/v1/files/by%20another%20door.txt', { body: 'native' });
  const [nodeId = ''] = await owner.client.identifiers();
  t.match(nodeId, /^[0-9a-f-]{36}$/, 'what has no identifier goes by its id');
  const got = await owner.client.download(nodeId);
  t.match(got.headers['content-disposition'], `filename="${nodeId}.txt"`);
  t.strictSame(await owner.client.metadata(nodeId), {
    file_identifier: nodeId,
    owner: owner.name,
    filename: 'by another door.txt',
  });
  says(t, await other.client.tryUpload(nodeId, text('x')), 400, TAKEN, "another file's id");
  await owner.client.delete(nodeId);
  t.strictSame(await owner.client.identifiers(), []);
  await owner.client.upload(identifier, text('again'));
  t.equal((await owner.client.download(identifier)).text(), 'some text', 'a deleted identifier is free');
});

t.test('the quota', async (t) => {
  const { client, native } = await newMember();
  const operator = await stack.operator();
  await operator.client.updateAccount((await native.me()).id, { limitBytes: 1000 });
  await client
    .upload('fits', { name: 'a', bytes: someBytes(900) })
    .catch(() => client.upload(id(), text('a', 'x'.repeat(900))));
  const reply = await client.tryUpload(id(), { name: 'b', bytes: someBytes(200_000) });
  t.equal(reply.status, 507);
  t.match(reply.text(), /^\{"error":"[^"]+"\}$/);
  t.equal((await client.identifiers()).length, 1);
});

t.test('bad input', async (t) => {
  const { client } = await newMember();
  const auth = `authorization: Bearer ${client.token}`;
  const form = (parts: Parameters<typeof multipart>[0]) => {
    const { body, contentType } = multipart(parts);
    return { method: 'POST', target: '/data/file', body, type: contentType };
  };
  const file = { part: 'file', filename: 'a', bytes: 'x' };
  const bad = (identifier: string | Buffer) => form([file, { part: 'file_identifier', bytes: identifier }]);
  const many = (count: number, size: number) =>
    Array.from({ length: count }, (_, n) => ({ part: `f${n}`, bytes: 'x'.repeat(size) }));
  const user = (body: string | Buffer, type = 'application/json') => ({
    method: 'POST',
    target: '/users/register',
    body,
    type,
  });
  const named = (username: string) => user(JSON.stringify({ username, password: 'p' }));
  const cases: { method: string; target: string; body?: string | Buffer; type?: string; status?: number }[] = [
    ...['\0', 'a\nb', 'tab\t', '\x7f', '\x85', 'x'.repeat(1025), Buffer.from([0xff])].map(bad),
    form([file, { part: 'file_identifier', bytes: id() }, ...many(70, 1)]),
    form([file, { part: 'file_identifier', bytes: id() }, ...many(5, 4000)]),
    form([file, { part: 'file_identifier', bytes: id() }, ...many(1, 5000)]),
    form([file, { part: 'file_identifier', bytes: id() }, ...many(1, 70_000)]),
    form([file, { part: 'file_identifier', bytes: id() }, { part: '', bytes: 'x' }]),
    form([file, { part: 'file_identifier', bytes: id() }, { part: 'n'.repeat(200), bytes: 'x' }]),
    { method: 'POST', target: '/data/file', body: 'x', type: 'multipart/form-data' },
    { method: 'POST', target: '/data/file', body: '--b\r\nno form', type: 'multipart/form-data; boundary=b' },
    { method: 'POST', target: '/data/file', body: '', type: 'multipart/form-data; boundary=b' },
    { method: 'POST', target: '/data/file', body: '[1]', type: 'application/json' },
    ...['%zz', '%', 'a%ff', '%c3%28', '%00', '', 'a%0Ab', `${'x'.repeat(1025)}`].map((tail) => ({
      method: 'GET',
      target: `/data/file/${tail}`,
    })),
    { method: 'GET', target: '/data/metadata/%zz', status: 404 },
    { method: 'DELETE', target: '/data/file/%zz', status: 404 },
    { method: 'GET', target: '/data/file/00000000-0000-7000-8000-000000000000', status: 404 },
    { method: 'GET', target: '/data/metadata/root', status: 404 },
    { method: 'GET', target: '/data/nothing', status: 404 },
    { method: 'GET', target: '/users/nothing', status: 404 },
    { method: 'PUT', target: '/data/file/x', body: 'x', status: 405 },
    { method: 'GET', target: '/data/file', status: 405 },
    { method: 'DELETE', target: '/data/user_file', status: 405 },
    { method: 'GET', target: '/users/login', status: 405 },
    user('{"username":'),
    user('[]'),
    user('null'),
    user('7'),
    user(Buffer.from('{"username":"\xff"}', 'latin1')),
    user('x', 'multipart/form-data'),
    user('x'.repeat(1024 * 1024 + 1), 'text/plain'),
    ...['a:b', ' a', 'a\0b', 'x'.repeat(65), 'a@', '\u202e'].map(named),
    user(JSON.stringify({ username: id(), password: 'p'.repeat(1025) })),
    user(JSON.stringify({ username: { $ne: 1 }, password: ['x'] })),
  ];
  t.ok(cases.length >= 30);
  for (const { method, target, body = '', type, status } of cases) {
    const bytes = Buffer.from(body);
    const head = [`${method} ${target} HTTP/1.1`, 'host: x', auth, 'connection: close'];
    if (type !== undefined) head.push(`content-type: ${type}`);
    if (bytes.length > 0) head.push(`content-length: ${bytes.length}`);
    const reply = await rawRequest(url, { pieces: [`${head.join('\r\n')}\r\n\r\n`, bytes] });
    const what = `${method} ${target.slice(0, 50)} ${bytes.toString('latin1').slice(0, 60)} ${reply?.status}`;
    t.equal(reply?.headers['content-type'], 'application/json', what);
    t.match(reply?.text(), /^\{"error":"[^"]/, what);
    if (status === undefined) t.ok(reply !== undefined && reply.status >= 400 && reply.status < 500, what);
    else t.equal(reply?.status, status, what);
  }
  t.strictSame(await client.identifiers(), [], 'nothing was stored');
});

t.test('a hundred at once', async (t) => {
  const count = 100;
  const countOf = (replies: Reply[]) => {
    const counts = new Map<string, number>();
    for (const reply of replies) {
      const one = `${reply.status} ${reply.text()}`;
      counts.set(one, (counts.get(one) ?? 0) + 1);
    }
    return Object.fromEntries(counts);
  };
  const json = { username: uniqueName(), password: 'p' };
  const users = Array.from({ length: count }, () => http.request('POST', '/users/register', { json }));
  t.strictSame(countOf(await Promise.all(users)), { [`201 ${CREATED}`]: 1, [`400 ${EXISTS}`]: count - 1 }, 'one name');

  const members = await Promise.all(Array.from({ length: 4 }, newMember));
  const identifier = id();
  const uploads = Array.from({ length: count }, async (_, n) => {
    const { client } = members[n % members.length] ?? (await newMember());
    return await client.tryUpload(identifier, text(`${n}.txt`, `content ${n}`));
  });
  const outcome = countOf(await Promise.all(uploads));
  t.strictSame(outcome, { [`201 ${UPLOADED}`]: 1, [`400 ${TAKEN}`]: count - 1 }, 'one identifier');
  const lists = await Promise.all(members.map(({ client }) => client.identifiers()));
  t.strictSame(lists.flat(), [identifier], 'and one file');
  const holder = members[lists.findIndex((list) => list.length === 1)];
  const deletes = Array.from({ length: count }, () => holder?.client.request('DELETE', `/data/file/${identifier}`));
  const gone = countOf((await Promise.all(deletes)).filter((one) => one !== undefined));
  t.strictSame(gone, { [`200 ${DELETED}`]: 1, [`404 ${NOT_FOUND}`]: count - 1 }, 'one deletion');
});
