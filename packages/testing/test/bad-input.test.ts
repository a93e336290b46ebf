/**
 * Malformed, wrong, huge, empty, slow and cut requests over all routes: each gets its 4xx with a problem document and the right code, none
 * a 5xx, and nothing of any of them is stored.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import {
  type Client,
  newPerson,
  PASSWORD,
  type Reply,
  rawRequest,
  sha256,
  someBytes,
  startTestStack,
  walk,
} from '../src/index.ts';
import { type BadCase, badCases, FORM_BYTES, type Scene } from './bad-input-cases.ts';
import { refused } from './refused.ts';

/** How long a body may pause. A deployment by URL has its own, which is longer. */
const BODY_IDLE_SECONDS = 2;
const SLOW_TIMEOUT_MS = 90_000;

const stack = await startTestStack({ env: { BODY_IDLE_SECONDS: String(BODY_IDLE_SECONDS) } });
t.teardown(() => stack.stop());

const { client, account, session } = await newPerson(stack.http);
const scene = await setScene();
const before = await everythingOf(client);
const blobsBefore = storedBlobs();

async function setScene(): Promise<Scene> {
  const file = await client.putFile('file.txt', 'hello');
  await client.putFile('file.txt', 'hello again'.slice(0, 10));
  const [version] = await client.versions(file.id);
  const folder = await client.createFolder('root', 'folder');
  await client.putChild(folder.id, 'taken.txt', 'mine');
  const key = await client.createKey({ name: 'full', access: 'full' });
  const reader = await client.createKey({ name: 'reader', access: 'read-only' });
  const operator = stack.hasOperator ? await stack.operator() : undefined;
  return {
    fileId: file.id,
    folderId: folder.id,
    versionId: version?.id ?? '',
    keyId: key.id,
    userToken: `Bearer ${session.accessToken}`,
    readOnlyKey: `Bearer ${reader.id}.${reader.secret}`,
    ...(operator === undefined ? {} : { operatorToken: `Bearer ${operator.session.accessToken}` }),
    accountId: account.id,
    accessToken: session.accessToken,
  };
}

/** All that an account can see of itself. */
async function everythingOf(who: Client) {
  const nodes = [];
  for await (const { node, path: place } of walk(who)) nodes.push([place, node]);
  const sessions = (await who.sessions()).items.map(({ id }) => id);
  return {
    me: await who.me(),
    usage: await who.usage(),
    nodes,
    trash: (await who.trash()).items,
    keys: (await who.keys()).items,
    sessions,
    versions: await who.versions(scene.fileId),
  };
}

/** Every file of the blob store, temporary ones too; undefined for a deployment by URL. */
function storedBlobs(): string[] | undefined {
  if (stack.local === undefined) return undefined;
  const entries = readdirSync(path.join(stack.local.stateDir, 'blobs'), { recursive: true, withFileTypes: true });
  const kept = entries.filter((entry) => entry.isFile() && /\/(?:sha256|tmp)(?:\/|$)/.test(entry.parentPath));
  return kept.map((entry) => path.join(entry.parentPath, entry.name)).sort();
}

