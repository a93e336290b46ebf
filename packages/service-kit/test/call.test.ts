import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import {
  AppError,
  appError,
  type Client,
  createApp,
  createClient,
  createTestContext,
  isAppError,
  newId,
  serve,
} from '../src/index.ts';
import { logSink, shopContract, sleep, until } from './helpers.ts';

t.setTimeout(180_000);

type Shop = typeof shopContract;

async function start(t: Test) {
  const log = logSink();
  const ctx = createTestContext('shop', {}, { log });
  const app = createApp(ctx);
  const seen: { aborted: number; received: number; calls: number } = { aborted: 0, received: 0, calls: 0 };
  serve(app, shopContract, 'get', async ({ params, query }, request) => {
    seen.calls++;
    if (params.id === 'absent')
      throw appError('not_found', 'No such item', { errors: [{ path: '/id', message: 'is gone' }] });
    if (params.id === 'limited') throw appError('rate_limited', undefined, { headers: { 'retry-after': '9' } });
    if (params.id === 'who') return { id: request.principal().accountId, count: 0 };
    if (params.id === 'hang') {
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      seen.aborted++;
    }
    return { id: params.id, count: query.limit ?? -1 };
  });
  serve(app, shopContract, 'create', async ({ body }) => ({ id: 'new', count: body.count }));
  serve(app, shopContract, 'remove', async () => {});
  serve(app, shopContract, 'slow', async () => {
    await sleep(1000);
    return { id: 'late', count: 1 };
  });
  serve(app, shopContract, 'upload', async (_input, request) => {
    try {
      for await (const chunk of request.raw) seen.received += chunk.length;
    } catch (error) {
      seen.aborted++;
      throw error;
    }
    return { id: String(request.headers['content-type']), count: seen.received };
  });
  serve(app, shopContract, 'download', async ({ query }, request, reply) => {
    const source = Readable.from(chunks(query.size));
    source.on('close', () => {
      if (request.signal.aborted) seen.aborted++;
    });
    if (query.size < 1e7) reply.header('content-length', query.size);
    return reply.send(source);
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const client: Client<Shop> = createClient(ctx, shopContract, { address });
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    app.server.closeAllConnections();
    await app.close();
  });
  return { ctx, app, client, log, seen };
}

function* chunks(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 7);
}

t.test('a call carries parameters, query and body, and answers the typed result', async (t) => {
  const { client } = await start(t);
  t.same(await client.call('get', { params: { id: 'a/b ü?' }, query: { limit: 3 } }), { id: 'a/b ü?', count: 3 });
  t.same(await client.call('get', { params: { id: 'x' }, query: { limit: undefined } }), { id: 'x', count: -1 });
  t.same(await client.call('create', { body: { count: 4 } }), { id: 'new', count: 4 });
  t.equal(await client.call('remove', { params: { id: 'x' } }), undefined);
  // @ts-expect-error parameters are required
  t.type(() => client.call('get', {}), 'function');
  // @ts-expect-error a number is required
  await t.rejects(client.call('create', { body: { count: 'x' } }), { code: 'invalid_body' });
});

t.test('errors come back as the same class, with their details', async (t) => {
  const { client } = await start(t);
  const error = await client.call('get', { params: { id: 'absent' } }).catch((e) => e);
  t.ok(error instanceof AppError && isAppError(error, 'not_found'));
  t.match(error, { status: 404, detail: 'No such item', errors: [{ path: '/id', message: 'is gone' }] });
  await t.rejects(client.call('get', { params: { id: 'limited' } }), {
    code: 'rate_limited',
    headers: { 'retry-after': '9' },
  });
  await t.rejects(client.open('download', { query: { size: 'x' as unknown as number } }), { code: 'invalid_query' });
});

t.test('request id, trace and principal go along', async (t) => {
  const { client, log } = await start(t);
  const principal = { accountId: newId(), role: 'operator', readOnly: true } as const;
  const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
  const answer = await client.call(
    'get',
    { params: { id: 'who' } },
    { principal, requestId: 'request-77', traceparent },
  );
  t.equal(answer.id, principal.accountId);
  await until('line', () => log.of('items.get').length === 1);
  t.match(log.of('items.get'), [{ requestId: 'request-77', traceId: 'c'.repeat(32), accountId: principal.accountId }]);
});

t.test('a timeout ends the call, on time', async (t) => {
  const { client } = await start(t);
  const before = performance.now();
  await t.rejects(client.call('slow', {}), { code: 'timeout', status: 504 });
  t.ok(performance.now() - before < 800);
  t.same(await client.call('slow', {}, { timeoutMs: 5000 }), { id: 'late', count: 1 }, 'the caller may wait longer');
});

t.test("the caller's abort is passed on and its reason comes back", async (t) => {
  const { client, seen } = await start(t);
  const caller = new AbortController();
  const call = client.call('get', { params: { id: 'hang' } }, { signal: caller.signal });
  await until('arrival', () => seen.calls === 1);
  const reason = new Error('changed my mind');
  caller.abort(reason);
  t.equal(await call.catch((e) => e), reason);
  await until('the other side sees it', () => seen.aborted === 1);
  t.equal(await client.call('get', { params: { id: 'hang' } }, { signal: caller.signal }).catch((e) => e), reason);
  t.equal(seen.calls, 1, 'an aborted caller calls nobody');
});

