/** The API of pictures in JSON, as its document has it, by URL alone. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { ImagesClient, VertexClient } from '../../src/dialects/index.ts';
import {
  Client,
  multipart,
  newPerson,
  PASSWORD,
  type Reply,
  startTestStack,
  tally,
  uniqueName,
} from '../../src/index.ts';
import { BMP, GIF, JPEG, PNG, SVG, TIFF, WEBP } from './pictures.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http } = stack;
const emailOf = (login: string): string => `${login}@example.org`;

async function newUser(): Promise<ImagesClient & { readonly login: string; readonly id: string }> {
  const client = new ImagesClient(http);
  const login = uniqueName();
  const { id } = await client.register(login, emailOf(login), PASSWORD);
  await client.logIn(login, PASSWORD);
  return Object.assign(client, { login, id });
}

/** The same account through the native API. */
async function nativeOf(login: string): Promise<Client> {
  return new Client(http, `Bearer ${(await new Client(http).logIn(login, PASSWORD)).accessToken}`);
}

/** The answer is this refusal, to the byte. */
function refused(t: Test, reply: Reply, status: number, message: string, about = message): void {
  const body = JSON.stringify({ status_code: status, message });
  t.strictSame([reply.status, reply.headers['content-type'], reply.text()], [status, 'application/json', body], about);
}

/** The answer is some refusal in this API's shape, and no fault of the service. */
function refusedSomehow(t: Test, reply: Reply, about: string): void {
  const got = { about, got: `${reply.status} ${reply.text().slice(0, 200)}` };
  t.ok(reply.status >= 400 && reply.status < 500, about, got);
  t.match(reply.headers['content-type'], /^application\/json/, about, got);
  const body = reply.json<{ status_code: number; message: string }>();
  t.strictSame(Object.keys(body), ['status_code', 'message'], about, got);
  t.equal(body.status_code, reply.status, about, got);
}

