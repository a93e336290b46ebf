import fs, { type NoParamCallback, renameSync, type TimeLike, unlinkSync, utimesSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { BlobDriver } from '../src/store/driver.ts';
import { blobPath, bytesOf, digestOf, filesIn, openStore, putBytes, someBytes, tempDir } from './helpers.ts';

const ROUNDS = 300;
const AT_ONCE = 10;
const OLD = new Date('2020-01-01T00:00:00Z');
const BEFORE = new Date('2021-01-01T00:00:00Z');

/** Many rounds side by side, which is also what jumbles their steps. */
async function rounds(round: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < ROUNDS) await round(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

async function isWhole(store: BlobDriver, digest: string): Promise<boolean> {
  const { body } = await store.open(digest, {});
  return digestOf(await bytesOf(body)) === digest;
}

/** A blob nobody touched for years, and two instances on it. */
async function oldBlob(store: BlobDriver, dir: string): Promise<{ digest: string; bytes: Buffer }> {
  const bytes = someBytes(100);
  const digest = digestOf(bytes);
  await putBytes(store, bytes);
  utimesSync(blobPath(dir, digest), OLD, OLD);
  return { digest, bytes };
}

t.test('a removal and a write of the same blob: what was acknowledged stays', async (t) => {
  const dir = tempDir(t);
  const [one, two] = [await openStore(t, dir), await openStore(t, dir)];
  const outcomes = new Set<string>();
  await rounds(async (i) => {
    const { digest, bytes } = await oldBlob(one, dir);
    const wait = new Promise((resolve) => setTimeout(resolve, i % 4));
    const [outcome] = await Promise.all([
      wait.then(() => two.removeUntouched(digest, BEFORE)),
      putBytes(one, bytes),
      i % 2 === 0 ? two.removeUntouched(digest, BEFORE) : undefined,
    ]);
    outcomes.add(outcome);
    if (!(await isWhole(two, digest).catch(() => false))) t.fail(`round ${i}: lost after ${outcome}`);
  });
  t.ok(outcomes.size > 1, `the race went both ways: ${[...outcomes]}`);
  t.same(filesIn(dir, 'removing'), []);
  t.same(filesIn(dir, 'tmp'), []);
});

t.test('a removal and a renewal: what was renewed stays, what is missing is gone', async (t) => {
  const dir = tempDir(t);
  const [one, two] = [await openStore(t, dir), await openStore(t, dir)];
  const ends = new Map<string, number>();
  await rounds(async (i) => {
    const { digest } = await oldBlob(one, dir);
    const removals = [one, two].slice(0, 1 + (i % 2)).map((store) => store.removeUntouched(digest, BEFORE));
    // At the same moment, or when the removal is some steps on.
    for (let step = 0; step < i % 8; step++) await new Promise((resolve) => setImmediate(resolve));
    const renewals = [one.renew([digest]), two.renew([digest])];
    const missing = (await Promise.all(renewals)).map((list) => list.length > 0);
    const outcomes = await Promise.all(removals);
    const there = (await one.stat(digest)) !== null;
    ends.set(String(there), (ends.get(String(there)) ?? 0) + 1);
    if (missing.includes(false) && !there) t.fail(`round ${i}: renewed, and removed`);
    if (!missing.includes(false) && there) t.fail(`round ${i}: called missing, and there`);
    if (outcomes.includes('removed') && there) t.fail(`round ${i}: called removed, and there`);
    if (there && !(await isWhole(two, digest))) t.fail(`round ${i}: damaged`);
  });
  t.ok(ends.size === 2, `renewals won ${ends.get('true')}, removals ${ends.get('false')}`);
  t.same(filesIn(dir, 'removing'), []);
});

t.test('a blob that a removal has moved aside is there as ever until it is unlinked', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir);
  const { digest } = await oldBlob(store, dir);
  const aside = path.join(dir, 'v1/removing', `${digest}.another-instance.7`);
  renameSync(blobPath(dir, digest), aside);
  t.ok(await isWhole(store, digest), 'read');
  t.same((await store.stat(digest))?.touchedAt, OLD);
  t.equal(await store.verify(digest), 'intact');
  t.equal(filesIn(dir, 'sha256').length, 0, 'reading leaves it where it is');
  t.same(await store.renew([digest]), []);
  // What the remover does next, having looked before the renewal.
  unlinkSync(aside);
  t.ok(await isWhole(store, digest), 'the renewal gave it back its name');
  t.equal(await store.removeUntouched(digest, BEFORE), 'touched');
});

t.test('a removal that looked before the renewal and moved after it had found the blob', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir);
  const { futimes } = fs;
  t.teardown(() => {
    fs.futimes = futimes;
  });
  for (const unlinks of [true, false]) {
    const { digest } = await oldBlob(store, dir);
    const aside = path.join(dir, 'v1/removing', `${digest}.another-instance.8`);
    // The other instance's steps at the one moment at which they would do harm.
    const meanwhile = (fd: number, atime: TimeLike, mtime: TimeLike, done: NoParamCallback): void => {
      fs.futimes = futimes;
      renameSync(blobPath(dir, digest), aside);
      futimes(fd, atime, mtime, (error) => {
        if (unlinks) unlinkSync(aside);
        done(error);
      });
    };
    fs.futimes = Object.assign(meanwhile, { __promisify__: futimes.__promisify__ });
    t.same(await store.renew([digest]), unlinks ? [digest] : []);
    t.equal((await store.stat(digest)) === null, unlinks, 'it says what is');
    if (!unlinks) unlinkSync(aside);
    t.equal((await store.stat(digest)) === null, unlinks, 'also when the removal goes on');
  }
});

t.test('the same bytes written by hundreds at once are one blob', async (t) => {
  const dir = tempDir(t);
  const stores = [await openStore(t, dir), await openStore(t, dir)];
  const bytes = someBytes(5000);
  const results = await Promise.all(
    Array.from({ length: 150 }, () => stores.map((store) => putBytes(store, bytes))).flat(),
  );
  t.ok(results.every((one) => one.digest === digestOf(bytes) && one.sizeBytes === 5000));
  t.equal(filesIn(dir, 'sha256').length, 1);
  t.same(filesIn(dir, 'tmp'), []);
});
