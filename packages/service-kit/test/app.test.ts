import { once } from 'node:events';
import { connect } from 'node:net';
import type { Principal } from '@coffer/contracts';
import t, { type Test } from 'tap';
import Type from 'typebox';
import { type App, appError, createApp, createTestContext, newId, registerOps, signPrincipal } from '../src/index.ts';
import { logSink, sleep, until } from './helpers.ts';

t.setTimeout(180_000);

const principal: Principal = { accountId: newId(), role: 'user', readOnly: false };

async function start(t: Test, o: { internal?: boolean; bodyTimeoutMs?: number } = {}) {
  const log = logSink();
  const ctx = createTestContext('test', {}, { log });
  const app = createApp(ctx, o);
  const aborted: string[] = [];
  registerOps(app, ctx, {
    ready: { good: async () => {}, late: () => (lateCheck ? new Promise(() => {}) : Promise.resolve()) },
  });
  addRoutes(app, aborted);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.teardown(async () => {
    app.server.closeAllConnections();
    await app.close();
    await ctx.shutdown.run('test');
  });
  const secret = { 'x-coffer-secret': ctx.internalSecret };
  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url + path, { ...init, headers: { ...(o.internal === false ? {} : secret), ...init.headers } });
  const json = async (path: string, init?: RequestInit): Promise<Record<string, unknown>> =>
    record(await (await get(path, init)).json());
  return { app, ctx, url, log, get, json, aborted, port: Number(new URL(url).port) };
}
let lateCheck = false;

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return { ...value };
}

function addRoutes(app: App, aborted: string[]): void {
  const body = Type.Object(
    { count: Type.Integer(), name: Type.Optional(Type.String()) },
    { additionalProperties: false },
  );
  app.post('/items', { config: { op: 'items.create' }, schema: { body } }, async (request) => {
    const { signal } = request;
    await sleep(20);
    return { count: request.body.count, aborted: signal.aborted };
  });
  const querystring = Type.Object({ limit: Type.Integer({ default: 5 }) }, { additionalProperties: false });
  app.get(
    '/items/:id',
    { config: { op: 'items.get' }, schema: { querystring, params: Type.Object({ id: Type.Integer() }) } },
    async (r) => ({
      ...r.query,
      ...r.params,
      traceparent: r.traceparent,
      call: { ...r.call, signal: undefined },
    }),
  );
  app.get('/me', { config: { op: 'me' } }, async (request) => request.principal());
  app.get('/broken', { config: { op: 'broken' } }, async (request) => {
    request.log.warn(
      { password: 'hush', headers: { authorization: 'hush' }, deep: { refreshToken: 'hush' } },
      'about to break',
    );
    throw new Error('mongodb://secret@inside');
  });
  app.get('/limited', { config: { op: 'limited' } }, async () => {
    throw appError('rate_limited', 'Slow down', { headers: { 'retry-after': '7' } });
  });
  app.get('/forever', { config: { op: 'forever' } }, async (request) => {
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    aborted.push(String(request.signal.reason));
    throw request.signal.reason;
  });
}

t.test('an internal app requires the secret on everything but /healthz', async (t) => {
  const { url, get } = await start(t);
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  for (const path of ['/readyz', '/metrics', '/items/1', '/nothing']) {
    for (const headers of [{}, { 'x-coffer-secret': 'wrong' }, { 'x-coffer-secret': '' }]) {
      const answer = await fetch(url + path, { headers });
      t.equal(answer.status, 401, `${path} ${JSON.stringify(headers)}`);
      t.match(await answer.json(), { code: 'unauthorized' });
    }
  }
  t.equal((await get('/items/1')).status, 200);
  const scrape = await fetch(`${url}/metrics`, {
    headers: { authorization: `Bearer ${'test-secret-'.padEnd(40, 'x')}` },
  });
  t.equal(scrape.status, 200, 'Prometheus may send it as a bearer token');
});