t.test('bytes up: streams and buffers, with and without a length', async (t) => {
  const { client, seen } = await start(t);
  t.match(await client.send('upload', { body: Buffer.alloc(1000) }), { id: 'application/octet-stream', count: 1000 });
  t.match(await client.send('upload', { body: Readable.from(chunks(3e6)) }), { count: 3e6 + 1000 });
  t.match(await client.send('upload', { body: Readable.from(chunks(500)), contentLength: 500 }), { count: 3e6 + 1500 });
  const body = new Readable({ read() {} });
  body.push(Buffer.alloc(10));
  const caller = new AbortController();
  const call = client.send('upload', { body }, { signal: caller.signal });
  await until('arrival', () => seen.received === 3e6 + 1510);
  caller.abort();
  await t.rejects(call);
  await until('the other side sees it', () => seen.aborted === 1);
});

t.test('a refusal before the body was read comes back as itself, however large the body', async (t) => {
  const { ctx } = await start(t);
  const full = createApp(ctx);
  serve(full, shopContract, 'upload', async () => {
    throw appError('disk_full', 'No room');
  });
  const address = await full.listen({ port: 0, host: '127.0.0.1' });
  t.teardown(async () => {
    full.server.closeAllConnections();
    await full.close();
  });
  const client = createClient(ctx, shopContract, { address });
  for (const body of [Readable.from(chunks(3e7)), Buffer.alloc(3e7), Readable.from(chunks(10)), Buffer.alloc(10)]) {
    await t.rejects(client.send('upload', { body }), { code: 'disk_full', detail: 'No room' });
  }
});

t.test('a body that fails fails the call, and the other side', async (t) => {
  const { client, seen } = await start(t);
  const body = new Readable({ read() {} });
  body.push(Buffer.alloc(10));
  const call = client.send('upload', { body });
  await until('arrival', () => seen.received === 10);
  body.destroy(new Error('the client is gone'));
  await t.rejects(call);
  await until('the other side sees it', () => seen.aborted === 1);
});

t.test('bytes down: whole, with their length, with backpressure and abort', async (t) => {
  const { client, seen } = await start(t);
  const { body, sizeBytes } = await client.open('download', { query: { size: 1_000_000 } });
  t.equal(sizeBytes, 1_000_000);
  t.equal((await buffer(body)).length, 1_000_000);
  const caller = new AbortController();
  const large = await client.open('download', { query: { size: 1e9 } }, { signal: caller.signal });
  await sleep(300);
  t.ok(large.body.readableLength < 2e6, 'an unread body does not fill the memory');
  caller.abort(new Error('enough'));
  await t.rejects(buffer(large.body), { message: 'enough' });
  await until('the other side sees it', () => seen.aborted === 1);
  const unwanted = await client.open('download', { query: { size: 1e9 } });
  unwanted.body.destroy();
  await until('destroying it ends it too', () => seen.aborted === 2);
});

t.test(
  'idempotent calls are sent once more when the connection breaks, others and second breaks are not',
  async (t) => {
    const { ctx } = await start(t);
    let hits = 0;
    let breaks = 1;
    const server = createServer((request, response) => {
      hits++;
      request.resume();
      if (breaks-- > 0) request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end('{"id":"ok","count":1}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const client = createClient(ctx, shopContract, { address: `http://127.0.0.1:${port}` });
    t.same(await client.call('get', { params: { id: 'x' } }), { id: 'ok', count: 1 });
    t.equal(hits, 2);
    [hits, breaks] = [0, 1];
    await t.rejects(client.call('create', { body: { count: 1 } }), { code: 'unavailable', status: 503 });
    t.equal(hits, 1, 'it may have been done');
    [hits, breaks] = [0, 9];
    await t.rejects(client.call('get', { params: { id: 'x' } }), { code: 'unavailable' });
    t.equal(hits, 2);
    [hits, breaks] = [0, 1];
    await t.rejects(client.send('upload', { body: Buffer.alloc(5) }), { code: 'unavailable' });
    t.equal(hits, 1);
  },
);

t.test('answers that are none of ours are upstream errors', async (t) => {
  const { ctx } = await start(t);
  let status = 500;
  const server = createServer((_request, response) => response.writeHead(status).end('<html>oops</html>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = createClient(ctx, shopContract, { address: `http://127.0.0.1:${port}` });
  await t.rejects(client.call('get', { params: { id: 'x' } }), { code: 'upstream' });
  status = 200;
  await t.rejects(client.call('get', { params: { id: 'x' } }), { code: 'upstream' });
});

t.test('nobody there: unavailable, quickly', async (t) => {
  const { ctx } = await start(t);
  const client = createClient(ctx, shopContract, { address: 'http://127.0.0.1:1' });
  const before = performance.now();
  await t.rejects(client.call('get', { params: { id: 'x' } }), { code: 'unavailable' });
  await t.rejects(client.open('download', { query: { size: 1 } }), { code: 'unavailable' });
  t.ok(performance.now() - before < 1000);
});
