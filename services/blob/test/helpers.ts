import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { blobContract } from '@coffer/contracts';
import { type Client, createClient, createTestContext, listen, type ServiceContext } from '@coffer/service-kit';
import type { Test } from 'tap';
import { buildApp } from '../src/app.ts';
import { openDiskDriver } from '../src/store/disk/disk-driver.ts';
import type { BlobDriver, OpenBlob } from '../src/store/driver.ts';

export const SECRET = 'a secret for tests that is long enough';
export const FAR_FUTURE = '2100-01-01T00:00:00.000Z';
export const never = new AbortController().signal;

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const digestOf = (bytes: Buffer): string => sha256(bytes);
export const someBytes = (sizeBytes: number): Buffer => randomBytes(sizeBytes);

export function tempDir(t: Test): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'coffer-blob-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const blobPath = (dir: string, digest: string): string =>
  path.join(dir, 'v1/sha256', digest.slice(0, 2), digest.slice(2, 4), digest.slice(4));

/** Every file below a folder of the store, except the locks of instances. */
export function filesIn(dir: string, folder: string): string[] {
  const root = path.join(dir, 'v1', folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !name.endsWith('owner.json') && statSync(path.join(root, name), { throwIfNoEntry: false })?.isFile(),
  );
}

export const silent = { info() {}, warn() {}, error() {}, fatal() {} };

let instances = 0;
export async function openStore(
  t: Test,
  blobDir: string,
  o: { floorBytes?: number; log?: typeof silent } = {},
): Promise<BlobDriver> {
  const instance = `test-${instances++}`;
  const store = await openDiskDriver({ blobDir, floorBytes: o.floorBytes ?? 0, instance, log: o.log ?? silent });
  t.teardown(() => store.close());
  return store;
}

export const putBytes = (store: BlobDriver, bytes: Buffer) => store.put(Readable.from([bytes]), {}, { signal: never });

export interface Running {
  readonly client: Client<typeof blobContract>;
  readonly url: string;
  readonly ctx: ServiceContext;
}

/** The service's app on a real listener, in this process. */
export async function startApp(t: Test, store: BlobDriver): Promise<Running> {
  const ctx = createTestContext('blob', { INTERNAL_SECRET: SECRET });
  const app = buildApp(ctx, { store, scrub: { oldestCheckAt: () => null, damaged: () => 0 } });
  const { url } = await listen(app, ctx);
  t.teardown(() => ctx.shutdown.run('test'));
  return { client: createClient(ctx, blobContract, { address: url }), url, ctx };
}

export interface Service extends Running {
  readonly child: ChildProcess;
  readonly pid: number;
  exited(): Promise<void>;
}

/** The whole service as a process of its own. `shell` wraps the command: `$@` starts the service. */
export async function startService(
  t: Test,
  blobDir: string,
  o: { env?: Record<string, string>; shell?: string[] } = {},
): Promise<Service> {
  const main = path.join(import.meta.dirname, '../src/main.ts');
  const [command = process.execPath, ...args] = [...(o.shell ?? []), process.execPath, main];
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      INTERNAL_SECRET: SECRET,
      NATS_URL: 'nats://127.0.0.1:1',
      LOG_LEVEL: 'silent',
      BLOB_DIR: blobDir,
      BLOB_FREE_FLOOR_BYTES: '0',
      ...o.env,
    },
  });
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
    child.on('message', (message: { type: string; url: string }) => {
      if (message.type === 'listening') resolve(message.url);
    });
  });
  const ctx = createTestContext('test', { INTERNAL_SECRET: SECRET });
  t.teardown(() => ctx.shutdown.run('test'));
  const client = createClient(ctx, blobContract, { address: url });
  return { client, url, ctx, child, pid: child.pid ?? 0, exited: () => exit };
}

/** What a store's own `open` gives, whole. */
export async function bytesOf(body: OpenBlob['body']): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  const pieces: Buffer[] = [];
  await body(
    new Writable({
      write(piece: Buffer, _encoding, callback) {
        // The sender uses its buffer again.
        pieces.push(Buffer.from(piece));
        setImmediate(callback);
      },
    }),
  );
  return Buffer.concat(pieces);
}

export async function readAll(stream: Readable): Promise<Buffer> {
  return Buffer.concat(await stream.toArray());
}

/** The code of the error that the promise rejects with; fails the test if it does not reject. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  return 'no error';
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const endsAtMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endsAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