t.test('registration, however its fields are sent', async (t) => {
  const form = (fields: Record<string, string>) => {
    const { body, contentType } = multipart(Object.entries(fields).map(([part, bytes]) => ({ part, bytes })));
    return { body, headers: { 'content-type': contentType } };
  };
  const ways: Record<string, (fields: Record<string, string>) => object> = {
    JSON: (json) => ({ json }),
    'JSON without a type': (fields) => ({ body: JSON.stringify(fields) }),
    urlencoded: (fields) => ({
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
    multipart: form,
  };
  for (const [way, options] of Object.entries(ways)) {
    const login = uniqueName('New');
    const reply = await http.request(
      'POST',
      '/api/registration',
      options({ login, email: emailOf(login), password: 'x' }),
    );
    t.equal(reply.status, 200, way);
    t.equal(reply.headers['content-type'], 'application/json');
    const { createTime, id } = reply.json<{ createTime: string; id: string }>();
    t.equal(reply.text(), JSON.stringify({ createTime, email: emailOf(login), id, login }), `${way}: as documented`);
    t.match(createTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    t.match(id, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    t.ok(Math.abs(Date.parse(createTime) - Date.now()) < 600_000);
  }
});

t.test('a name or an address that is taken, or none', async (t) => {
  const { login } = await newUser();
  const other = uniqueName();
  const register = (json: object) => http.request('POST', '/api/registration', { json });
  const with_ = (fields: object) => register({ login: other, email: emailOf(other), password: 'x', ...fields });
  refused(t, await with_({ login }), 409, `Login ${login} already exists`);
  refused(t, await with_({ login: login.toUpperCase() }), 409, `Login ${login.toUpperCase()} already exists`);
  refused(t, await with_({ email: emailOf(login) }), 409, `Email ${emailOf(login)} already exists`);
  refused(t, await with_({ login: 'ab' }), 400, 'Invalid login ab');
  refused(t, await with_({ login: '' }), 400, 'Invalid login ');
  refused(t, await with_({ login: 'a:bc' }), 400, 'Invalid login a:bc');
  refused(t, await with_({ login: ' abc' }), 400, 'Invalid login  abc');
  refused(t, await with_({ email: 'nobody' }), 400, 'Invalid email nobody');
  refused(t, await with_({ email: '' }), 400, 'Invalid email ');
  refused(t, await with_({ password: '' }), 400, 'Invalid password');
  t.equal((await with_({})).status, 200, 'none of them took the name');
});

t.test('login by GET with a body and by POST; the key with and without Bearer', async (t) => {
  const { login } = await newUser();
  for (const method of ['GET', 'POST']) {
    const reply = await http.request(method, '/api/login', { json: { login, password: PASSWORD } });
    const { Authorization } = reply.json<{ Authorization: string }>();
    t.equal(reply.text(), JSON.stringify({ Authorization }), method);
    t.ok(Authorization.length >= 32);
    for (const authorization of [Authorization, `Bearer ${Authorization}`, `bearer ${Authorization}`]) {
      t.equal((await http.request('GET', '/api/me', { headers: { authorization } })).status, 200);
    }
  }
  const byAddress = new ImagesClient(http);
  await byAddress.logIn(emailOf(login), PASSWORD);
  t.equal((await byAddress.me()).login, login, 'by e-mail address');

  const wrong = [
    { login, password: 'wrong' },
    { login: uniqueName(), password: PASSWORD },
    { login },
    { password: PASSWORD },
    {},
    { login: 'x'.repeat(300), password: 'x' },
    { login, password: 'x'.repeat(2000) },
  ];
  for (const json of wrong) {
    for (const method of ['GET', 'POST']) {
      refused(t, await http.request(method, '/api/login', { json }), 403, 'Incorrect login or password');
    }
  }
});

t.test('without a living key there is no me and no upload', async (t) => {
  const user = await newUser();
  const vertexKey = await new VertexClient(http).logIn(user.login, PASSWORD);
  const native = await new Client(http).logIn(user.login, PASSWORD);
  for (const authorization of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'x',
    'null',
    'x'.repeat(3000),
    vertexKey,
    native.accessToken,
  ]) {
    const headers = authorization === undefined ? {} : { authorization };
    const about = `${authorization}`.slice(0, 20);
    refused(t, await http.request('GET', '/api/me', { headers }), 401, 'Unauthorized', about);
    const json = { data: PNG.toString('base64') };
    refused(t, await http.request('POST', '/api/images', { headers, json }), 401, 'Unauthorized', about);
  }
  const client = new Client(http, `Bearer ${native.accessToken}`);
  await client.endOtherSessions();
  for (let tries = 0; tries < 50 && (await user.request('GET', '/api/me')).status === 200; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  refused(t, await user.request('GET', '/api/me'), 401, 'Unauthorized', 'a session that was ended elsewhere');
});

t.test('upload, me, and the picture as it was', async (t) => {
  const user = await newUser();
  const reply = await user.request('POST', '/api/images', {
    json: { data: PNG.toString('base64'), description: 'Me at the zoo' },
  });
  t.equal(reply.status, 200);
  const { id, upload_date } = reply.json<{ id: string; upload_date: string }>();
  const source = `/api/images/${id}`;
  t.equal(reply.text(), JSON.stringify({ id, login: user.login, source, upload_date }));
  t.match(upload_date, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00$/);

  const me = await user.request('GET', '/api/me');
  const images = [{ description: 'Me at the zoo', id, source, upload_date: upload_date.slice(0, -6) }];
  t.equal(me.text(), JSON.stringify({ id: user.id, images, login: user.login, description: '' }));
  t.equal(me.headers['content-type'], 'application/json');

  const page = await http.request('GET', `/api/user/${user.login}`);
  t.equal(page.text(), JSON.stringify({ id: user.id, login: user.login, description: '', images }), 'for everyone');
  refused(t, await http.request('GET', '/api/user/nobody-at-all'), 404, 'User nobody-at-all not found');
  refused(
    t,
    await http.request('GET', `/api/user/${emailOf(user.login)}`),
    404,
    `User ${emailOf(user.login)} not found`,
  );
  refused(t, await http.request('GET', `/api/user/${user.id}`), 404, `User ${user.id} not found`);

  const shown = await http.request('GET', source);
  t.equal(shown.headers['content-type'], 'image/png');
  t.match(shown.headers['content-disposition'], /^inline/);
  t.ok(shown.body.equals(PNG), 'to someone without a key');
  t.equal((await http.request('HEAD', source)).headers['content-length'], String(PNG.length));
  const etag = shown.headers.etag ?? '';
  t.equal((await http.request('GET', source, { headers: { 'if-none-match': etag } })).status, 304);
  const part = await http.request('GET', source, { headers: { range: 'bytes=0-7' } });
  t.equal(part.status, 206);
  t.ok(part.body.equals(PNG.subarray(0, 8)));
  t.equal((await http.request('GET', source, { headers: { authorization: 'an old key' } })).status, 200);
});

t.test('each kind of picture keeps its type, however its base64 is written', async (t) => {
  const user = await newUser();
  const kinds = {
    'image/png': PNG,
    'image/gif': GIF,
    'image/jpeg': JPEG,
    'image/webp': WEBP,
    'image/bmp': BMP,
    'image/tiff': TIFF,
  };
  for (const [mime, bytes] of Object.entries(kinds)) {
    const shown = await user.image((await user.upload(bytes)).id);
    t.equal(shown.headers['content-type'], mime);
    t.ok(shown.body.equals(bytes));
  }
  const plain = PNG.toString('base64');
  const spellings: Record<string, string> = {
    'URL-safe': JSON.stringify({ data: PNG.toString('base64url') }),
    'a data URI': JSON.stringify({ data: `data:image/jpeg;base64,${plain}` }),
    'broken lines': JSON.stringify({ data: plain.replace(/.{76}/g, '$&\n') }),
    'slashes escaped': JSON.stringify({ data: plain }).replaceAll('/', '\\/'),
    'signs escaped': JSON.stringify({ data: plain }).replaceAll('+', '\\u002B').replaceAll('=', '\\u003d'),
    'the description first': JSON.stringify({ description: 'd', data: plain }),
    'more than is asked': JSON.stringify({ album: { data: ['x'] }, data: plain, public: true, description: null }),
    'white space': `\n {\t"data" :\r\n"${plain}" } \n`,
  };
  for (const [spelling, body] of Object.entries(spellings)) {
    const reply = await user.request('POST', '/api/images', { body, headers: { 'content-type': 'application/json' } });
    t.equal(reply.status, 200, spelling);
    t.ok((await user.image(reply.json<{ id: string }>().id)).body.equals(PNG), spelling);
    const untyped = await user.request('POST', '/api/images', {
      body: Readable.from(body.match(/[\s\S]{1,7}/g) ?? []),
    });
    t.equal(untyped.status, 200, `${spelling}, byte by byte and without a type`);
  }
});

t.test('20 MiB as they come, and no more than is allowed', async (t) => {
  const user = await newUser();
  const big = Buffer.concat([PNG, randomBytes(20 * 1024 * 1024)]);
  const { id } = await user.upload(big, 'large');
  t.ok((await user.image(id)).body.equals(big));
  if (stack.local === undefined) return;
  const reply = await user.request('POST', '/api/images', {
    json: { data: Buffer.concat([PNG, Buffer.alloc(33_554_432)]).toString('base64') },
  });
  refused(t, reply, 413, 'A picture has at most 33554432 bytes');
  t.equal((await user.me()).images.length, 1, 'nothing is left of it');
});

t.test('a client that goes away in the middle leaves nothing', async (t) => {
  const user = await newUser();
  async function* cut(): AsyncGenerator<string> {
    yield `{"data":"${PNG.toString('base64').replace(/=+$/, '')}`;
    for (let n = 0; n < 20; n++) yield 'A'.repeat(100_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error('gone');
  }
  await t.rejects(user.request('POST', '/api/images', { body: Readable.from(cut()) }));
  t.strictSame((await user.me()).images, []);
  t.match(await nativeOf(user.login).then((native) => native.usage()), { usedBytes: 0, files: 0 });
});

t.test('what is no picture in JSON is refused, and nothing is left of it', async (t) => {
  const user = await newUser();
  const good = PNG.toString('base64');
  const data = (value: unknown) => JSON.stringify({ data: value });
  const bodies: Record<string, string | Buffer> = {
    'no body': '',
    'an empty object': '{}',
    'an array': `[{"data":"${good}"}]`,
    'a string': `"${good}"`,
    null: 'null',
    'data is null': data(null),
    'data is a number': data(1),
    'data is an object': data({ data: good }),
    'data is a list': data([good]),
    'no data': JSON.stringify({ description: 'only' }),
    'empty data': data(''),
    'an empty data URI': data('data:image/png;base64,'),
    'a data URI that is not base64': data(`data:image/png,${good}`),
    'a foreign character': data(`${good.slice(0, 20)}!${good.slice(20)}`),
    'not ASCII': data(`é${good}`),
    'padding within': data(`ab==${good}`),
    'too much padding': data(`${good}=`),
    'one character too many': data(`${good.replaceAll('=', '')}${'A'.repeat(good.length % 4 === 0 ? 3 : 1)}`),
    'text as base64': data(Buffer.from('hello').toString('base64')),
    'HTML as base64': data(Buffer.from('<html><script>alert(1)</script>').toString('base64')),
    SVG: data(SVG.toString('base64')),
    'a PDF': data(Buffer.from('%PDF-1.7\n%âãÏÓ').toString('base64')),
    'a zip': data(Buffer.from('504b0304140000000800', 'hex').toString('base64')),
    'ten thousand bytes of nothing': data(Buffer.alloc(10_000).toString('base64')),
    'truncated in the data': `{"data":"${good.slice(0, 40)}`,
    'truncated after the data': `{"data":"${good}"`,
    'something behind it': `{"data":"${good}"}x`,
    'another object behind it': `{"data":"${good}"}{}`,
    'data twice': `{"data":"${good}","data":"${good}"}`,
    'data twice, spelled otherwise': `{"data":"${good}","d\\u0061ta":"${good}"}`,
    'no comma': `{"description":"x" "data":"${good}"}`,
    'a raw line break': `{"data":"${good.slice(0, 8)}\n${good.slice(8)}"}`,
    'a broken escape': `{"data":"\\u00zz${good}"}`,
    'single quotes': `{'data':'${good}'}`,
    'not UTF-8': Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff, 0xfe]), Buffer.from(`","data":"${good}"}`)]),
    'a form': `data=${encodeURIComponent(good)}`,
    'description is a number': JSON.stringify({ data: good, description: 1 }),
    'description is a list': JSON.stringify({ data: good, description: ['x'] }),
    'a long description': JSON.stringify({ data: good, description: 'x'.repeat(4097) }),
    'half a character': `{"data":"${good}","description":"\\ud800"}`,
    'deep nesting': `{"data":"${good}","x":${'['.repeat(10_000)}`,
  };
  for (const [about, body] of Object.entries(bodies)) {
    const reply = await user.request('POST', '/api/images', { body, headers: { 'content-type': 'application/json' } });
    refusedSomehow(t, reply, about);
    t.equal(reply.status, 400, about);
  }
  const tooMuch = JSON.stringify({ data: good, description: 'x'.repeat(100_000) });
  t.equal((await user.request('POST', '/api/images', { body: tooMuch })).status, 413);
  const coded = { body: data(good), headers: { 'content-encoding': 'gzip' } };
  t.equal((await user.request('POST', '/api/images', coded)).status, 415);
  const { body, contentType } = multipart([{ part: 'data', filename: 'a.png', bytes: PNG }]);
  refusedSomehow(
    t,
    await user.request('POST', '/api/images', { body, headers: { 'content-type': contentType } }),
    'multipart',
  );
  t.strictSame((await user.me()).images, []);
  const native = await nativeOf(user.login);
  t.match(await native.usage(), { usedBytes: 0, files: 0 });
});

t.test('other bad input gets this API’s own refusals', async (t) => {
  const user = await newUser();
  const json = (body: string) => ({ body, headers: { 'content-type': 'application/json' } });
  const form = (body: string | Buffer, type = 'multipart/form-data; boundary=x') => ({
    body,
    headers: { 'content-type': type },
  });
  const cases: [string, string, object?][] = [
    ['POST', '/api/registration', json('{')],
    ['POST', '/api/registration', json('[]')],
    ['POST', '/api/registration', json('null')],
    ['POST', '/api/registration', json('"x"')],
    ['POST', '/api/registration', json('')],
    ['POST', '/api/registration', json('{"login":{"a":1},"email":[],"password":null}')],
    ['POST', '/api/registration', json(`{"login":"${'x'.repeat(100)}","email":"a@b.example","password":"x"}`)],
    ['POST', '/api/registration', json(`{"login":"abc\\u0000","email":"a@b.example","password":"x"}`)],
    ['POST', '/api/registration', json(`{"login":"abcd","email":"${'x'.repeat(300)}@b.example","password":"x"}`)],
    ['POST', '/api/registration', json(`{"login":"abcd","email":"a@b.example","password":"${'x'.repeat(2000)}"}`)],
    ['POST', '/api/registration', json('x'.repeat(1_100_000))],
    ['POST', '/api/registration', form('--y\r\n')],
    ['POST', '/api/registration', form('--x\r\n', 'multipart/form-data')],
    ['POST', '/api/registration', form(Buffer.from([0xff, 0xfe, 0xfd]), 'application/x-www-form-urlencoded')],
    ['POST', '/api/registration', form('<a/>', 'text/xml')],
    ['GET', '/api/login', json('{')],
    ['POST', '/api/login', json('[1]')],
    ['POST', '/api/login', json('{"login":["a"],"password":{"$ne":null}}')],
    ['GET', '/api/login'],
    ['GET', '/api/images/x'],
    ['GET', '/api/images/00000000-0000-0000-0000-000000000000'],
    ['GET', '/api/images/F5C234C5-2F0B-44A2-B4E6-9E89CEE7545A'],
    ['GET', '/api/images/..%2f..%2fetc'],
    ['GET', `/api/images/${'x'.repeat(3000)}`],
    ['GET', '/api/images/%00'],
    ['GET', '/api/images/feed?limit=0'],
    ['GET', '/api/images/feed?limit=-1'],
    ['GET', '/api/images/feed?limit=x'],
    ['GET', '/api/images/feed?limit=1&limit=2'],
    ['GET', '/api/images/feed?cursor=nonsense'],
    ['GET', `/api/images/feed?cursor=${'x'.repeat(3000)}`],
    ['GET', '/api/user/%00'],
    ['GET', `/api/user/${'x'.repeat(1000)}`],
    ['GET', '/api/user/a%2fb'],
  ];
  for (const [method, path, options = {}] of cases) {
    refusedSomehow(
      t,
      await user.request(method, path, options),
      `${method} ${path.slice(0, 60)} ${JSON.stringify(options).slice(0, 80)}`,
    );
  }
  refused(t, await http.request('GET', '/api/images/x'), 404, 'Image x not found');
});

t.test('other methods', async (t) => {
  const allowed: Record<string, string> = {
    '/api/registration': 'POST',
    '/api/login': 'GET, HEAD, POST',
    '/api/me': 'GET, HEAD',
    '/api/user/x': 'GET, HEAD',
    '/api/images': 'POST',
    '/api/images/feed': 'GET, HEAD',
    '/api/images/x': 'GET, HEAD',
  };
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !allow.includes(one))) {
      const reply = await http.request(method, path, { body: '{' });
      refused(t, reply, 405, 'Method not allowed', `${method} ${path}`);
      t.equal(reply.headers.allow, allow, `${method} ${path}`);
    }
  }
});

