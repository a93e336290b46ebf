import { randomInt } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import type { Directories } from './directories.ts';
import { fsync, futimes, open, orNull, release, rename, stat, unlink } from './files.ts';
import { bringBack } from './find.ts';
import type { Layout } from './layout.ts';
import { type Owner, putBack } from './owner.ts';

const RENEWALS_AT_ONCE = 32;
const MAX_ROUNDS = 100;
/** A file's time comes from the kernel's coarse clock, which may be one tick (10 ms at most) behind. */
const CLOCK_TICK_MS = 10;

/**
 * Sets each blob's time to now, durably: a power cut must not take back what a caller has already built on. Answers the
 * digests that are not there.
 */
export async function renew(layout: Layout, directories: Directories, digests: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  const left = [...new Set(digests)].reverse();
  const worker = async (): Promise<void> => {
    for (let digest = left.pop(); digest !== undefined; digest = left.pop()) {
      if (!(await renewOne(layout, directories, digest))) missing.push(digest);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(RENEWALS_AT_ONCE, left.length) }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return missing;
}

/**
 * The name is looked up once more after the time is set. If it is still there, any removal that begins to look now sees
 * the new time; if it is not, a removal had moved it aside and may have looked before: then the name is given back first.
 */
async function renewOne(layout: Layout, directories: Directories, digest: string): Promise<boolean> {
  const path = layout.blob(digest);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const fd = await orNull(open(path, 'r'));
    if (fd !== null) {
      try {
        await futimes(fd, new Date());
        await fsync(fd);
      } finally {
        release(fd);
      }
      if ((await orNull(stat(path))) !== null) return true;
    }
    if (await bringBack(layout, directories, digest)) continue;
    if (round > 0 && (await orNull(stat(path))) === null) return false;
  }
  throw appError('unavailable', 'The blob is being removed and renewed too often');
}

/**
 * Moved aside, looked at again, then unlinked or put back. The name aside is nobody else's, so what is unlinked is what
 * was looked at: a copy that is written meanwhile, or a name that a renewal gave back, stays. A crash in between leaves
 * the blob aside, and the next start puts it back.
 */
export async function removeUntouched(
  parts: { layout: Layout; directories: Directories; owner: Owner },
  digest: string,
  touchedBefore: Date,
): Promise<'removed' | 'touched' | 'absent'> {
  const { layout, directories, owner } = parts;
  const path = layout.blob(digest);
  const isTouched = (found: { mtimeMs: number }): boolean => found.mtimeMs + CLOCK_TICK_MS > touchedBefore.getTime();

  const found = await orNull(stat(path));
  if (found === null) return 'absent';
  if (isTouched(found)) return 'touched';
  const aside = owner.newAside(digest);
  if ((await orNull(rename(path, aside).then(() => true))) === null) return 'absent';
  const again = await orNull(stat(aside));
  if (again === null || isTouched(again) || again.nlink > 1) {
    await putBack(layout, directories, aside, digest);
    return 'touched';
  }
  await orNull(unlink(aside));
  return (await orNull(stat(path))) === null ? 'removed' : 'touched';
}

/**
 * Takes a blob out of service. With `onlyIno`, only if it is still the file that was found damaged: a good copy that was
 * written meanwhile goes back to its place.
 */
export async function quarantine(
  parts: { layout: Layout; directories: Directories },
  digest: string,
  onlyIno: number | null,
): Promise<boolean> {
  const { layout, directories } = parts;
  const path = layout.blob(digest);
  const found = await orNull(stat(path));
  if (found === null || (onlyIno !== null && found.ino !== onlyIno)) return false;
  const aside = `${layout.quarantine}/${digest}.${Date.now()}.${randomInt(1e9)}`;
  if ((await orNull(rename(path, aside).then(() => true))) === null) return false;
  const moved = await orNull(stat(aside));
  if (moved !== null && moved.ino !== found.ino) {
    await putBack(layout, directories, aside, digest);
    return false;
  }
  await Promise.all([directories.sync(layout.quarantine), directories.sync(layout.inner(digest))]);
  return true;
}