/** As it is, byte for byte: client libraries refuse or repair much of what is tried here. */
async function send({ method, path: target, headers = {}, body }: BadCase): Promise<Reply | undefined> {
  const all: Record<string, string | null> = {
    host: new URL(stack.url).host,
    authorization: scene.userToken,
    ...headers,
  };
  const bytes = body === undefined ? undefined : Buffer.from(body);
  if (bytes !== undefined) all['content-length'] = String(bytes.length);
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]));
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}connection: close\r\n\r\n`);
  return await rawRequest(stack.url, { pieces: bytes === undefined ? [head] : [head, bytes] });
}

t.test('every bad request is refused for what is wrong with it', async (t) => {
  const cases = badCases(scene);
  t.ok(cases.length >= 150, `${cases.length} cases`);
  for (const one of cases) {
    const reply = await send(one);
    if (reply === undefined) t.fail(`${one.name}: no answer`);
    else if (one.method === 'HEAD') t.equal(reply.status, one.status, one.name);
    else refused(t, reply, one.status, one.code, one.name);
  }
});

interface RawCase {
  readonly name: string;
  readonly pieces: (string | Buffer | number)[];
  readonly then?: 'keep' | 'half-close' | 'reset';
  readonly status: number;
  readonly code: string;
}

t.test('what is no HTTP is refused as well', async (t) => {
  const host = `host: ${new URL(stack.url).host}\r\n`;
  const auth = `authorization: ${scene.userToken}\r\n`;
  const put = `PUT /v1/files/never.txt HTTP/1.1\r\n${host}${auth}`;
  const bad = (name: string, text: string, status = 400, code = 'bad_request'): RawCase => ({
    name,
    pieces: [text],
    status,
    code,
  });
  const cases: RawCase[] = [
    bad('no request line', 'hello\r\n\r\n'),
    bad('an unknown version', `GET /v1/me HTTP/9.9\r\n${host}\r\n`),
    bad('a space in a header name', `GET /v1/me HTTP/1.1\r\n${host}bad header: x\r\n\r\n`),
    bad('no host', 'GET /v1/me HTTP/1.1\r\n\r\n'),
    bad('a length that is no number', `${put}content-length: ten\r\n\r\n`),
    bad('a negative length', `${put}content-length: -1\r\n\r\n`),
    bad('two lengths', `${put}content-length: 1\r\ncontent-length: 2\r\n\r\nab`),
    bad('a length and chunks', `${put}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
    bad('an unknown coding', `${put}transfer-encoding: gzip\r\n\r\nabc`),
    bad('a chunk size that is none', `${put}transfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n`),
    bad(
      'huge headers',
      `GET /v1/me HTTP/1.1\r\n${host}x-big: ${'x'.repeat(200_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ),
    bad('an unknown expectation', `${put}content-length: 1\r\nexpect: a-miracle\r\n\r\nx`, 417, 'expectation_failed'),
    bad('an unknown method', `BREW /v1/me HTTP/1.1\r\n${host}${auth}\r\n`),
  ];
  for (const { name, pieces, then = 'keep', status, code } of cases) {
    const reply = await rawRequest(stack.url, { pieces, then });
    if (reply === undefined) t.fail(`${name}: no answer`);
    else refused(t, reply, status, code, name);
  }
});

t.test('who waits for leave to send is refused before the body', async (t) => {
  const head = (extra: string, target = '/v1/files/never.bin') =>
    `PUT ${target} HTTP/1.1\r\nhost: ${new URL(stack.url).host}\r\nexpect: 100-continue\r\n${extra}\r\n`;
  const auth = `authorization: ${scene.userToken}\r\n`;
  for (const [name, text, status, code] of [
    ['nobody', head('content-length: 100000\r\n'), 401, 'unauthorized'],
    ['too much for the quota', head(`${auth}content-length: 99999999999\r\n`), 507, 'quota_exceeded'],
    ['a condition that fails', head(`${auth}if-match: "x"\r\ncontent-length: 10\r\n`), 412, 'precondition_failed'],
    ['an illegal name', head(`${auth}content-length: 10\r\n`, '/v1/files/a//b'), 400, 'invalid_name'],
  ] as const) {
    const reply = await rawRequest(stack.url, { pieces: [text] });
    if (reply === undefined) t.fail(`${name}: no answer`);
    else refused(t, reply, status, code, name);
  }
});

t.test('slow bodies are ended', async (t) => {
  const head = (target: string, extra: string) =>
    `${target} HTTP/1.1\r\nhost: ${new URL(stack.url).host}\r\nauthorization: ${scene.userToken}\r\n${extra}\r\n`;
  const form = 'content-type: multipart/form-data; boundary=b\r\n';
  const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="never.txt"\r\n\r\n';
  const slow = [
    ['a small body', head('PUT /v1/files/never.txt', 'content-length: 1000\r\n'), 'some'],
    ['a large body', head('PUT /v1/files/never.bin', 'content-length: 1000000\r\n'), someBytes(200_000)],
    ['a chunked body', head('PUT /v1/files/never.bin', 'transfer-encoding: chunked\r\n'), '5\r\nhello\r\n'],
    ['a form', head(`POST /v1/nodes/${scene.folderId}/children`, `content-length: 1000000\r\n${form}`), `${part}bytes`],
    [
      'JSON',
      head('POST /v1/nodes/root/children', 'content-type: application/json\r\ncontent-length: 100\r\n'),
      '{"name":',
    ],
  ] as const;
  await Promise.all(
    slow.map(async ([name, text, body]) => {
      const reply = await rawRequest(stack.url, { pieces: [text, body], timeoutMs: SLOW_TIMEOUT_MS });
      if (reply === undefined) t.fail(`${name}: no answer`);
      else refused(t, reply, 408, 'request_timeout', name);
    }),
  );
});

t.test('a body that breaks off leaves nothing', async (t) => {
  const head = (extra: string) =>
    `PUT /v1/files/never.bin HTTP/1.1\r\nhost: ${new URL(stack.url).host}\r\nauthorization: ${scene.userToken}\r\n${extra}\r\n`;
  const bytes = someBytes(300_000);
  for (const then of ['half-close', 'reset'] as const) {
    for (const [name, pieces] of [
      ['in a small body', [head('content-length: 1000\r\n'), 'half of it', 100]],
      ['in a large body', [head('content-length: 1000000\r\n'), bytes, 100]],
      ['in a chunk', [head('transfer-encoding: chunked\r\n'), `${(500_000).toString(16)}\r\n`, bytes, 100]],
      ['between chunks', [head('transfer-encoding: chunked\r\n'), '5\r\nhello\r\n', 100]],
    ] as const) {
      const reply = await rawRequest(stack.url, { pieces, then, timeoutMs: SLOW_TIMEOUT_MS });
      // Whoever cannot send the rest may be gone: there may be no answer, but never one that says it is stored.
      t.ok(reply === undefined || (reply.status >= 400 && reply.status < 500), `${then} ${name}: ${reply?.status}`);
    }
  }
  t.equal((await client.request('GET', '/v1/files/never.bin')).status, 404);
});

t.test('more than announced is not taken', async (t) => {
  const digest = createHash('sha256').update(PASSWORD).digest('base64');
  const headers = { 'content-digest': `sha-256=:${digest}:` };
  const reply = await client.request('PUT', '/v1/files/never.bin', { headers, body: someBytes(2_000_000) });
  refused(t, reply, 400, 'digest_mismatch');
  const over = await client.request('PUT', '/v1/files/never.bin', {
    body: Buffer.alloc(0),
    headers: { 'content-type': 'x' },
  });
  refused(t, over, 415, 'unsupported_media_type');
});

t.test('nothing of it all was stored', async (t) => {
  t.strictSame(await everythingOf(client), before);
  // A form may name its file behind it: bytes whose node was refused wait, unreferenced, to be collected. No others are left.
  const digest = sha256(FORM_BYTES);
  const left = storedBlobs()?.filter((file) => !file.replaceAll('/', '').endsWith(digest));
  t.strictSame(left, blobsBefore, 'no blob and no temporary file');
});
