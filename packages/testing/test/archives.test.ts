/** Folders as one zip: as long as announced, sound to other programs, and cut off where anything changes meanwhile. */
import { execFile } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import {
  eachOf,
  newPerson,
  peakMemoryBytes,
  resetPeakMemory,
  sha256,
  someBytes,
  startTestStack,
} from '../src/index.ts';
import { refused } from './refused.ts';

t.setTimeout(1_800_000);
const run = promisify(execFile);
const MIB = 1024 * 1024;
/** What is promised is 20,000 files and 5 GiB; a run of everything does with less. */
const FILES = Number(process.env.ARCHIVE_FILES ?? 1_200);
const LARGE_BYTES = Number(process.env.ARCHIVE_LARGE_BYTES ?? 96 * MIB);
const MOST_GROWTH_BYTES = 64 * MIB;
const MOST_HEAP_BYTES = 256 * MIB;
const LONG = { timeoutMs: 900_000 };
const ZEROS = Buffer.alloc(MIB);

const stack = await startTestStack();
t.teardown(() => stack.stop());
const { client, account } = await newPerson(stack.http);
if (stack.hasOperator) await (await stack.operator()).client.updateAccount(account.id, { limitBytes: 64 * 1024 ** 3 });

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-archives-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Downloads it; answers its file, and by how much the gateway's memory rose meanwhile (undefined where that cannot be seen). */
async function download(t: Test, id: string): Promise<{ zip: string; grownBytes: number | undefined }> {
  const zip = path.join(folderFor(t), 'archive.zip');
  const pid = stack.local?.pids().gateway?.[0];
  if (pid !== undefined) resetPeakMemory(pid);
  const before = pid === undefined ? undefined : peakMemoryBytes(pid);
  const { body, statusCode, headers } = await client.open('GET', `/v1/nodes/${id}/archive`, LONG);
  t.equal(statusCode, 200);
  await pipeline(body, createWriteStream(zip));
  t.equal((await stat(zip)).size, Number(headers['content-length']), 'as long as announced');
  const after = pid === undefined ? undefined : peakMemoryBytes(pid);
  return { zip, grownBytes: before === undefined || after === undefined ? undefined : after - before };
}

/** What another implementation finds in it, and that a third finds it sound. */
async function contentOf(zip: string): Promise<Entry[]> {
  await run('unzip', ['-tqq', zip]);
  const script = `
import sys, json, zipfile, hashlib
def digest(z, i):
    h = hashlib.sha256()
    with z.open(i) as f:
        while piece := f.read(1 << 20): h.update(piece)
    return h.hexdigest()
z = zipfile.ZipFile(sys.argv[1])
print(json.dumps([{"name": i.filename, "size": i.file_size, "sha256": digest(z, i)} for i in z.infolist()]))`;
  const { stdout } = await run('python3', ['-c', script, zip], { maxBuffer: 256 * MIB });
  return JSON.parse(stdout);
}

t.test('a folder with all below it, and a file alone', async (t) => {
  const top = await client.createFolder('root', 'täglich "x"');
  const deep = await client.createFolder((await client.createFolder(top.id, 'b')).id, 'c');
  await client.createFolder(top.id, 'empty');
  const big = someBytes(3_000_000);
  const file = await client.putChild(deep.id, 'big.bin', big);
  await client.putChild(top.id, '日本.txt', 'text');
  await client.putChild(top.id, 'nothing', '');
  const { zip } = await download(t, top.id);
  const base = top.name;
  t.same(await contentOf(zip), [
    { name: `${base}/`, size: 0, sha256: sha256('') },
    { name: `${base}/b/`, size: 0, sha256: sha256('') },
    { name: `${base}/b/c/`, size: 0, sha256: sha256('') },
    { name: `${base}/b/c/big.bin`, size: 3_000_000, sha256: sha256(big) },
    { name: `${base}/empty/`, size: 0, sha256: sha256('') },
    { name: `${base}/nothing`, size: 0, sha256: sha256('') },
    { name: `${base}/日本.txt`, size: 4, sha256: sha256('text') },
  ]);
  const head = await client.request('HEAD', `/v1/nodes/${top.id}/archive`);
  t.match(head.headers, {
    'content-type': 'application/zip',
    'content-length': String((await stat(zip)).size),
    'accept-ranges': 'none',
    'content-disposition': /^attachment; filename="t_glich _x_\.zip"/,
  });
  const ranged = await client.archive(top.id, { headers: { range: 'bytes=0-9' } });
  t.equal(ranged.body.length, Number(head.headers['content-length']), 'ranges are not offered');
  const alone = await download(t, file.id);
  t.same(await contentOf(alone.zip), [{ name: 'big.bin', size: 3_000_000, sha256: sha256(big) }]);
  const stranger = await newPerson(stack.http);
  refused(t, await stranger.client.request('GET', `/v1/nodes/${top.id}/archive`), 404, 'not_found');
  t.ok((await client.archive('root')).body.length > 3_000_000, 'the root too');
});