t.test('who may see what', async (t) => {
  const user = await newUser();
  const client = await nativeOf(user.login);
  const { id } = await user.upload(PNG, 'shown, hidden, shown, gone');
  const folder = (await client.children('root')).items.find(({ name }) => name === 'Images');
  t.ok(folder, 'the pictures are in a folder of the account');
  t.match((await client.children(folder?.id ?? '')).items, [{ id, mime: 'image/png', generalAccess: 'viewer' }]);

  const setAccess = (generalAccess: string, node = id) =>
    client.request('PATCH', `/v1/nodes/${node}`, { json: { generalAccess } });
  t.equal((await setAccess('restricted')).status, 200);
  refused(t, await http.request('GET', `/api/images/${id}`), 404, `Image ${id} not found`);
  t.equal((await user.image(id)).status, 200, 'its owner still sees it');
  t.equal(
    (
      await user.request('GET', `/api/images/${id}`, {
        headers: { authorization: (await newUser()).authorization ?? '' },
      })
    ).status,
    404,
  );
  t.notOk((await user.feed()).some((image) => image.id === id));
  await setAccess('viewer');
  t.equal((await http.request('GET', `/api/images/${id}`)).status, 200);

  const text = await client.putFile('notes.txt', 'secret notes');
  refused(t, await user.image(text.id), 404, `Image ${text.id} not found`, 'what is no picture is not shown here');
  const svg = await client.putFile('active.svg', SVG, { headers: { 'content-type': 'image/svg+xml' } });
  await setAccess('viewer', svg.id);
  t.equal((await http.request('GET', `/api/images/${svg.id}`)).status, 404, 'nor a picture that may act');
  const photo = await client.putFile('private.png', PNG, { headers: { 'content-type': 'image/png' } });
  t.equal((await http.request('GET', `/api/images/${photo.id}`)).status, 404, 'nor what is not for everyone');
  t.equal((await user.image(photo.id)).status, 200);
  refused(t, await user.image(folder?.id ?? ''), 404, `Image ${folder?.id} not found`);

  await client.deleteNode(id);
  refused(t, await user.image(id), 404, `Image ${id} not found`, 'in the trash');
  t.strictSame((await user.me()).images, []);
  await client.restore(id);
  t.equal((await http.request('GET', `/api/images/${id}`)).status, 200);
  await client.deleteNode(id, { permanent: true });
  refused(t, await http.request('GET', `/api/images/${id}`), 404, `Image ${id} not found`);
});

