/**
 * A large file through each of the older APIs, up and down: the same bytes, and a gateway whose memory does not grow with them.
 * LARGE_MIB sets the size (300).
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  CloudboxClient,
  CloudrestClient,
  type Http,
  ImagesClient,
  MinobjectClient,
  newPerson,
  type Person,
  peakMemoryBytes,
  type Reply,
  resetPeakMemory,
  startTestStack,
  VertexClient,
} from '../../src/index.ts';
import { PNG } from './pictures.ts';

const MIB = 1024 * 1024;
const sizeBytes = Number(process.env.LARGE_MIB ?? 300) * MIB;
const WARM_UP_BYTES = 24 * MIB;
const MOST_GROWTH_BYTES = 64 * MIB;
const LONG = { timeoutMs: 600_000 };

t.setTimeout(900_000);
const stack = await startTestStack({
  env: { FREE_LIMIT_BYTES: String(8 * sizeBytes), IMAGES_MAX_BYTES: String(sizeBytes) },
});
t.teardown(() => stack.stop());

/** Begins like a picture, and no block is like another. */
function* blocks(total: number, hash = createHash('sha256')): Generator<Buffer> {
  const block = Buffer.alloc(192 * 1024, createHash('sha512').update(String(total)).digest());
  for (let left = total, n = 0; left > 0; n++) {
    const piece = Buffer.from(block.subarray(0, Math.min(left, block.length)));
    if (n === 0) PNG.copy(piece);
    else piece.writeUInt32LE(n, 0);
    hash.update(piece);
    left -= piece.length;
    yield piece;
  }
}

