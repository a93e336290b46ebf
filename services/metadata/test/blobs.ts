import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { blobContract, type NewContent } from '@coffer/contracts';
import { createClient, createTestContext, newId } from '@coffer/service-kit';
import t from 'tap';

const SECRET = 'test-secret-'.padEnd(40, 'x');
const MAIN = path.join(import.meta.dirname, '../../blob/src/main.ts');

/** Bytes that every store of these tests holds: contents are lists of slices of them. */
const common = Array.from({ length: 8 }, (_, i) => Buffer.alloc(1_024, `stored bytes ${i} `));
const digests = common.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
const MAX_SLICES = 10_000;
let turn = 0;

/** Content of the size given whose bytes are stored (as far as 10,000 slices reach), with an entity tag of its own. */
export function content(sizeBytes: number, fill: Partial<NewContent> = {}): NewContent {
  turn = (turn + 1) % digests.length;
  const digest = digests[turn] ?? '';
  const slices = Math.min(Math.ceil(sizeBytes / 1_024), MAX_SLICES);
  const chunks = Array.from({ length: Math.max(1, slices) }, (_, i) => {
    const isLast = i >= slices - 1;
    return { digest, offset: 0, length: isLast ? sizeBytes - Math.max(0, slices - 1) * 1_024 : 1_024 };
  });
  return { sizeBytes, etag: newId().replaceAll('-', ''), mime: 'text/plain', chunks, ...fill };
}

export interface Blobs {
  url: string;
  /** Content of its own, of new bytes that are put into the store. */
  store(sizeBytes: number, fill?: Partial<NewContent>): Promise<NewContent>;
  touchedAt(digest: string): Promise<Date>;
  /** From now on the blob is missing. */
  lose(digest: string): Promise<void>;
}

let running: Promise<Blobs> | undefined;

/** The blob service as a process of its own with the common bytes in it: one for all tests of a file, ended with them. */
export function blobs(): Promise<Blobs> {
  running ??= start();
  return running;
}

async function start(): Promise<Blobs> {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-mdtest-'));
  const child = fork(MAIN, {
    env: {
      PATH: process.env.PATH,
      NATS_URL: process.env.NATS_URL,
      NATS_PREFIX: `mdtest-${randomBytes(6).toString('hex')}`,
      INTERNAL_SECRET: SECRET,
      BLOB_DIR: folder,
      BLOB_FREE_FLOOR_BYTES: '0',
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ctx = createTestContext('metadata', { INTERNAL_SECRET: SECRET }, { bus: 'none' });
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = await addressOf(child);
  const client = createClient(ctx, blobContract, { address: url });
  const put = async (body: Buffer) => (await client.send('put', { body })).digest;
  for (const bytes of common) await put(bytes);
  return {
    url,
    store: async (sizeBytes, fill) => {
      const digest = await put(randomBytes(sizeBytes));
      return { ...content(sizeBytes), sha256: digest, chunks: [{ digest, offset: 0, length: sizeBytes }], ...fill };
    },
    touchedAt: async (digest) => new Date((await client.call('stat', { params: { digest } })).touchedAt),
    lose: async (digest) => {
      await client.call('quarantine', { params: { digest } });
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    child.on('message', (message: { type?: string; url?: string }) => {
      if (message.type === 'listening' && message.url !== undefined) resolve(message.url);
    });
    child.once('exit', (code) => reject(new Error(`the blob service ended with ${code}`)));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
