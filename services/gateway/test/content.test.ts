// biome-ignore-all lint/suspicious/noThenProperty: an option of the raw request, which is never awaited as it is
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { type Client, multipart, newPerson, type Person, rawRequest, sha256, startTestStack } from '@coffer/testing';
import t from 'tap';

const stack = await startTestStack({ env: { BODY_IDLE_SECONDS: '2' } });
t.teardown(() => stack.stop());
const { url } = stack;
const isOurs = stack.local !== undefined;
const digest = (algorithm: string, bytes: Buffer | string) => createHash(algorithm).update(bytes).digest('base64');

/** Nothing of it is there: no node, no byte of the quota. */
async function nothingStored(t: Tap, { client }: Person, what: string): Promise<void> {
  t.same([(await client.children('root')).items, (await client.usage()).usedBytes], [[], 0], what);
}
type Tap = { same(found: unknown, wanted: unknown, message: string): unknown };

t.test('an upload by path, and its download', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = Buffer.from('hello, world\n');
  const made = await client.request('PUT', '/v1/files/trips/2026/p%C3%A9.txt', { body: bytes });
  t.equal(made.status, 201);
  const node = made.json<{ id: string; etag: string }>();
  t.match(node, {
    kind: 'file',
    name: 'pé.txt',
    size: bytes.length,
    mime: 'text/plain; charset=utf-8',
    sha256: sha256(bytes),
    etag: sha256(bytes).slice(0, 32),
    rev: Number,
  });
  t.equal(made.headers.etag, `"${node.etag}"`);
  t.equal(made.headers.location, `/v1/nodes/${node.id}`);
  t.equal((await client.request('PUT', '/v1/files/trips/2026/p%C3%A9.txt', { body: bytes })).status, 200, 'replaced');

  const got = await client.getFile('trips/2026/pé.txt');
  t.same(got.body, bytes);
  t.match(got.headers, {
    etag: `"${node.etag}"`,
    'content-length': String(bytes.length),
    'content-type': 'text/plain; charset=utf-8',
    'accept-ranges': 'bytes',
    'last-modified': /GMT$/,
    'x-content-type-options': 'nosniff',
    'content-security-policy': /^sandbox; default-src 'none'/,
    'cache-control': 'private, no-cache',
    'content-disposition': `inline; filename="p_.txt"; filename*=UTF-8''p%C3%A9.txt`,
  });
  t.match(
    (await client.request('GET', '/v1/files/trips/2026/p%C3%A9.txt?download')).headers['content-disposition'],
    /^attachment; /,
  );
  const head = await client.request('HEAD', `/v1/nodes/${node.id}/content`);
  t.same([head.status, head.body.length, head.headers['content-length']], [200, 0, String(bytes.length)]);
  t.equal((await client.request('GET', '/v1/nodes/root/content')).problem().code, 'not_a_file');
});

t.test('folders by path', async (t) => {
  const { client } = await newPerson(stack.http);
  t.equal((await client.request('PUT', '/v1/files/a/b/')).status, 201);
  t.equal((await client.request('PUT', '/v1/files/a/b/')).status, 200);
  t.equal(
    (await client.request('PUT', '/v1/files/a/c/', { body: 'x' })).problem().code,
    'bad_request',
    'a folder has no content',
  );
  await client.putFile('a/b', 'a file beside the folder of its name');
  for (const path of ['/v1/files/a/', '/v1/files/a']) {
    t.match(
      (await client.request('GET', path)).json(),
      {
        items: [
          { name: 'b', kind: 'file' },
          { name: 'b', kind: 'folder' },
        ],
        nextCursor: null,
      },
      path,
    );
  }
  t.equal((await client.request('GET', '/v1/files/a?limit=1')).json<{ items: unknown[] }>().items.length, 1);
  t.match((await client.request('GET', '/v1/files/')).json(), { items: [{ name: 'a' }] });
  t.match((await client.request('GET', '/v1/files/a/b')).text(), /^a file/);
  t.same((await client.request('GET', '/v1/files/a/b/')).json(), { items: [], nextCursor: null });
  t.equal((await client.request('GET', '/v1/files/a/b?limit=1')).problem().code, 'invalid_query');
  t.equal((await client.request('HEAD', '/v1/files/a/')).status, 200);
  t.equal((await client.request('DELETE', '/v1/files/a/b/')).status, 204);
  t.equal((await client.request('GET', '/v1/files/a/b')).status, 200, 'the file is still there');
  t.equal((await client.request('DELETE', '/v1/files/a/b?permanent=true')).status, 204);
  t.equal((await client.request('GET', '/v1/files/a/b')).problem().code, 'not_found');
  t.equal((await client.request('DELETE', '/v1/files/')).status, 403, 'the root stays');
});

