import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Readable } from 'node:stream';
import t from 'tap';
import { filesIn, readAll, someBytes, startService, tempDir, until } from './helpers.ts';

const MiB = 1024 * 1024;
const SIZE = 256 * MiB;
const PIECE = Buffer.from(Array.from({ length: 997 }, (_, i) => i % 251));

/** Bytes that are the same each time and cost nothing to make. */
function* pieces(sizeBytes: number): Generator<Buffer> {
  const piece = Buffer.concat(Array.from({ length: 64 }, () => PIECE));
  for (let left = sizeBytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length));
}

/** Peak resident memory since the process began. VmHWM of proc(5). */
function peakBytes(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const noProc = process.platform === 'linux' ? false : 'figures of processes are read from /proc';

t.test('memory does not grow with the size of a file', { skip: noProc }, async (t) => {
  const dir = tempDir(t);
  const { client, pid } = await startService(t, dir);
  const small = await client.send('put', { body: Readable.from(pieces(4 * MiB)) });
  await readAll((await client.open('get', { params: { digest: small.digest } })).body);
  const before = peakBytes(pid);
  const { digest, sizeBytes } = await client.send('put', { body: Readable.from(pieces(SIZE)), contentLength: SIZE });
  t.equal(sizeBytes, SIZE);
  const hash = createHash('sha256');
  for await (const piece of (await client.open('get', { params: { digest } })).body) hash.update(piece);
  t.equal(hash.digest('hex'), digest);
  t.same(await client.call('verify', { params: { digest } }), { intact: true });
  const grown = (peakBytes(pid) - before) / MiB;
  t.ok(grown < 64, `grew by ${grown.toFixed(1)} MiB`);
});

t.test('downloads that are broken off leave no descriptor open, uploads no file', { skip: noProc }, async (t) => {
  const dir = tempDir(t);
  const { client, pid } = await startService(t, dir);
  const { digest } = await client.send('put', { body: someBytes(4 * MiB) });
  const open = async (): Promise<void> => {
    const { body } = await client.open('get', { params: { digest } });
    await new Promise((resolve) => body.once('data', resolve));
    body.destroy();
  };
  await Promise.all(Array.from({ length: 20 }, open));
  await until('the first are over', () => blobsOpen(pid, dir) === 0);
  const before = descriptors(pid);
  for (let i = 0; i < 25; i++) await Promise.all(Array.from({ length: 20 }, open));
  await until('no blob is open', () => blobsOpen(pid, dir) === 0);
  await until('no more descriptors than before', () => descriptors(pid) <= before + 5);

  const upload = async (): Promise<void> => {
    const aborter = new AbortController();
    const feed = new Readable({ read() {} });
    feed.push(someBytes(2 * MiB));
    const sending = client.send('put', { body: feed }, { signal: aborter.signal }).catch(() => undefined);
    setTimeout(() => aborter.abort(), Math.random() * 60);
    await sending;
  };
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, upload));
  await until('no temporary file is left', () => filesIn(dir, 'tmp').length === 0);
  await until('no temporary file is open', () => blobsOpen(pid, dir) === 0);
  t.equal(filesIn(dir, 'sha256').length, 1);
});

t.test('the thread pool has the size that the configuration says', { skip: noProc }, async (t) => {
  const threads = async (size: string): Promise<number> => {
    const { client, pid } = await startService(t, tempDir(t), { env: { UV_THREADPOOL_SIZE: size } });
    await Promise.all(Array.from({ length: 64 }, () => client.send('put', { body: someBytes(10) })));
    return readdirSync(`/proc/${pid}/task`).length;
  };
  t.equal((await threads('40')) - (await threads('8')), 32);
});

function blobsOpen(pid: number, dir: string): number {
  let count = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    if (linkOf(`/proc/${pid}/fd/${fd}`).startsWith(dir)) count++;
  }
  return count;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