t.test('problems: 404, 405 with Allow, bad URL, bad bodies, queries and parameters', async (t) => {
  const { get } = await start(t);
  const json = { 'content-type': 'application/json' };
  const cases: [string, RequestInit, number, string][] = [
    ['/nothing', {}, 404, 'not_found'],
    ['/items/1', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['/items/1', { method: 'PROPFIND' }, 405, 'method_not_allowed'],
    ['/%zz', {}, 400, 'bad_request'],
    ['/items/x', {}, 400, 'invalid_parameter'],
    [`/items/${'1'.repeat(17_000)}`, {}, 414, 'uri_too_long'],
    ['/items/1?limit=x', {}, 400, 'invalid_query'],
    ['/items/1?other=1', {}, 400, 'invalid_query'],
    ['/items', { method: 'POST', headers: json, body: '{' }, 400, 'invalid_body'],
    ['/items', { method: 'POST', headers: json, body: '' }, 400, 'invalid_body'],
    ['/items', { method: 'POST', headers: json, body: '{"count":"1"}' }, 400, 'invalid_body'],
    ['/items', { method: 'POST', headers: json, body: '{"count":1,"extra":1}' }, 400, 'invalid_body'],
    ['/items', { method: 'POST', headers: json, body: '{"name":"x"}' }, 400, 'invalid_body'],
    ['/items', { method: 'POST', headers: json, body: '{"__proto__":{},"count":1}' }, 400, 'invalid_body'],
    [
      '/items',
      { method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<a/>' },
      415,
      'unsupported_media_type',
    ],
    [
      '/items',
      { method: 'POST', headers: json, body: JSON.stringify({ count: 1, name: 'x'.repeat(9e6) }) },
      413,
      'too_large',
    ],
  ];
  for (const [path, init, status, code] of cases) {
    const answer = await get(path, init);
    const name = `${init.method ?? 'GET'} ${path.slice(0, 30)} ${String(init.body ?? '').slice(0, 30)}`;
    t.equal(answer.status, status, name);
    t.equal(answer.headers.get('content-type'), 'application/problem+json', name);
    const problem = record(await answer.json());
    t.match(problem, { status, code, type: 'about:blank', title: String, detail: String, requestId: String }, name);
    t.ok(Array.isArray(problem.errors), name);
    if (status === 405) t.equal(answer.headers.get('allow'), 'GET');
  }
  const unknown = record(
    await (await get('/items', { method: 'POST', headers: json, body: '{"count":1,"extra":1}' })).json(),
  );
  t.same(unknown.errors, [{ path: '/extra', message: 'is not known here' }]);
  t.match(
    await (await get('/items/1')).json(),
    { id: 1, limit: 5 },
    'queries and parameters are converted, defaults applied',
  );
});

t.test('unknown errors say nothing of the inside; headers of known ones are sent', async (t) => {
  const { get, log } = await start(t);
  const broken = await get('/broken');
  t.equal(broken.status, 500);
  t.notMatch(await broken.text(), /mongodb|secret@/);
  t.ok(
    log.lines.some((line) => line.msg === 'a request failed' && JSON.stringify(line).includes('mongodb')),
    'the log says it',
  );
  const limited = await get('/limited');
  t.equal(limited.headers.get('retry-after'), '7');
});

t.test('secrets are redacted in logs, at any depth, and lines of a request carry its id', async (t) => {
  const { get, log } = await start(t);
  await get('/broken', { headers: { 'x-request-id': 'request-0001' } });
  const line = log.lines.find((one) => one.msg === 'about to break');
  t.match(line, {
    password: '[redacted]',
    headers: { authorization: '[redacted]' },
    deep: { refreshToken: '[redacted]' },
  });
  t.equal(line?.requestId, 'request-0001');
  t.notMatch(JSON.stringify(log.lines), /hush/);
});

t.test('request id and trace: taken over when they are well formed, made anew when not', async (t) => {
  const { get, json, log } = await start(t);
  const traceId = 'a'.repeat(32);
  const good = await get('/items/1?limit=2', {
    headers: { 'x-request-id': 'abc-DEF_1.23', traceparent: `00-${traceId}-${'b'.repeat(16)}-01` },
  });
  const answer = record(await good.json());
  t.match(answer.call, { requestId: 'abc-DEF_1.23' });
  t.match(answer.traceparent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  t.notMatch(String(answer.traceparent), /b{16}/, 'a span of its own');
  for (const bad of [
    { 'x-request-id': 'a b<script>', traceparent: 'nonsense' },
    { traceparent: `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01` },
  ]) {
    const other = await json('/items/1', { headers: bad });
    t.match(other.call, { requestId: /^[0-9a-f]{8}-[0-9a-f]{4}-7/ });
    t.match(other.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    t.notMatch(String(other.traceparent), /nonsense|0{32}/);
  }
  await until('lines', () => log.of('items.get').length === 3);
  t.match(log.of('items.get')[0], { requestId: 'abc-DEF_1.23', traceId, path: '/items/1' }, 'the query is not logged');
});

t.test('one access line per request, with sizes, account and status', async (t) => {
  const { get, log, ctx } = await start(t);
  const header = signPrincipal(principal, ctx.internalSecret);
  await get('/me', { headers: { 'x-coffer-principal': header } });
  await get('/items', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"count":41}' });
  await get('/%zz');
  await until('lines', () => log.of('unmatched').length === 1 && log.of('items.create').length === 1);
  t.match(log.of('me'), [{ method: 'GET', status: 200, accountId: principal.accountId, ms: Number, bytesIn: 0 }]);
  t.match(log.of('items.create'), [{ status: 200, bytesIn: 12, bytesOut: '{"count":41,"aborted":false}'.length }]);
  t.match(log.of('unmatched'), [{ status: 400, path: '/%zz' }]);
  const metrics = await (await get('/metrics')).text();
  t.match(metrics, /http_request_duration_seconds_count\{[^}]*op="items.create",status="200"\} 1/);
  t.match(metrics, /http_requests_in_flight\{[^}]*\} 1\n/, 'the scrape itself, and nothing left behind');
  t.match(metrics, /http_bytes_total\{[^}]*op="items.create",direction="in"[^}]*\} 12/);
});