t.test('paths that are none', async (t) => {
  const person = await newPerson(stack.http);
  for (const [path, code] of [
    ['a//b', 'invalid_name'],
    ['a/../b', 'invalid_name'],
    ['%2e%2e/b', 'invalid_name'],
    ['a%2Fb', 'invalid_name'],
    ['a%00b', 'invalid_name'],
    ['x'.repeat(256), 'invalid_name'],
    ['%ff', 'bad_request'],
    ['%C3', 'bad_request'],
    ['%zz', 'bad_request'],
    ['a%', 'bad_request'],
    ['a?x=1', 'invalid_query'],
  ] as const) {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const pieces = [
        `${method} /v1/files/${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${person.client.authorization}\r\n${method === 'PUT' ? 'content-length: 1\r\n\r\nx' : '\r\n'}`,
      ];
      const reply = await rawRequest(url, { pieces });
      t.same([reply?.status, reply?.problem().code], [400, code], `${method} ${path.slice(0, 20)}`);
    }
  }
  await nothingStored(t, person, 'nothing is stored');
});

t.test('ranges and conditions of a download', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = randomBytes(200_000);
  const { id, etag } = await client.putFile('r.bin', bytes);
  const get = (headers: Record<string, string>) => client.request('GET', `/v1/nodes/${id}/content`, { headers });
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-299', 100, 300],
    ['bytes=1000-', 1000, 200_000],
    ['bytes=-5', 199_995, 200_000],
    ['bytes=199999-500000', 199_999, 200_000],
    ['bytes=10-150000', 10, 150_001],
  ] as const) {
    const part = await get({ range });
    t.equal(part.status, 206, range);
    t.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/200000`);
    t.ok(part.body.equals(bytes.subarray(start, end)), range);
  }
  const outside = await get({ range: 'bytes=200000-' });
  t.same(
    [outside.status, outside.headers['content-range'], outside.problem().code],
    [416, 'bytes */200000', 'range_not_satisfiable'],
  );
  t.notOk(outside.headers.etag, 'a refusal has no entity tag');
  t.equal((await get({ range: 'bytes=0-1,5-6' })).status, 200);
  t.equal((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status, 200);
  t.equal((await get({ range: 'bytes=0-1', 'if-range': `"${etag}"` })).status, 206);
  const same = await get({ 'if-none-match': `"${etag}"` });
  t.same([same.status, same.body.length, same.headers.etag], [304, 0, `"${etag}"`]);
  t.equal((await get({ 'if-modified-since': (await get({})).headers['last-modified'] ?? '' })).status, 304);
  t.equal((await get({ 'if-match': '"other"' })).problem().code, 'precondition_failed');
  t.equal((await get({ 'if-match': 'other' })).problem().code, 'invalid_header');
});

t.test('conditions of an upload', async (t) => {
  const { client } = await newPerson(stack.http);
  const put = (body: string, headers: Record<string, string>) =>
    client.request('PUT', '/v1/files/c.txt', { body, headers });
  t.equal((await put('x', { 'if-match': '*' })).problem().code, 'precondition_failed', 'nothing is there');
  t.equal((await put('one', { 'if-none-match': '*' })).status, 201);
  t.equal((await put('two', { 'if-none-match': '*' })).problem().code, 'precondition_failed');
  const etag = `"${sha256('one').slice(0, 32)}"`;
  t.equal(
    (await put('two', { 'if-match': `W/${etag}` })).problem().code,
    'precondition_failed',
    'a weak tag never matches',
  );
  t.equal((await put('two', { 'if-match': `"x", ${etag}` })).status, 200);
  t.equal((await put('three', { 'if-match': etag })).problem().code, 'precondition_failed');
  t.equal(
    (await client.request('DELETE', '/v1/files/c.txt', { headers: { 'if-match': etag } })).problem().code,
    'precondition_failed',
  );
  t.equal((await client.getFile('c.txt')).text(), 'two');
});

t.test('digests', async (t) => {
  const person = await newPerson(stack.http);
  const small = 'some text';
  const large = randomBytes(300_000);
  const put = (body: Buffer | string, headers: Record<string, string>) =>
    person.client.request('PUT', '/v1/files/d', { body, headers });
  for (const body of [small, large, '']) {
    t.equal((await put(body, { 'content-md5': digest('md5', 'other') })).problem().code, 'digest_mismatch');
    t.equal(
      (await put(body, { 'repr-digest': `sha-256=:${digest('sha256', 'other')}:` })).problem().code,
      'digest_mismatch',
    );
    t.equal(
      (await put(body, { 'content-digest': `sha-512=:${digest('sha512', 'other')}:` })).problem().code,
      'digest_mismatch',
    );
  }
  for (const headers of [
    { 'content-md5': 'x' },
    { 'repr-digest': 'sha-256=:x:' },
    { 'content-digest': 'x' },
    { 'content-range': 'bytes 0-1/2' },
  ]) {
    t.equal((await put(small, headers)).problem().code, 'invalid_header');
  }
  t.equal((await put(small, { 'content-encoding': 'gzip' })).problem().code, 'unsupported_media_type');
  await nothingStored(t, person, 'a mismatch stores nothing');
  for (const body of [small, large, '']) {
    const headers = {
      'content-md5': digest('md5', body),
      'repr-digest': `sha-256=:${digest('sha256', body)}:`,
      'content-digest': `crc32c=:AAAA:, sha-512=:${digest('sha512', body)}:`,
    };
    t.ok((await put(body, headers)).status < 300);
  }
});

t.test('types', async (t) => {
  const { client } = await newPerson(stack.http);
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );
  for (const [name, stated, body, mime, disposition] of [
    ['a', undefined, png, 'image/png', 'inline'],
    ['a.txt', 'application/octet-stream', png, 'image/png', 'inline'],
    ['a', 'application/x-www-form-urlencoded', 'text', 'text/plain; charset=utf-8', 'inline'],
    ['a.css', undefined, 'b{}', 'text/css; charset=utf-8', 'attachment'],
    ['a.html', undefined, '<script>', 'text/html; charset=utf-8', 'attachment'],
    ['a.svg', undefined, '<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml', 'attachment'],
    ['a', 'text/HTML', 'x', 'text/html', 'attachment'],
    [
      'a.docx',
      undefined,
      Buffer.from('504b0304140000000000', 'hex'),
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'attachment',
    ],
    ['a', undefined, Buffer.from([0, 1, 2, 255]), 'application/octet-stream', 'attachment'],
    ['a', 'image/png; x=y', 'not really', 'image/png; x=y', 'inline'],
    ['a', undefined, '', 'application/octet-stream', 'attachment'],
    ['a', undefined, Buffer.concat([png, randomBytes(100_000)]), 'image/png', 'inline'],
  ] as const) {
    const node = await client.putFile(
      name,
      body as Buffer,
      stated === undefined ? {} : { headers: { 'content-type': stated } },
    );
    t.equal(node.mime, mime, `${name} stated as ${stated}`);
    const got = await client.getFile(name);
    t.equal(got.headers['content-type'], mime);
    t.ok(got.headers['content-disposition']?.startsWith(disposition), `${mime} ${disposition}`);
  }
  const wrong = await client.request('PUT', '/v1/files/x', { body: 'x', headers: { 'content-type': 'nonsense' } });
  t.equal(wrong.problem().code, 'unsupported_media_type');
});

t.test('by id and by name', async (t) => {
  const { client } = await newPerson(stack.http);
  const folder = await client.createFolder('root', 'f');
  const made = await client.request('PUT', `/v1/nodes/${folder.id}/children/caf%C3%A9%2E.txt`, { body: 'one' });
  t.equal(made.status, 201);
  const { id, name } = made.json<{ id: string; name: string }>();
  t.equal(name, 'café..txt');
  t.equal((await client.request('PUT', `/v1/nodes/${id}/content`, { body: 'two' })).status, 200);
  t.equal((await client.download(id)).text(), 'two');
  for (const bad of ['..', 'a%2Fb', '%00']) {
    t.equal(
      (await client.request('PUT', `/v1/nodes/${folder.id}/children/${bad}`, { body: 'x' })).problem().code,
      'invalid_name',
      bad,
    );
  }
  t.equal((await client.request('PUT', `/v1/nodes/${folder.id}/content`, { body: 'x' })).problem().code, 'not_a_file');
  const none = '01900000-0000-7000-8000-000000000000';
  t.equal((await client.request('PUT', `/v1/nodes/${none}/content`, { body: 'x' })).problem().code, 'not_found');
  t.equal((await client.request('PUT', `/v1/nodes/${none}/children/a`, { body: 'x' })).problem().code, 'not_found');
});

t.test('forms', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  const bytes = randomBytes(150_000);
  const send = (parts: Parameters<typeof multipart>[0], headers: Record<string, string> = {}) => {
    const { body, contentType } = multipart(parts);
    return client.request('POST', '/v1/nodes/root/children', {
      body,
      headers: { 'content-type': contentType, ...headers },
    });
  };
  const file = { part: 'file', filename: 'photo.bin', bytes };
  for (const [parts, path] of [
    [[{ part: 'name', bytes: 'x' }], '/file'],
    [[], '/file'],
    [[file, file], '/file'],
    [[file, { part: 'name', bytes: 'a' }, { part: 'name', bytes: 'b' }], '/name'],
    [[file, { part: 'colour', bytes: 'red' }], '/colour'],
    [[{ part: 'colour', bytes: 'red' }, file], '/colour'],
    [[file, { part: 'properties', bytes: '{"a":1}' }], '/properties'],
    [[file, { part: 'properties', bytes: 'nonsense' }], '/properties'],
    [[{ part: 'file', bytes }], '/name'],
  ] as const) {
    const reply = await send(parts);
    t.same([reply.status, reply.problem().code], [400, 'invalid_body'], `${path}`);
    t.same(
      reply.problem().errors.map((error) => error.path),
      [path],
    );
  }
  t.equal((await send([file, { part: 'name', bytes: 'a/b' }])).problem().code, 'invalid_name');
  t.equal((await send([{ ...file, filename: 'x'.repeat(256) }])).problem().code, 'invalid_name');
  const { body, contentType } = multipart([file]);
  const raw = (type: string, cut: Buffer) =>
    client.request('POST', '/v1/nodes/root/children', { body: cut, headers: { 'content-type': type } });
  t.equal((await raw(contentType, body.subarray(0, 90_000))).problem().code, 'invalid_body', 'a form that ends early');
  t.equal((await raw('multipart/form-data', body)).problem().code, 'invalid_body', 'no boundary');
  await nothingStored(t, person, 'nothing is stored');

  const made = await send([
    { part: 'properties', filename: 'p', bytes: '{"a":"b"}' },
    file,
    { part: 'name', filename: 'n', bytes: 'ü.bin' },
  ]);
  t.equal(made.status, 201, 'parts in any order, file names on all of them');
  t.match(made.json(), { name: 'ü.bin', size: bytes.length, sha256: sha256(bytes), properties: { a: 'b' } });
  t.equal((await send([file])).json<{ name: string }>().name, 'photo.bin');
  t.equal((await send([file])).problem().code, 'name_taken');
  t.equal(
    (await send([file, { part: 'name', bytes: 'ü.bin' }])).problem().code,
    'name_taken',
    'a name that comes last',
  );

  const key = { 'idempotency-key': 'upload-1' };
  const first = await send([{ ...file, filename: 'once' }], key);
  const again = await send([{ ...file, filename: 'once' }], key);
  t.same([first.status, again.status, again.json<{ id: string }>().id], [201, 201, first.json<{ id: string }>().id]);
  t.equal((await send([{ ...file, filename: 'twice' }], key)).problem().code, 'idempotency_key_reused');
});

/** Sends a head that expects `100 Continue`, and the body only when told to. */
function expecting(
  client: Client,
  path: string,
  { method = 'PUT', headers = {}, body = Buffer.alloc(0) as Buffer, expect = '100-continue' } = {},
) {
  return new Promise<{ status: number; continued: boolean; text: string }>((resolve, reject) => {
    let continued = false;
    const request = httpRequest({
      hostname: new URL(url).hostname,
      port: new URL(url).port,
      path,
      method,
      headers: { authorization: client.authorization, expect, 'content-length': body.length, ...headers },
    });
    request.on('continue', () => {
      continued = true;
      request.end(body);
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, continued, text: Buffer.concat(chunks).toString() });
        request.destroy();
      });
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

t.test('100 Continue', async (t) => {
  const { client } = await newPerson(stack.http);
  const body = randomBytes(100_000);
  t.match(await expecting(client, '/v1/files/e', { body }), { status: 201, continued: true });
  const nobody = client.as('Bearer wrong');
  for (const [what, who, path, options, status] of [
    ['no rights', nobody, '/v1/files/e', { body }, 401],
    ['no space', client, '/v1/files/e', { headers: { 'content-length': 200_000_000 } }, 507],
    ['a condition', client, '/v1/files/e', { body, headers: { 'if-none-match': '*' } }, 412],
    ['a bad name', client, '/v1/files/../e', { body }, 400],
    ['no folder', client, '/v1/nodes/01900000-0000-7000-8000-000000000000/children/a', { body }, 404],
    ['no route', client, '/v1/nowhere', { body }, 404],
    [
      'a form into nowhere',
      client,
      '/v1/nodes/01900000-0000-7000-8000-000000000000/children',
      { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      404,
    ],
  ] as const) {
    t.match(
      await expecting(who, path, options),
      { status, continued: false },
      `${what}: refused before the body is sent`,
    );
  }
  t.match(await expecting(client, '/v1/files/e', { expect: 'a-miracle' }), { status: 417, continued: false });
  const json = Buffer.from('{"name":"folder"}');
  const headers = { 'content-type': 'application/json' };
  t.match(await expecting(client, '/v1/nodes/root/children', { method: 'POST', body: json, headers }), {
    status: 201,
    continued: true,
  });
  const form = multipart([{ part: 'file', filename: 'form', bytes: body }]);
  const formHeaders = { 'content-type': form.contentType };
  t.match(
    await expecting(client, '/v1/nodes/root/children', { method: 'POST', body: form.body, headers: formHeaders }),
    { status: 201, continued: true },
  );
});

t.test('lengths: known, chunked, none, too much', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = randomBytes(700_000);
  const chunked = await client.putFile('chunked', Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]));
  t.equal(chunked.sha256, sha256(bytes));
  t.ok((await client.getFile('chunked')).body.equals(bytes));
  t.equal((await client.putFile('empty', '')).size, 0);
  t.equal((await client.putFile('empty chunked', Readable.from([]))).size, 0);
  t.equal((await client.getFile('empty')).body.length, 0);
  t.equal((await client.request('GET', '/v1/files/empty', { headers: { range: 'bytes=0-0' } })).status, 416);

  const { usedBytes } = await client.usage();
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(64 * 1024);
    })(),
  );
  const refused = await client.request('PUT', '/v1/files/endless', { body: endless }).catch(() => undefined);
  t.equal(refused?.problem().code ?? 'quota_exceeded', 'quota_exceeded', 'an endless body ends at the quota');
  t.same(
    [(await client.usage()).usedBytes, (await client.request('GET', '/v1/files/endless')).status],
    [usedBytes, 404],
  );
});

t.test('refusals reach clients that go on sending', async (t) => {
  const { client } = await newPerson(stack.http);
  const body = randomBytes(3_000_000);
  for (const [who, path, status] of [
    [client.as('Bearer wrong'), '/v1/files/a', 401],
    [client, '/v1/nodes/01900000-0000-7000-8000-000000000000/content', 404],
    [client, '/v1/accounts', 415],
  ] as const) {
    const method = status === 415 ? 'POST' : 'PUT';
    const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${who.authorization}\r\ncontent-type: a/b\r\ncontent-length: ${body.length}\r\n\r\n`;
    const reply = await rawRequest(url, { pieces: [head, 50, body.subarray(0, 900_000)] });
    t.equal(reply?.status, status);
    t.equal(reply?.headers.connection, 'close');
    t.equal(reply?.problem().status, status);
  }
});

