import { createHash, randomBytes } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { appError, type Client, createApp, createClient, createTestContext, serve } from '../src/index.ts';
import { logSink, shopContract, until } from './helpers.ts';

t.setTimeout(120_000);

const block = randomBytes(1_000_003);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const contentOf = (sizeBytes: number): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil(sizeBytes / block.length) }, () => block)).subarray(0, sizeBytes);

/** A service with a download, a client of it, and an HTTP server that passes its answers on. */
async function start(t: Test, bytes: Buffer) {
  const ctx = createTestContext('shop', {}, { log: logSink() });
  const app = createApp(ctx);
  const seen = { aborted: 0 };
  serve(app, shopContract, 'download', async ({ query }, request, reply) => {
    if (query.size === 404)
      throw appError('not_found', 'No such bytes', { errors: [{ path: '/size', message: 'no' }] });
    const source = Readable.from(pieces(bytes.subarray(0, query.size)));
    source.on('close', () => {
      if (request.signal.aborted) seen.aborted++;
    });
    return reply.header('content-length', query.size).send(source);
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const client: Client<typeof shopContract> = createClient(ctx, shopContract, { address });
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    app.server.closeAllConnections();
    await app.close();
  });
  const door = createServer(async (request, response) => {
    const size = Number(request.url?.slice(1));
    const { body } = await client.relay('download', { query: { size } });
    body.on('error', () => response.destroy());
    response.on('close', () => body.destroy());
    response.writeHead(200, { 'content-length': size });
    body.pipe(response);
  });
  await new Promise<void>((done) => door.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    door.closeAllConnections();
    door.close();
  });
  return { client, seen, app, door: `http://127.0.0.1:${(door.address() as AddressInfo).port}` };
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001);
}

const sizes = [0, 1, 65_535, 262_143, 262_144, 262_145, 524_288, 5_000_000, 40_000_000];

t.test('what is piped on arrives whole, whatever its size', async (t) => {
  const bytes = contentOf(Math.max(...sizes));
  const { door } = await start(t, bytes);
  for (const size of sizes) {
    const response = await fetch(`${door}/${size}`);
    const got = Buffer.from(await response.arrayBuffer());
    t.equal(got.length, size);
    t.equal(sha256(got), sha256(bytes.subarray(0, size)), `${size} bytes`);
  }
});

t.test('many at once, to readers that are slow, do not mix', async (t) => {
  const bytes = contentOf(6_000_000);
  const { door } = await start(t, bytes);
  const hashes = await Promise.all(
    Array.from({ length: 12 }, async (_, n) => {
      const response = await fetch(`${door}/${6_000_000 - n}`);
      const hash = createHash('sha256');
      for await (const chunk of response.body ?? []) {
        hash.update(chunk);
        if (n % 2 === 0) await sleep(1);
      }
      return hash.digest('hex') === sha256(bytes.subarray(0, 6_000_000 - n));
    }),
  );
  t.strictSame(new Set(hashes), new Set([true]));
});

t.test('read as a stream it hands out copies', async (t) => {
  const bytes = contentOf(3_000_000);
  const { client } = await start(t, bytes);
  for (const size of [0, 10, 262_144, 3_000_000]) {
    const { body, sizeBytes, headers } = await client.relay(
      'download',
      { query: { size } },
      { requestId: 'r-1234567' },
    );
    t.equal(sizeBytes, size);
    t.equal(headers['content-length'], String(size));
    t.equal(sha256(await buffer(body)), sha256(bytes.subarray(0, size)));
  }
});

t.test('a reader that goes away ends the work on the other side', async (t) => {
  const { door, seen } = await start(t, contentOf(40_000_000));
  const socketGone = new Promise<void>((done) => {
    const request = httpRequest(`${door}/40000000`, (response) => {
      response.once('data', () => request.destroy());
      response.on('error', () => {});
    });
    request.on('error', () => {});
    request.on('close', done);
    request.end();
  });
  await socketGone;
  await until('the other side sees it', () => seen.aborted === 1);
  t.pass('the source was told');
});

t.test("the caller's abort ends it, before the head and after", async (t) => {
  const { client, seen } = await start(t, contentOf(40_000_000));
  const late = new AbortController();
  const { body } = await client.relay('download', { query: { size: 40_000_000 } }, { signal: late.signal });
  late.abort(new Error('enough'));
  await t.rejects(buffer(body), { message: 'enough' });
  await until('the other side sees it', () => seen.aborted === 1);
  const early = AbortSignal.abort(new Error('never'));
  await t.rejects(client.relay('download', { query: { size: 1 } }, { signal: early }), { message: 'never' });
});

t.test('an error comes back as the same error', async (t) => {
  const { client } = await start(t, contentOf(10));
  await t.rejects(client.relay('download', { query: { size: 404 } }), {
    code: 'not_found',
    detail: 'No such bytes',
    errors: [{ path: '/size', message: 'no' }],
  });
});

/** A peer that answers whatever the test says, byte for byte. */
async function rawPeer(t: Test, answer: (socket: Socket, connection: number) => unknown) {
  const ctx = createTestContext('shop', {}, { log: logSink() });
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    connections += 1;
    const connection = connections;
    socket.once('data', () => void answer(socket, connection));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await ctx.shutdown.run('test');
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: createClient(ctx, shopContract, { address }), connections: () => connections };
}

t.test('a head in pieces is put together, and a body that breaks off fails', async (t) => {
  const { client } = await rawPeer(t, async (socket) => {
    for (const piece of ['HTTP/1.1 20', '0 OK\r\nContent-Le', 'ngth: 10\r\n\r', '\nabc']) {
      socket.write(piece);
      await sleep(20);
    }
    socket.end('de');
  });
  const { body, sizeBytes } = await client.relay('download', { query: { size: 10 } });
  t.equal(sizeBytes, 10);
  await t.rejects(buffer(body), { code: 'unavailable' });
});

t.test('a connection lost before the head is tried once more', async (t) => {
  const { client, connections } = await rawPeer(t, (socket, connection) => {
    if (connection === 1) socket.destroy();
    else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
  const { body } = await client.relay('download', { query: { size: 2 } });
  t.equal((await buffer(body)).toString(), 'ok');
  t.equal(connections(), 2);
});

t.test('what no service of ours would answer is refused', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\nno length',
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`,
    'HTTP/1.1 500 Oops\r\ncontent-length: 5\r\n\r\noops!',
    'HTTP/1.1 404 Not Found\r\ncontent-length: 9999999\r\n\r\n{',
  ];
  for (const answer of answers) {
    const { client } = await rawPeer(t, (socket) => socket.write(answer));
    await t.rejects(
      client.relay('download', { query: { size: 2 } }),
      { code: 'upstream' },
      JSON.stringify(answer).slice(0, 50),
    );
  }
  const { client } = await rawPeer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmore'));
  const { body } = await client.relay('download', { query: { size: 2 } });
  await t.rejects(buffer(body), { code: 'upstream' });
});

t.test('nobody there is unavailable, and an answer that does not come a timeout', async (t) => {
  const ctx = createTestContext('shop', {}, { log: logSink() });
  t.teardown(() => ctx.shutdown.run('test'));
  const nobody = createClient(ctx, shopContract, { address: 'http://127.0.0.1:1' });
  await t.rejects(nobody.relay('download', { query: { size: 2 } }), { code: 'unavailable' });
  const { client } = await rawPeer(t, () => {});
  await t.rejects(client.relay('download', { query: { size: 2 } }, { timeoutMs: 100 }), { code: 'timeout' });
});