t.test(`${FILES} files`, async (t) => {
  const top = await client.createFolder('root', 'many');
  const folders = await eachOf(Array.from({ length: 20 }), 4, (_, n) => client.createFolder(top.id, `folder ${n}`));
  await eachOf(Array.from({ length: FILES }), 48, async (_, n) => {
    await client.putChild(folders[n % folders.length]?.id ?? top.id, `file ${n}.txt`, `${n}`);
  });
  const began = performance.now();
  const { zip, grownBytes } = await download(t, top.id);
  t.comment(`${Math.round(performance.now() - began)} ms, grown by ${grownBytes}`);
  const again = await download(t, top.id);
  const entries = await contentOf(zip);
  t.equal(entries.length, FILES + 21);
  t.ok(
    entries.filter(({ name, ...e }) => e.size > 0 && e.sha256 !== sha256(/(\d+)\.txt$/.exec(name)?.[1] ?? ''))
      .length === 0,
  );
  // The first lets the heap grow to what it works with; what is kept for each entry would show in the next.
  if (grownBytes !== undefined) t.ok(grownBytes < MOST_HEAP_BYTES, `the gateway grew by ${grownBytes}`);
  if (again.grownBytes !== undefined)
    t.ok(again.grownBytes < MOST_GROWTH_BYTES, `and once more by ${again.grownBytes}`);
});

t.test(`a file of ${LARGE_BYTES} bytes`, async (t) => {
  const top = await client.createFolder('root', 'large');
  function* zeros() {
    for (let left = LARGE_BYTES; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
  }
  await client.putChild(top.id, 'a zeros', Readable.from(zeros(), { objectMode: false }), LONG);
  await client.putChild(top.id, 'b after', 'after');
  const { zip, grownBytes } = await download(t, top.id);
  t.same(
    (await contentOf(zip)).map(({ name, size }) => [name, size]),
    [
      ['large/', 0],
      ['large/a zeros', LARGE_BYTES],
      ['large/b after', 5],
    ],
  );
  if (grownBytes !== undefined) t.ok(grownBytes < MOST_GROWTH_BYTES, `the gateway grew by ${grownBytes}`);
});

t.test('what changes during the download cuts it off', async (t) => {
  const changes: [string, (file: string, folder: string) => Promise<unknown>][] = [
    ['replaced', (file) => client.replaceContent(file, 'other bytes')],
    ['deleted', (file) => client.deleteNode(file)],
    ['deleted with its folder', (_, folder) => client.deleteNode(folder, { permanent: true })],
  ];
  /** Whether all of it came, with `change` made after its first bytes. */
  const isWhole = async (name: string, change: (file: string, folder: string) => Promise<unknown>) => {
    const top = await client.createFolder('root', name);
    await client.putChild(top.id, 'a', someBytes(24 * MIB));
    const last = await client.putChild(top.id, 'z', 'some bytes');
    const { body, headers } = await client.open('GET', `/v1/nodes/${top.id}/archive`);
    const reader = body[Symbol.asyncIterator]();
    let bytes = ((await reader.next()).value as Buffer).length;
    await change(last.id, top.id);
    await delay(700);
    try {
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) bytes += next.value.length;
      return bytes === Number(headers['content-length']);
    } catch {
      t.ok(bytes < Number(headers['content-length']), `${name}: ${bytes} bytes came`);
      return false;
    }
  };
  t.ok(await isWhole('unchanged', async () => {}));
  for (const [name, change] of changes) t.notOk(await isWhole(name, change), name);
});

t.test('who goes away in the midst leaves a service that goes on', async (t) => {
  const top = await client.createFolder('root', 'left');
  for (const name of ['a', 'b']) await client.putChild(top.id, name, someBytes(8 * MIB));
  for (let n = 0; n < 5; n++) {
    const { body } = await client.open('GET', `/v1/nodes/${top.id}/archive`);
    for await (const _ of body) break;
  }
  t.ok((await client.archive(top.id)).body.length > 16 * MIB);
});
