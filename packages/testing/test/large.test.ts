/**
 * A large file up and down: the same bytes, and memory that does not grow with them. An upload that breaks off leaves nothing.
 * LARGE_MIB sets the size (256).
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { newPerson, type Person, peakMemoryBytes, resetPeakMemory, startTestStack, waitFor } from '../src/index.ts';

const MIB = 1024 * 1024;
const sizeBytes = Number(process.env.LARGE_MIB ?? 256) * MIB;
const MOST_GROWTH_BYTES = 64 * MIB;
const WARM_UP_BYTES = 32 * MIB;
const PARTS = ['gateway', 'blob'] as const;

const stack = await startTestStack();
t.teardown(() => stack.stop());
const local = stack.local;

/** With space for it all; an operator gives it, where one is known. */
async function roomyPerson(): Promise<Person> {
  const person = await newPerson(stack.http);
  if (!stack.hasOperator) return person;
  const { client: operator } = await stack.operator();
  await operator.updateAccount(person.account.id, { limitBytes: 3 * sizeBytes + WARM_UP_BYTES });
  return person;
}

/** Bytes that differ in every block, made as they are read; `hash` gets to see them. */
function* blocks(total: number, hash = createHash('sha256')): Generator<Buffer> {
  const block = createHash('sha512').update(String(total)).digest();
  const buffer = Buffer.alloc(256 * 1024);
  for (let at = 0; at < buffer.length; at += block.length) block.copy(buffer, at);
  for (let left = total, n = 0; left > 0; left -= buffer.length, n++) {
    const piece = Buffer.from(buffer.subarray(0, Math.min(left, buffer.length)));
    piece.writeUInt32LE(n, 0);
    hash.update(piece);
    yield piece;
  }
}

/** Hashes a download without keeping it. */
async function hashOf(body: AsyncIterable<Buffer>): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

function pidOf(part: string): number {
  const pid = local?.pids()[part]?.[0];
  if (pid === undefined) throw new Error(`${part} does not run`);
  return pid;
}

/** Memory of each part now, as the beginning of a new peak. */
function startPeaks(): Map<string, number> {
  return new Map(
    PARTS.map((part) => {
      resetPeakMemory(pidOf(part));
      return [part, peakMemoryBytes(pidOf(part)) ?? Number.NaN];
    }),
  );
}

const growth = (part: string, peaks: Map<string, number>): number =>
  (peakMemoryBytes(pidOf(part)) ?? Number.NaN) - (peaks.get(part) ?? Number.NaN);

t.test(`${sizeBytes / MIB} MiB up and down`, async (t) => {
  const { client } = await roomyPerson();
  const canMeasure = local !== undefined && existsSync('/proc/self/status');

  const roundTrip = async (name: string, total: number, headers: Record<string, string>): Promise<void> => {
    const hash = createHash('sha256');
    const node = await client.putFile(name, Readable.from(blocks(total, hash), { objectMode: false }), {
      headers,
      timeoutMs: 600_000,
    });
    const sent = hash.digest('hex');
    t.equal(node.sha256, sent, `${name} was stored as it was sent`);
    t.equal(node.size, total);
    const { body } = await client.open('GET', `/v1/nodes/${node.id}/content`, { timeoutMs: 600_000 });
    t.strictSame(await hashOf(body), { sha256: sent, bytes: total }, `${name} comes back as it was sent`);
  };

  await roundTrip('warm-up', WARM_UP_BYTES, {});
  const peaks = canMeasure ? startPeaks() : new Map<string, number>();
  await roundTrip('chunked', sizeBytes, {});
  await roundTrip('announced', sizeBytes, { 'content-length': String(sizeBytes) });
  for (const part of canMeasure ? PARTS : []) {
    const grown = growth(part, peaks);
    t.ok(grown < MOST_GROWTH_BYTES, `${part} grew by ${Math.round(grown / MIB)} MiB`);
  }
  t.match(await client.usage(), { usedBytes: 2 * sizeBytes + WARM_UP_BYTES, files: 3 });
});

t.test('an upload that is broken off half-way leaves nothing', async (t) => {
  const { client } = await roomyPerson();
  await client.putFile('kept', 'as it was');
  const before = await client.usage();
  const stored = storedFiles();
  for (const headers of [{}, { 'content-length': String(sizeBytes) }]) {
    for (const target of ['new/never.bin', 'kept']) {
      const breakOff = new AbortController();
      const half = function* (): Generator<Buffer> {
        let sent = 0;
        for (const piece of blocks(sizeBytes)) {
          sent += piece.length;
          if (sent > sizeBytes / 2) breakOff.abort();
          yield piece;
        }
      };
      const upload = client.putFile(target, Readable.from(half(), { objectMode: false }), {
        headers,
        signal: breakOff.signal,
      });
      await t.rejects(upload, `${target} is broken off`);
    }
  }
  await waitFor(
    'the temporary files to go',
    () => storedFiles() === undefined || storedFiles()?.length === stored?.length,
  );
  t.strictSame(storedFiles(), stored, 'no temporary file and no blob');
  t.strictSame(await client.usage(), before, 'no space is taken');
  t.strictSame(
    (await client.children('root')).items.map(({ name }) => name),
    ['kept'],
    'no node',
  );
  t.equal((await client.getFile('kept')).text(), 'as it was');
});

t.test('a download that is broken off does no harm', async (t) => {
  const { client } = await roomyPerson();
  const file = await client.putFile('some', Readable.from(blocks(WARM_UP_BYTES), { objectMode: false }));
  for (let n = 0; n < 20; n++) {
    const { body } = await client.open('GET', `/v1/nodes/${file.id}/content`);
    for await (const _ of body) break;
    body.destroy();
  }
  const { body } = await client.open('GET', `/v1/nodes/${file.id}/content`);
  t.match(await hashOf(body), { sha256: file.sha256, bytes: WARM_UP_BYTES });
});

/** Every blob and temporary file; undefined for a deployment by URL. */
function storedFiles(): string[] | undefined {
  if (local === undefined) return undefined;
  const entries = readdirSync(path.join(local.stateDir, 'blobs'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\/(?:sha256|tmp)(?:\/|$)/.test(entry.parentPath))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