t.test('the feed, the latest first, page by page', async (t) => {
  const [one, two] = [await newUser(), await newUser()];
  const made: string[] = [];
  for (const [n, user] of [one, two, one, two].entries()) made.unshift((await user.upload(PNG, `number ${n}`)).id);
  const reply = await http.request('GET', '/api/images/feed');
  const [first] = reply.json<object[]>();
  t.strictSame(Object.keys(first ?? {}), ['id', 'source', 'description', 'upload_date']);
  const found: string[] = [];
  let next: string | undefined = '/api/images/feed?limit=3';
  for (let pages = 0; next !== undefined && pages < 50 && found.length < 4; pages++) {
    const page: Reply = await http.request('GET', next);
    const items = page.json<{ id: string }[]>();
    t.ok(items.length <= 3);
    found.push(...items.map(({ id }) => id).filter((id) => made.includes(id)));
    next = /<([^>]+)>; rel="next"/.exec(page.headers.link ?? '')?.[1];
  }
  t.strictSame(found, made);
});

t.test('a hundred want one login, or one address: one gets it', async (t) => {
  const register = (login: string, email: string) =>
    http.request('POST', '/api/registration', { json: { login, email, password: 'x' } });
  const hundred = Array.from({ length: 100 }, (_, n) => n);
  const login = uniqueName();
  const byLogin = await Promise.all(hundred.map((n) => register(login, `${n}.${emailOf(login)}`)));
  t.strictSame(tally(byLogin.map(({ status }) => status)), { 200: 1, 409: 99 });
  for (const reply of byLogin.filter(({ status }) => status === 409)) {
    if (reply.text() !== JSON.stringify({ status_code: 409, message: `Login ${login} already exists` }))
      t.fail(reply.text());
  }
  const email = emailOf(uniqueName());
  const byEmail = await Promise.all(hundred.map(() => register(uniqueName(), email)));
  t.strictSame(tally(byEmail.map(({ status }) => status)), { 200: 1, 409: 99 });
  for (const reply of byEmail.filter(({ status }) => status === 409)) {
    if (reply.text() !== JSON.stringify({ status_code: 409, message: `Email ${email} already exists` }))
      t.fail(reply.text());
  }
});

