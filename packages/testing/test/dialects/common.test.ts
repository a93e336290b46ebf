/** What all the older APIs have in common: bodies that are refused while they come, limits, and sessions that end. */
import t from 'tap';
import {
  Client,
  ImagesClient,
  MinobjectClient,
  multipart,
  PASSWORD,
  rawRequest,
  someBytes,
  startTestStack,
  uniqueName,
  VertexClient,
  waitFor,
} from '../../src/index.ts';

const LIMIT = 1_000_000;
const stack = await startTestStack({ env: { DIALECT_UPLOAD_MAX_BYTES: `${LIMIT}`, BODY_IDLE_SECONDS: '2' } });
t.teardown(() => stack.stop());

const username = uniqueName();
const minobject = new MinobjectClient(stack.http);
await minobject.register(username, PASSWORD);
await minobject.logIn(username, PASSWORD);

const form = (identifier: string, bytes: Buffer) =>
  multipart([
    { part: 'file', filename: 'a.bin', bytes },
    { part: 'file_identifier', bytes: identifier },
  ]);
const head = (path: string, contentType: string, length: number, more = '') =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${contentType}\r\ncontent-length: ${length}\r\n${more}\r\n`;

t.test('a client that waits is told to go on only when it will be heard', async (t) => {
  const { body, contentType } = form(uniqueName(), someBytes(1_000));
  const expect = 'expect: 100-continue\r\n';
  const shutOut = await rawRequest(stack.url, { pieces: [head('/data/file', contentType, body.length, expect)] });
  t.equal(shutOut?.status, 401, 'nothing was sent, and there is an answer');
  const authorization = `authorization: Bearer ${minobject.token}\r\n`;
  const heard = await rawRequest(stack.url, {
    pieces: [head('/data/file', contentType, body.length, expect + authorization), 300, body],
  });
  t.equal(heard?.status, 201);
});

t.test('a refusal reaches a client that is still sending, whatever its status', async (t) => {
  const piece = someBytes(256 * 1024);
  const pieces = Array.from({ length: 40 }, () => [piece, 5]).flat();
  const put = 'PUT /api/file/big HTTP/1.1\r\nhost: a\r\ncontent-length: 10485760\r\n\r\n';
  const cloudrest = await rawRequest(stack.url, { pieces: [put, ...pieces] });
  t.match(cloudrest?.text(), '401');
  t.equal(cloudrest?.headers.connection, 'close', 'and the rest of the body is not waited for');
  const contentType = 'multipart/form-data; boundary=x';
  const refused = await rawRequest(stack.url, { pieces: [head('/data/file', contentType, 10_485_760), ...pieces] });
  t.equal(refused?.status, 401);
});

t.test('what a form brings before it says from whom is limited', async (t) => {
  const vertex = new VertexClient(stack.http);
  const name = uniqueName();
  await vertex.signUp(name, `${name}@example.org`, PASSWORD);
  t.equal((await vertex.createFile('fits.bin', someBytes(LIMIT))).size, LIMIT);
  const { body, contentType } = multipart([
    { part: 'file', filename: 'large.bin', bytes: someBytes(LIMIT + 1) },
    { part: 'key', bytes: vertex.key },
  ]);
  const reply = await vertex.request('POST', '/create/file/', { body, headers: { 'content-type': contentType } });
  t.ok([200, 413].includes(reply.status) && reply.json<{ status: boolean }>().status === false, reply.text());
  t.same(Object.keys(await vertex.files()), ['fits.bin'], 'nothing is left');
});

t.test('a body that stops coming ends', async (t) => {
  const { body, contentType } = form(uniqueName(), someBytes(100_000));
  const authorization = `authorization: Bearer ${minobject.token}\r\n`;
  const started = performance.now();
  const reply = await rawRequest(stack.url, {
    pieces: [head('/data/file', contentType, body.length, authorization), body.subarray(0, 50_000)],
  });
  t.equal(reply?.status, 408);
  t.ok(performance.now() - started < 10_000);
});

t.test('many forms at once, the file first', async (t) => {
  const names = Array.from({ length: 20 }, () => uniqueName());
  const bytes = names.map((_, n) => someBytes(200_000 + n));
  await Promise.all(names.map((name, n) => minobject.upload(name, { name: `${n}.bin`, bytes: bytes[n] ?? '' })));
  for (const [n, name] of names.entries()) {
    t.ok((await minobject.download(name)).body.equals(bytes[n] ?? Buffer.of()), name);
  }
});

t.test('sessions of every kind end at once, wherever they are ended', async (t) => {
  const login = uniqueName();
  const native = new Client(stack.http);
  await native.createAccount({ username: login, email: `${login}@example.org`, password: PASSWORD });
  const session = await native.logIn(login, PASSWORD);
  native.authorization = `Bearer ${session.accessToken}`;
  const images = new ImagesClient(stack.http);
  const vertex = new VertexClient(stack.http);
  const min = new MinobjectClient(stack.http);
  const open = async () => {
    await Promise.all([images.logIn(login, PASSWORD), vertex.logIn(login, PASSWORD), min.logIn(login, PASSWORD)]);
  };
  const statuses = async () => {
    const [me, files, list] = await Promise.all([
      images.request('GET', '/api/me'),
      vertex.request('POST', '/get/files/', { json: { key: vertex.key } }),
      min.request('GET', '/data/user_file'),
    ]);
    return [me.status, files.text().includes('No file is available'), list.status];
  };
  await open();
  t.same(await statuses(), [200, true, 200]);
  t.same(await statuses(), [200, true, 200], 'as remembered');
  await native.endOtherSessions();
  // The bus brings it; the answer to the one who ended them does not wait for that.
  await waitFor('the end of all sessions', async () => `${await statuses()}` === `${[401, false, 401]}`, {
    timeoutMs: 1_500,
  });
  t.pass('gone');
  await open();
  t.same(await statuses(), [200, true, 200]);
  if (!stack.hasOperator) return;
  const operator = await stack.operator();
  await operator.client.updateAccount((await native.me()).id, { suspended: true });
  await waitFor(
    'the suspension',
    async () => {
      const [me, isListed, list] = await statuses();
      return me !== 200 && isListed === false && list !== 200;
    },
    { timeoutMs: 1_500 },
  );
  t.pass('and suspended ones are out');
});
