/** cloudrest as its clients meet it: every body byte for byte, and what becomes of bad input, races and revoked pairs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  Client,
  CloudrestClient,
  type CloudrestPair,
  Http,
  multipart,
  type Reply,
  rawRequest,
  sha256,
  someBytes,
  startOwnStack,
  startTestStack,
  uniqueName,
  waitFor,
} from '../../src/index.ts';
import { curl } from './run-curl.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http, url } = stack;
const folder = mkdtempSync(path.join(tmpdir(), 'coffer-cloudrest-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const IN = '{"status_code": 200, "message": "You have successfully logged in"}';
const NOT_CORRECT = '{"access_or_secret_key": "Not correct"}';
const NOT_VALID = '{"access_or_secret_key": "Not valid anymore, you can register again"}';
const BUSY = '{"login":"Login busy"}';
const NOBODY = '{"status_code":401,"message":"Cloud Server. Unauthorised"}';
const NOT_FOUND = '{"message": "Not Found", "status_code": 404}';
const NO_FILE = '{"status_code": 400, "message": "File not specified"}';
const UNKNOWN_URL = '{"status_code":404,"message":"URL is not correct"}';
const uploaded = (key: string) => `{"status_code": 200, "message": "File '${key}' uploaded successfully"}`;

const newPair = (): CloudrestPair => ({
  access_key_id: uniqueName('AKIA').toUpperCase(),
  secret_access_key: uniqueName('s/+='),
});

interface Member {
  login: string;
  password: string;
  pair: CloudrestPair;
  client: CloudrestClient;
}
async function newMember(): Promise<Member> {
  const member = { login: uniqueName(), password: 'p', pair: newPair(), client: new CloudrestClient(http) };
  const reply = await member.client.signUp(member.login, member.password, member.pair);
  if (reply.text() !== IN) throw new Error(reply.text());
  return member;
}

function says(t: Test, reply: Reply, body: string, message = body): void {
  t.equal(reply.text(), body, message);
  t.equal(reply.status, 200, `HTTP 200: ${message}`);
  t.equal(reply.headers['content-type'], 'application/json');
}

t.test('the document, by curl', async (t) => {
  const login = uniqueName();
  const pair = newPair();
  const jar = path.join(folder, 'jar');
  const file = path.join(folder, 'data.bin');
  writeFileSync(file, someBytes(5000));
  const keys = ['-d', `access_key_id=${pair.access_key_id}`, '-d', `secret_access_key=${pair.secret_access_key}`];
  const json = (body: string) => ({ status: 200, type: 'application/json', body });
  const up = await curl('-c', jar, '-d', `login=${login}`, '-d', 'password=p', ...keys, `${url}/api/sign_up`);
  // A plus in a form is a space: what is signed up with is what arrives.
  t.strictSame(up, json(NOT_CORRECT));
  const raw = keys.map((one) => (one === '-d' ? '--data-urlencode' : one));
  t.strictSame(
    await curl('-c', jar, '-d', `login=${login}`, '-d', 'password=p', ...raw, `${url}/api/sign_up`),
    json(IN),
  );
  t.strictSame(await curl('-b', jar, '-T', file, `${url}/api/file/a/b/data.bin`), json(uploaded('a/b/data.bin')));
  t.strictSame(await curl('-b', jar, '-X', 'PUT', `${url}/api/file/data.bin`), json(NO_FILE));
  t.strictSame(
    await curl('-b', jar, '--data-binary', `@${file}`, '-X', 'PUT', `${url}/api/file/c`),
    json(uploaded('c')),
  );
  const out = path.join(folder, 'out.bin');
  await curl('-b', jar, '-o', out, `${url}/api/file/a/b/data.bin`);
  t.equal(sha256(readFileSync(out)), sha256(readFileSync(file)));
  t.strictSame(await curl('-b', jar, `${url}/api/files_keys`), json('["a/b/data.bin","c"]'));
  t.strictSame(await curl('-b', jar, '-X', 'DELETE', `${url}/api/file/a/b/data.bin`), json('{}'));
  t.strictSame(await curl('-b', jar, '-X', 'DELETE', `${url}/api/file/a/b/data.bin`), json('{}'));
  t.strictSame(await curl('-b', jar, `${url}/api/file/a/b/data.bin`), json(NOT_FOUND));
  const left = '{"status_code":200,"message":"You have successfully logged out of your account"}';
  t.strictSame(await curl('-b', jar, '-c', jar, '-X', 'POST', `${url}/api/logout`), json(left));
  t.strictSame(await curl('-b', jar, `${url}/api/files_keys`), json(NOBODY));
  t.strictSame(await curl('-c', jar, '-d', `login=${login}`, '-d', 'password=p', `${url}/api/sign_in`), json(IN));
  t.strictSame(await curl('-b', jar, `${url}/api/files_keys`), json('["c"]'));
  t.strictSame(await curl('-u', `${login}:p`, `${url}/api/files_keys`), json('["c"]'));
  t.strictSame(await curl('-u', `${login}:wrong`, `${url}/api/files_keys`), json(NOBODY));
});

t.test('signing up and in', async (t) => {
  const { login, password, pair, client } = await newMember();
  t.match(client.cookie, /^session=[A-Za-z0-9_-]{40,}$/);
  const nobody = new CloudrestClient(http);
  says(t, await nobody.signUp(login, password, pair), BUSY, 'the same again');
  says(t, await nobody.signUp(login.toUpperCase(), 'other', newPair()), BUSY, 'the name in another case');
  says(t, await nobody.signUp(uniqueName(), password, pair), NOT_CORRECT, "another account's key");
  t.equal(nobody.cookie, undefined, 'a refusal sets no cookie');
  says(t, await nobody.signIn(login, 'wr"ong'), '{"password":"Password is not correct"}');
  says(t, await nobody.signIn(`${login}'"x`, password), `{"login":"'${login}'\\"x' is not found"}`);
  says(t, await nobody.signIn(login, password), IN);
  says(t, await nobody.signIn(login, password), '{"status_code":200,"message":"Cloud Server. You already authorized"}');

  const other = await newMember();
  const cookie = nobody.cookie;
  says(t, await nobody.signIn(other.login, other.password), IN, 'another account in the same client');
  t.not(nobody.cookie, cookie);

  const set = await http.request('POST', '/api/sign_in', { query: { login, password } });
  t.match(set.headers['set-cookie'], /^session=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/);
  const mail = `${uniqueName()}@example.org`;
  says(t, await new CloudrestClient(http).signUp(mail, password, newPair()), IN, 'an e-mail address is a login too');
  says(t, await new CloudrestClient(http).signUp(mail, password, newPair()), BUSY);
});

t.test('fields come in every way', async (t) => {
  const fields = () => ({ login: uniqueName(), password: 'pä:+ &', ...newPair() });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const ways: Record<string, (one: Record<string, string>, path: string) => Promise<Reply>> = {
    urlencoded: (one, to) => http.request('POST', to, { headers: form, body: new URLSearchParams(one).toString() }),
    query: (one, to) => http.request('POST', to, { query: one }),
    json: (one, to) => http.request('POST', to, { json: one }),
    untyped: (one, to) => http.request('POST', to, { body: new URLSearchParams(one).toString() }),
    multipart: (one, to) => {
      const { body, contentType } = multipart(Object.entries(one).map(([part, bytes]) => ({ part, bytes })));
      return http.request('POST', to, { body, headers: { 'content-type': contentType } });
    },
    'multipart with file names': (one, to) => {
      const parts = Object.entries(one).map(([part, bytes]) => ({ part, bytes, filename: part }));
      const { body, contentType } = multipart(parts);
      return http.request('POST', to, { body, headers: { 'content-type': contentType } });
    },
    'half and half': ({ login = '', ...rest }, to) =>
      http.request('POST', to, { query: { login }, headers: form, body: new URLSearchParams(rest).toString() }),
  };
  for (const [way, send] of Object.entries(ways)) {
    const one = fields();
    says(t, await send(one, '/api/sign_up'), IN, `sign_up by ${way}`);
    says(t, await send({ login: one.login, password: one.password }, '/api/sign_in/'), IN, `sign_in by ${way}`);
  }

  const names = ['login', 'password', 'access_key_id', 'secret_access_key'];
  const empty = (missing: string[]) =>
    JSON.stringify(Object.fromEntries(missing.map((one) => [one, 'Value is empty'])));
  for (let bits = 0; bits < 15; bits++) {
    const present = names.filter((_, at) => bits & (1 << at));
    const given = Object.fromEntries(present.map((one) => [one, 'abc']));
    const missing = names.filter((one) => !present.includes(one));
    says(t, await http.request('POST', '/api/sign_up', { query: given }), empty(missing), `only ${present}`);
  }
  says(t, await http.request('POST', '/api/sign_in', { query: { login: '' } }), empty(['login', 'password']));
  says(t, await http.request('POST', '/api/sign_in', { query: { login: 'x' } }), empty(['password']));
});

t.test('key pairs', async (t) => {
  const bad = {
    'too short': 'AK',
    'a space': 'AKIA 1',
    'a colon': 'AK:IA',
    long: 'A'.repeat(129),
    'not ASCII': 'AKIÄ',
  };
  for (const [what, id] of Object.entries(bad)) {
    const pair = { access_key_id: id, secret_access_key: 'secret' };
    const login = uniqueName();
    says(t, await new CloudrestClient(http).signUp(login, 'p', pair), NOT_CORRECT, `an id with ${what}`);
    const again = await new CloudrestClient(http).signIn(login, 'p');
    says(t, again, `{"login":"'${login}' is not found"}`, 'nothing was made');
  }
  for (const secret of ['with space', 'x'.repeat(257), 'tab\t']) {
    const pair = { ...newPair(), secret_access_key: secret };
    says(
      t,
      await new CloudrestClient(http).signUp(uniqueName(), 'p', pair),
      NOT_CORRECT,
      `the secret ${secret.slice(0, 9)}`,
    );
  }
  const longest = { access_key_id: uniqueName('A').padEnd(128, 'x'), secret_access_key: 'y'.repeat(256) };
  says(t, await new CloudrestClient(http).signUp(uniqueName(), 'p', longest), IN, 'the longest pair');
});

t.test('a pair that was revoked', async (t) => {
  const { login, password, pair, client } = await newMember();
  await client.put('kept', 'kept bytes');
  const session = await new Client(http).logIn(login, password);
  const native = new Client(http, `Bearer ${session.accessToken}`);
  const revoked = await native.request('DELETE', `/v1/keys/${pair.access_key_id}`);
  t.equal(revoked.status, 204, revoked.text());

  const again = new CloudrestClient(http);
  says(t, await again.signIn(login, password), NOT_VALID);
  t.equal(again.cookie, undefined);
  says(t, await again.signIn(login, 'wrong'), '{"password":"Password is not correct"}');
  says(t, await again.signUp(login, 'wrong', newPair()), BUSY, 'with another password');
  const other = await newMember();
  says(t, await again.signUp(login, password, other.pair), NOT_CORRECT, "with somebody else's pair");
  says(t, await again.signUp(login, password, newPair()), IN, 'with a new pair');
  t.strictSame(await again.keys(), ['kept'], 'the files stayed');
  says(t, await new CloudrestClient(http).signIn(login, password), IN);
  says(t, await new CloudrestClient(http).signUp(login, password, newPair()), BUSY, 'the new pair lives');
});

t.test('sessions', async (t) => {
  const { login, password, client } = await newMember();
  const second = new CloudrestClient(http);
  await second.signIn(login, password);
  t.not(second.cookie, client.cookie, 'each client has its own');
  const { cookie } = second;
  await second.logOut();
  t.equal(second.cookie, undefined, 'the cookie is taken back');
  says(t, await new CloudrestClient(http, cookie).request('GET', '/api/files_keys'), NOBODY, 'an old cookie');
  t.strictSame(await client.keys(), [], 'the other session lives');

  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const asked = (headers: Record<string, string>) => http.request('GET', '/api/files_keys', { headers });
  says(t, await asked(basic(`${login}:${password}`)), '[]');
  for (const text of [`${login}:`, `:${password}`, login, '', `${login}:x`, `nobody-${login}:x`])
    says(t, await asked(basic(text)), NOBODY, `Basic ${text}`);
  for (const header of ['Basic', 'Basic !!', 'Bearer x', `Basic ${'A'.repeat(8000)}`])
    says(t, await asked({ authorization: header }), NOBODY, header.slice(0, 20));
  for (const bad of ['session=', 'session=x', 'session=%00', `session=${'A'.repeat(300)}`, 'a=b; session', ';;='])
    says(t, await asked({ cookie: bad }), NOBODY, bad.slice(0, 20));
  says(
    t,
    await asked({ cookie: client.cookie?.replace('session', 'other') ?? '' }),
    NOBODY,
    'a cookie of another name',
  );
  says(t, await asked({ cookie: `session=bad; session=${client.cookie?.slice(8)}` }), NOBODY, 'the first one counts');
  says(t, await asked({ ...basic(`${login}:${password}`), cookie: 'session=bad' }), '[]', 'Basic beside an old cookie');

  const native = new Client(http, `Bearer ${(await new Client(http).logIn(login, password)).accessToken}`);
  const changed = await native.request('PUT', '/v1/me/password', {
    json: { currentPassword: password, newPassword: 'another good password' },
  });
  t.equal(changed.status, 204, changed.text());
  await waitFor('the sessions to end', async () => (await client.request('GET', '/api/files_keys')).text() === NOBODY);
  says(t, await asked(basic(`${login}:${password}`)), NOBODY, 'a password that was changed');
  says(t, await client.request('GET', '/api/files_keys'), NOBODY, 'and the sessions from before it');
  says(t, await asked(basic(`${login}:another good password`)), '[]');
});

t.test('Basic costs one session, not one for each request', async (t) => {
  const { login, password } = await newMember();
  const headers = { authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}` };
  const many = await Promise.all(Array.from({ length: 40 }, () => http.request('GET', '/api/files_keys', { headers })));
  t.ok(many.every((reply) => reply.text() === '[]'));
  const native = new Client(http, `Bearer ${(await new Client(http).logIn(login, password)).accessToken}`);
  const { items } = (await native.request('GET', '/v1/sessions')).json<{ items: unknown[] }>();
  t.equal(items.length, 2, 'that of the sign-up, which Basic shares, and that of the question');
});

t.test('files', async (t) => {
  const { client } = await newMember();
  const types = [
    'image/png',
    'text/plain; charset=latin1',
    'application/octet-stream',
    'application/json',
    'x/y;a="b"',
  ];
  for (const type of types) {
    says(t, await client.put('typed', '{"a":', type), uploaded('typed'));
    t.equal((await client.get('typed')).headers['content-type'], type, 'the type given');
  }
  t.equal((await client.get('typed')).text(), '{"a":', 'bytes that are not what their type says');
  await client.put('untyped.txt', 'plain words');
  t.equal((await client.get('untyped.txt')).headers['content-type'], 'text/plain; charset=utf-8');

  const keys = [
    'a',
    'a/b',
    'a/b/c.bin',
    "it's",
    'mit Leerzeichen/ä?#%&+',
    '日本/語',
    '..a',
    'x'.repeat(255),
    '-',
    '%41',
  ];
  for (const key of keys) says(t, await client.put(key, key), uploaded(key));
  for (const key of keys) t.equal((await client.get(key)).text(), key, key);
  t.strictSame((await client.keys()).sort(), [...keys, 'typed', 'untyped.txt'].sort());

  await client.put('a', 'second');
  t.equal((await client.get('a')).text(), 'second', 'replaced');
  t.equal((await client.get('a/b')).text(), 'a/b', 'and not what stands beside it');
  const part = await client.request('GET', '/api/file/a', { headers: { range: 'bytes=1-2' } });
  t.strictSame([part.status, part.text()], [206, 'ec']);
  const beyond = await client.request('GET', '/api/file/a', { headers: { range: 'bytes=99-' } });
  t.strictSame(
    [beyond.status, beyond.json<{ status_code: number }>().status_code],
    [416, 416],
    'never taken for a file',
  );
  const header = await client.request('HEAD', '/api/file/a');
  t.strictSame([header.status, header.headers['content-length'], header.text()], [200, '6', '']);

  const big = someBytes(20 * 1024 * 1024);
  const chunked = Readable.from([big.subarray(0, 7), big.subarray(7, 10_000_000), big.subarray(10_000_000)]);
  says(t, await client.put('big/chunked', chunked, 'video/mp4'), uploaded('big/chunked'));
  t.equal(sha256((await client.get('big/chunked')).body), sha256(big));
  const head = ['PUT /api/file/empty HTTP/1.1', 'host: x', `cookie: ${client.cookie}`, 'transfer-encoding: chunked'];
  const nothing = await rawRequest(url, { pieces: [`${head.join('\r\n')}\r\n\r\n`, 20, '0\r\n\r\n'] });
  t.strictSame([nothing?.status, nothing?.text()], [200, NO_FILE], 'chunked and empty');
  says(t, await client.put('empty', ''), NO_FILE, 'of no length');
  says(t, await client.get('empty'), NOT_FOUND, 'nothing was stored');
  says(t, await client.get('big'), NOT_FOUND, 'a folder is no file');
  says(t, await client.delete('big'), '{}');
  t.equal((await client.get('big/chunked')).status, 200, 'deleting a key deletes nothing below it');
  says(t, await client.delete('big/chunked'), '{}');
  says(t, await client.get('big/chunked'), NOT_FOUND);

  const stranger = await newMember();
  says(t, await stranger.client.get('a'), NOT_FOUND, "another account's tree");
  const nobody = new CloudrestClient(http);
  for (const method of ['GET', 'PUT', 'DELETE'] as const)
    says(t, await nobody.request(method, '/api/file/a', method === 'PUT' ? { body: 'x' } : {}), NOBODY, method);
  const large = new CloudrestClient(new Http(url));
  // So much is read after a refusal; of more, a client may see the end of the connection before the answer.
  says(t, await large.put('a', big.subarray(0, 900_000)), NOBODY, 'refused while the body is still on its way');
  await large.http.close();
});

t.test('the quota', async (t) => {
  const { login, password, client } = await newMember();
  const native = new Client(http, `Bearer ${(await new Client(http).logIn(login, password)).accessToken}`);
  const { id } = await native.me();
  const operator = await stack.operator();
  await operator.client.updateAccount(id, { limitBytes: 1000 });
  says(t, await client.put('fits', someBytes(900)), uploaded('fits'));
  for (const body of [someBytes(200), Readable.from([someBytes(100_000)])]) {
    const reply = await client.put('does-not', body);
    t.equal(reply.status, 200);
    t.match(reply.text(), /^\{"status_code": 507, "message": "[^"]+"\}$/);
  }
  t.strictSame(await client.keys(), ['fits']);
  says(t, await client.delete('fits'), '{}');
  const again = async () => (await client.put('does-not', someBytes(200))).text() === uploaded('does-not');
  await waitFor('the space to be given back', again);
});

t.test('bad input', async (t) => {
  const { client } = await newMember();
  const { cookie = '' } = client;
  const put = (target: string) => ({ target, method: 'PUT', body: 'x' });
  const form = (body: string | Buffer, type = 'application/x-www-form-urlencoded') => ({
    target: '/api/sign_up',
    method: 'POST',
    body,
    type,
  });
  const cases: { target: string; method: string; body?: string | Buffer; type?: string; says?: string }[] = [
    ...[
      '../x',
      'a/../b',
      './x',
      'a/./b',
      'a//b',
      '/a',
      'a/',
      '%2e%2e/x',
      'a/%2E%2E',
      '..',
      '.',
      '//',
      'a%2fb',
      '%2F',
    ].map((key) => put(`/api/file/${key}`)),
    ...['%00', 'a%00b', '%zz', '%', '%f', 'a%ff', '%c3%28', '%ed%a0%80', 'x'.repeat(256), 'ä'.repeat(128)].map((key) =>
      put(`/api/file/${encodeURI(key).replaceAll('%25', '%')}`),
    ),
    put(`/api/file/${'a/'.repeat(300)}b`),
    { target: '/api/file/%zz', method: 'GET', says: NOT_FOUND },
    { target: '/api/file/a%ff', method: 'GET', says: NOT_FOUND },
    { target: '/api/file/../x', method: 'GET', says: NOT_FOUND },
    { target: '/api/file/%00', method: 'DELETE', says: '{}' },
    { target: '/api/file/..', method: 'DELETE', says: '{}' },
    { target: '/api/file/', method: 'PUT', body: 'x', says: UNKNOWN_URL },
    { target: '/api/file/', method: 'GET', says: UNKNOWN_URL },
    { target: '/api/file', method: 'PUT', body: 'x', says: UNKNOWN_URL },
    { target: '/api/nothing', method: 'GET', says: UNKNOWN_URL },
    { target: '/api/sign_up/x', method: 'POST', body: 'x', says: UNKNOWN_URL },
    { target: '/api', method: 'GET', says: UNKNOWN_URL },
    form('{"login":', 'application/json'),
    form('[1]', 'application/json'),
    form('null', 'application/json'),
    form(Buffer.from('{"login":"\xff"}', 'latin1'), 'application/json'),
    form('x', 'multipart/form-data'),
    form('--b\r\nno form', 'multipart/form-data; boundary=b'),
    form(`login=${'x'.repeat(70_000)}`),
    form('x'.repeat(1024 * 1024 + 1)),
    form(Array.from({ length: 100 }, (_, n) => `f${n}=1`).join('&')),
    ...['\0', 'a b ', ' x', 'a:b', 'x'.repeat(65), '\u202e', 'a@', 'a\nb'].map((login) =>
      form(new URLSearchParams({ login, password: 'p', ...newPair() }).toString()),
    ),
    form(new URLSearchParams({ login: uniqueName(), password: 'p'.repeat(1025), ...newPair() }).toString()),
    { target: `/api/sign_in?login=${'x'.repeat(300)}&password=p`, method: 'POST' },
    { target: `/api/sign_in?login=x&password=${'p'.repeat(1100)}`, method: 'POST' },
    ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => ({ target: '/api/sign_up', method })),
    ...['POST', 'PATCH'].map((method) => ({ target: '/api/file/x', method, body: 'x' })),
    { target: '/api/files_keys', method: 'DELETE' },
    { target: '/api/file/x', method: 'PUT', body: 'x', type: 'no type at all' },
  ];
  t.ok(cases.length >= 30);
  for (const { target, method, body = '', type, says: expected } of cases) {
    const head = [`${method} ${target} HTTP/1.1`, 'host: x', `cookie: ${cookie}`, 'connection: close'];
    if (type !== undefined) head.push(`content-type: ${type}`);
    const bytes = Buffer.from(body);
    if (bytes.length > 0) head.push(`content-length: ${bytes.length}`);
    const reply = await rawRequest(url, { pieces: [`${head.join('\r\n')}\r\n\r\n`, bytes] });
    const what = `${method} ${target.slice(0, 60)} ${bytes.toString().slice(0, 40)}`;
    t.equal(reply?.status, 200, what);
    t.equal(reply?.headers['content-type'], 'application/json', what);
    if (expected === undefined) {
      const answer = reply?.json<Record<string, unknown>>() ?? {};
      t.notMatch(reply?.text() ?? IN, /successfully|"status_code": ?5/, what);
      t.ok(answer.message ?? answer.login ?? answer.password ?? answer.access_or_secret_key, what);
    } else t.equal(reply?.text(), expected, what);
  }
  t.strictSame(await client.keys(), [], 'nothing was stored');
});

t.test('a hundred at once', async (t) => {
  const count = 100;
  const race = async (one: (n: number) => { login: string; pair: CloudrestPair }) => {
    const replies = await Promise.all(
      Array.from({ length: count }, (_, n) => {
        const { login, pair } = one(n);
        return new CloudrestClient(http).signUp(login, 'p', pair);
      }),
    );
    const counts = new Map<string, number>();
    for (const reply of replies) counts.set(reply.text(), (counts.get(reply.text()) ?? 0) + 1);
    return Object.fromEntries(counts);
  };
  const login = uniqueName();
  t.strictSame(await race(() => ({ login, pair: newPair() })), { [IN]: 1, [BUSY]: count - 1 }, 'one login');
  const pair = newPair();
  t.strictSame(await race(() => ({ login: uniqueName(), pair })), { [IN]: 1, [NOT_CORRECT]: count - 1 }, 'one key id');
  const both = { login: uniqueName(), pair: newPair() };
  t.strictSame(await race(() => both), { [IN]: 1, [BUSY]: count - 1 }, 'both');

  const { client } = await newMember();
  const puts = await Promise.all(Array.from({ length: count }, (_, n) => client.put('one/key', `content ${n}`)));
  t.ok(puts.every((reply) => reply.text() === uploaded('one/key')));
  t.strictSame(await client.keys(), ['one/key'], 'one key is one file');
  const deletes = await Promise.all(Array.from({ length: count }, () => client.delete('one/key')));
  t.ok(deletes.every((reply) => reply.text() === '{}'));
});

t.test('an account from elsewhere', async (t) => {
  const username = uniqueName();
  const password = 'a good long password';
  const nobody = new Client(http);
  await nobody.createAccount({ username, email: `${username}@example.org`, password });
  const client = new CloudrestClient(http);
  says(t, await client.signIn(`${username}@example.org`, password), IN, 'it never had a pair, and needs none');
  await client.put('here', 'bytes');
  const native = new Client(http, `Bearer ${(await nobody.logIn(username, password)).accessToken}`);
  t.equal((await native.request('GET', '/v1/files/here')).text(), 'bytes');
  says(t, await new CloudrestClient(http).signUp(username, password, newPair()), BUSY);
});

t.test('attempts are limited', async (t) => {
  const strict = await startOwnStack({ env: { LOGIN_ATTEMPTS_PER_ACCOUNT: '2' } });
  t.teardown(() => strict.stop());
  const login = uniqueName();
  await new CloudrestClient(strict.http).signUp(login, 'p', newPair());
  const tried = () => new CloudrestClient(strict.http).signIn(login, 'wrong');
  await tried();
  await tried();
  const reply = await tried();
  t.equal(reply.status, 429, 'not to be taken for an answer to the password');
  t.match(reply.text(), /^\{"status_code": 429, "message": "[^"]+"\}$/);
  t.ok(Number(reply.headers['retry-after']) > 0);
  const headers = { authorization: `Basic ${Buffer.from(`${login}:wrong`).toString('base64')}` };
  t.equal((await strict.http.request('GET', '/api/files_keys', { headers })).status, 429, 'Basic counts as well');
  const json = { username: login, password: 'wrong' };
  const other = await strict.http.request('POST', '/users/login', { json });
  t.equal(other.status, 429, 'one count for all doors');
  t.match(other.text(), /^\{"error":"[^"]+"\}$/);
});