t.test('the signal aborts when the client goes away, and only then; the line says so', async (t) => {
  const { get, log, aborted } = await start(t);
  const posted = await get('/items', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"count":1}',
  });
  t.match(await posted.json(), { aborted: false }, 'not when the body was read');
  const client = new AbortController();
  const call = get('/forever', { signal: client.signal });
  await sleep(50);
  client.abort();
  await t.rejects(call);
  await until('abort', () => aborted.length === 1 && log.of('forever').length === 1);
  t.match(aborted[0], /AbortError/);
  t.match(log.of('forever'), [{ aborted: true, status: 499 }]);
  t.notOk(
    log.lines.some((line) => line.msg === 'a request failed'),
    'not an error of ours',
  );
});

t.test('a principal is taken from its signed header only', async (t) => {
  const { get, ctx } = await start(t);
  const good = signPrincipal(principal, ctx.internalSecret);
  t.same(await (await get('/me', { headers: { 'x-coffer-principal': good } })).json(), principal);
  const [payload = '', mac = ''] = good.split('.');
  const other = Buffer.from(JSON.stringify({ ...principal, role: 'operator' })).toString('base64url');
  const forged = [
    `${other}.${mac}`,
    payload,
    `${payload}.`,
    `${payload}.${mac.slice(2)}`,
    'x',
    signPrincipal({ ...principal }, 'y'.repeat(32)),
  ];
  for (const header of forged)
    t.equal((await get('/me', { headers: { 'x-coffer-principal': header } })).status, 401, header.slice(-12));
  t.equal((await get('/me')).status, 401);
});

t.test('readiness names what is missing, within its time', async (t) => {
  const { get } = await start(t);
  t.match(await (await get('/readyz')).json(), { status: 'ready', checks: { good: 'ok', late: 'ok' } });
  lateCheck = true;
  t.teardown(() => {
    lateCheck = false;
  });
  const answer = await get('/readyz');
  t.equal(answer.status, 503);
  t.match(await answer.json(), { status: 'not ready', checks: { good: 'ok', late: 'failed' } });
});

t.test('the public side: request ids on every answer, no metrics, principals only as set', async (t) => {
  const { get, ctx } = await start(t, { internal: false });
  for (const path of ['/items/1', '/nothing', '/%zz', '/me', '/broken', '/healthz']) {
    const answer = await get(path);
    t.match(answer.headers.get('x-request-id'), /^[0-9a-f-]{36}$/, path);
    const problem = record(await answer.json());
    if (!answer.ok) t.equal(problem.requestId, answer.headers.get('x-request-id'), path);
  }
  t.equal((await get('/metrics')).status, 404);
  const header = signPrincipal(principal, ctx.internalSecret);
  t.equal((await get('/me', { headers: { 'x-coffer-principal': header } })).status, 401);
});

async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

t.test('what is no HTTP gets a problem too, and a slow body is given up', async (t) => {
  const { port } = await start(t, { internal: false, bodyTimeoutMs: 100 });
  const cases: [string, string, string][] = [
    ['FOO / HTTP/1.1\r\nhost: a\r\n\r\n', '400', 'bad_request'],
    ['GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n', '400', 'bad_request'],
    [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, '431', 'headers_too_large'],
    [
      'POST /items HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{',
      '408',
      'request_timeout',
    ],
  ];
  for (const [text, status, code] of cases) {
    const answer = await raw(port, text);
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `), code);
    t.match(answer, /content-type: application\/problem\+json/i);
    t.match(answer, /x-request-id: /i);
    t.match(answer, `"code":"${code}"`);
  }
});
