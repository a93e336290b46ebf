/**
 * What the machine itself can do, measured by the plainest means. `node limits.ts KIND FOLDER AMOUNT` prints one number:
 *
 * - `durable-1`, `durable-32`  small files a second, each 4 KiB written, synced, renamed and its folder synced, so many in flight, for
 *   AMOUNT seconds
 * - `sequential`               MB/s of one file of AMOUNT MiB, written and synced
 * - `sha256`                   MB/s hashed in one thread, for AMOUNT seconds
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

const MB = 1e6;
const SMALL_BYTES = 4096;

async function durable(folder: string, inFlight: number, seconds: number): Promise<number> {
  const target = path.join(folder, 'durable');
  await mkdir(target, { recursive: true });
  const bytes = randomBytes(SMALL_BYTES);
  const startedAt = performance.now();
  let done = 0;
  const work = async (_: unknown, worker: number): Promise<void> => {
    for (let n = 0; performance.now() - startedAt < seconds * 1000; n++) {
      const name = path.join(target, `${worker}-${n}`);
      const file = await open(`${name}.tmp`, 'w');
      await file.write(bytes);
      await file.datasync();
      await file.close();
      await rename(`${name}.tmp`, name);
      const directory = await open(target, 'r');
      await directory.sync();
      await directory.close();
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  const perSecond = done / ((performance.now() - startedAt) / 1000);
  await rm(target, { recursive: true });
  return perSecond;
}

async function sequential(folder: string, mebibytes: number): Promise<number> {
  await mkdir(folder, { recursive: true });
  const name = path.join(folder, 'sequential');
  const chunk = randomBytes(1 << 20);
  const startedAt = performance.now();
  const file = await open(name, 'w');
  for (let n = 0; n < mebibytes; n++) await file.write(chunk);
  await file.datasync();
  await file.close();
  const seconds = (performance.now() - startedAt) / 1000;
  await rm(name);
  return (mebibytes * chunk.length) / MB / seconds;
}

function hashing(seconds: number): number {
  const chunk = randomBytes(1 << 20);
  const hash = createHash('sha256');
  const startedAt = performance.now();
  let bytes = 0;
  while (performance.now() - startedAt < seconds * 1000) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return bytes / MB / ((performance.now() - startedAt) / 1000);
}

const [kind = '', folder = '', amount = ''] = process.argv.slice(2);
const measures: Record<string, () => number | Promise<number>> = {
  'durable-1': () => durable(folder, 1, Number(amount)),
  'durable-32': () => durable(folder, 32, Number(amount)),
  sequential: () => sequential(folder, Number(amount)),
  sha256: () => hashing(Number(amount)),
};
const measure = measures[kind];
if (measure === undefined) throw new Error(`unknown limit ${kind}`);
console.log(await measure());