t.test('forty uploads at once all arrive, each under its own name', async (t) => {
  const user = await newUser();
  const ids = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => (await user.upload(Buffer.concat([PNG, Buffer.from([n])]))).id),
  );
  t.equal(new Set(ids).size, 40);
  t.strictSame((await user.me()).images.map(({ id }) => id).sort(), ids.sort());
});

t.test('an account from elsewhere uses it, and its quota counts', async (t) => {
  const person = await newPerson(http);
  const user = new ImagesClient(http);
  await user.logIn(person.account.username, PASSWORD);
  await user.upload(PNG);
  t.match(await person.client.usage(), { usedBytes: PNG.length, files: 1 });
  if (!stack.hasOperator) return;
  await (await stack.operator()).client.updateAccount(person.account.id, { limitBytes: PNG.length + 10 });
  for (const extra of [0, 50_000]) {
    const json = { data: Buffer.concat([PNG, Buffer.alloc(extra)]).toString('base64') };
    refused(t, await user.request('POST', '/api/images', { json }), 507, 'Not enough space in the account');
  }
  t.match(await person.client.usage(), { usedBytes: PNG.length, files: 1 });
  await (await stack.operator()).client.updateAccount(person.account.id, { suspended: true });
  for (let tries = 0; tries < 50 && (await user.request('GET', '/api/me')).status === 200; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  refusedSomehow(t, await user.request('GET', '/api/me'), 'suspended');
});