t.test('bodies that are slow or break off', { timeout: 60_000 }, async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  const head = (path: string, length: number, type = 'a/b', method = 'PUT') =>
    `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${client.authorization}\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
  if (isOurs) {
    const replies = await Promise.all([
      rawRequest(url, { pieces: [head('/v1/files/slow-small', 100), 'x'] }),
      rawRequest(url, { pieces: [head('/v1/files/slow-large', 1_000_000), 'x'] }),
      rawRequest(url, { pieces: [head('/v1/nodes/root/children', 100, 'application/json', 'POST'), '{'] }),
      rawRequest(url, {
        pieces: [
          head('/v1/nodes/root/children', 1_000_000, 'multipart/form-data; boundary=x', 'POST'),
          '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
        ],
      }),
      rawRequest(url, {
        pieces: [head('/v1/files/drip', 1_000_000), ...Array.from({ length: 40 }, () => ['x', 200]).flat()],
      }),
    ]);
    for (const reply of replies) t.same([reply?.status, reply?.problem().code], [408, 'request_timeout']);
  }
  await Promise.all([
    rawRequest(url, { pieces: [head('/v1/files/cut-small', 100), 'x'], then: 'reset' }),
    rawRequest(url, { pieces: [head('/v1/files/cut-large', 10_000_000), Buffer.alloc(500_000)], then: 'reset' }),
    rawRequest(url, {
      pieces: [
        head('/v1/nodes/root/children', 10_000_000, 'multipart/form-data; boundary=x', 'POST'),
        '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n',
        Buffer.alloc(500_000),
      ],
      then: 'reset',
    }),
    rawRequest(url, { pieces: [head('/v1/files/cut-half', 100), 'x'], then: 'half-close' }),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await nothingStored(t, person, 'nothing is stored');
});

t.test('large content', async (t) => {
  const { client } = await newPerson(stack.http);
  const bytes = randomBytes(20_000_000);
  const node = await client.putFile('large', bytes);
  t.equal(node.sha256, sha256(bytes));
  t.ok((await client.getFile('large')).body.equals(bytes));
  // Left in the middle, again and again: the connection to the store must not leak away with the client.
  for (let i = 0; i < 50; i += 1) {
    const { body } = await client.open('GET', '/v1/files/large');
    body.on('error', () => {}).destroy();
  }
  t.equal((await client.getFile('large', { headers: { range: 'bytes=-1' } })).body[0], bytes.at(-1));
});