/** The parts of a form, the file first, as browsers and curl send them. */
function* form(fields: Record<string, string>, file: Iterable<Buffer>): Generator<Buffer> {
  yield Buffer.from(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="large.png"\r\ncontent-type: image/png\r\n\r\n`,
  );
  yield* file;
  for (const [name, value] of Object.entries(fields))
    yield Buffer.from(`\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}`);
  yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
}
const BOUNDARY = 'coffer-large-7d1a';
const FORM = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };

/** JSON whose `data` is base64; the blocks' length is a multiple of three, so that the pieces can be put together. */
function* inJson(pieces: Iterable<Buffer>): Generator<Buffer> {
  yield Buffer.from('{"description":"large","data":"');
  for (const piece of pieces) yield Buffer.from(piece.toString('base64'));
  yield Buffer.from('"}');
}

const stream = (pieces: Iterable<Buffer>): Readable => Readable.from(pieces, { objectMode: false });

interface LargeDoor {
  readonly name: string;
  up(total: number, hash: ReturnType<typeof createHash>): Promise<Reply>;
  /** Where the bytes of what was just uploaded are. */
  down(reply: Reply): Promise<{ path: string; headers: Record<string, string> }>;
}

async function doors(http: Http, person: Person): Promise<LargeDoor[]> {
  const { username: login } = person.account;
  const { password } = person;
  const cloudrest = new CloudrestClient(http);
  await cloudrest.signIn(login, password);
  const images = new ImagesClient(http);
  await images.logIn(login, password);
  const vertex = new VertexClient(http);
  await vertex.logIn(login, password);
  const cloudbox = new CloudboxClient(http);
  await cloudbox.logIn(login, password);
  const minobject = new MinobjectClient(http);
  await minobject.logIn(login, password);
  const cookie = { cookie: cloudrest.cookie ?? '' };
  const bearer = (token: string | undefined) => ({ authorization: `Bearer ${token}` });
  let turn = 0;
  return [
    {
      name: 'cloudrest',
      up: (total, hash) => cloudrest.put('large.png', stream(blocks(total, hash)), 'image/png'),
      down: async () => ({ path: '/api/file/large.png', headers: cookie }),
    },
    {
      name: 'images',
      up: (total, hash) =>
        images.request('POST', '/api/images', {
          body: stream(inJson(blocks(total, hash))),
          headers: { 'content-type': 'application/json' },
          ...LONG,
        }),
      down: async (reply) => ({ path: reply.json<{ source: string }>().source, headers: {} }),
    },
    {
      name: 'vertex',
      up: (total, hash) =>
        http.request('POST', '/create/file/', {
          body: stream(form({ key: vertex.key }, blocks(total, hash))),
          headers: FORM,
          ...LONG,
        }),
      down: async (reply) => {
        const { filename } = reply.json<{ filename: string }>();
        return { path: (await vertex.files())[filename]?.url ?? '', headers: {} };
      },
    },
    {
      name: 'cloudbox',
      up: (total, hash) =>
        cloudbox.request('POST', 'store/files/', {
          body: stream(form({}, blocks(total, hash))),
          headers: FORM,
          ...LONG,
        }),
      down: async (reply) => ({
        path: `/api/v1/store/assets/${reply.json<{ id: string }>().id}/download/`,
        headers: bearer(cloudbox.access),
      }),
    },
    {
      name: 'minobject',
      up: (total, hash) => {
        turn += 1;
        const fields = { file_identifier: `large-${login}-${turn}` };
        const body = stream(form(fields, blocks(total, hash)));
        return minobject.request('POST', '/data/file', { body, headers: FORM, ...LONG });
      },
      down: async () => ({ path: `/data/file/large-${login}-${turn}`, headers: bearer(minobject.token) }),
    },
  ];
}

function gatewayPid(): number | undefined {
  const pid = stack.local?.pids().gateway?.[0];
  return pid !== undefined && existsSync('/proc/self/status') ? pid : undefined;
}

/** Does the work and answers by how much the gateway's memory rose above what it was before; undefined where that cannot be seen. */
async function growthOf(work: () => Promise<void>): Promise<number | undefined> {
  const pid = gatewayPid();
  if (pid === undefined) {
    await work();
    return undefined;
  }
  resetPeakMemory(pid);
  const before = peakMemoryBytes(pid) ?? Number.NaN;
  await work();
  return (peakMemoryBytes(pid) ?? Number.NaN) - before;
}

async function roundTrip(t: Test, door: LargeDoor, total: number): Promise<void> {
  const hash = createHash('sha256');
  const reply = await door.up(total, hash);
  t.ok(reply.status < 300, `${door.name} takes it: ${reply.status} ${reply.text().slice(0, 200)}`);
  const { path, headers } = await door.down(reply);
  const { body, statusCode } = await stack.http.open('GET', path, { headers, ...LONG });
  t.equal(statusCode, 200);
  const got = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    got.update(chunk);
    bytes += chunk.length;
  }
  t.equal(bytes, total);
  t.equal(got.digest('hex'), hash.digest('hex'), `${door.name} gives back what it took`);
}

const person = await newPerson(stack.http);
for (const door of await doors(stack.http, person)) {
  t.test(`${sizeBytes / MIB} MiB through ${door.name}`, async (t) => {
    await roundTrip(t, door, WARM_UP_BYTES);
    const grown = await growthOf(() => roundTrip(t, door, sizeBytes));
    if (grown !== undefined) t.ok(grown < MOST_GROWTH_BYTES, `the gateway grew by ${Math.round(grown / MIB)} MiB`);
  });
}

t.test('a folder of all that as one archive', async (t) => {
  const { account, password } = person;
  const cloudbox = new CloudboxClient(stack.http);
  await cloudbox.logIn(account.username, password);
  const { id } = await cloudbox.folder();
  const { usedBytes } = await person.client.usage();
  let bytes = 0;
  const grown = await growthOf(async () => {
    const { body, statusCode } = await stack.http.open('GET', `/api/v1/store/assets/${id}/download/`, {
      headers: { authorization: `Bearer ${cloudbox.access}` },
      ...LONG,
    });
    t.equal(statusCode, 200);
    for await (const chunk of body) bytes += chunk.length;
  });
  t.ok(bytes > 0 && bytes < 1.1 * usedBytes, `${bytes} bytes came for ${usedBytes}`);
  if (grown !== undefined) t.ok(grown < MOST_GROWTH_BYTES, `the gateway grew by ${Math.round(grown / MIB)} MiB`);
});
