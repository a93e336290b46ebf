import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { appError } from '@coffer/service-kit';
import type { BlobDriver } from '../driver.ts';
import { createDirectories } from './directories.ts';
import { closed, fdatasync, hasCode, open, orNull, readdir, rename, stat } from './files.ts';
import { quarantine, removeUntouched, renew } from './keep.ts';
import { Layout } from './layout.ts';
import { entriesAfter, listPage } from './list.ts';
import { openOwner } from './owner.ts';
import { DamagedBlob, openBlob, statBlob } from './read.ts';
import { Space } from './space.ts';
import { type Log, storeError } from './store-error.ts';
import { rehash } from './verify.ts';
import { put, putBytes } from './write.ts';

const LIST_BUDGET_MS = 2_000;
const READY_MS = 2_000;

/**
 * Blobs as files below `blobDir`, which several instances may share if their machines' clocks agree within seconds.
 * Opening clears what dead instances left. On a disk that takes no writes it opens to be read.
 * @throws what made `blobDir` unusable even for reading
 */
export async function openDiskDriver(o: {
  blobDir: string;
  floorBytes: number;
  instance: string;
  log: Log;
}): Promise<BlobDriver> {
  const { log } = o;
  const layout = new Layout(o.blobDir);
  const directories = createDirectories(layout);
  await makeFolders(layout, log);
  const owner = await openOwner({ layout, directories, instance: o.instance, log });
  const space = new Space(layout.root, o.floorBytes);
  const parts = { layout, directories, owner, space };
  const inFlight = new Set<Promise<unknown>>();
  let states = 0;

  /** Every call goes through here: its errors are the contract's, and closing waits for it. */
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    const running = work();
    inFlight.add(running);
    try {
      return await running;
    } catch (error) {
      throw storeError(error, log);
    } finally {
      inFlight.delete(running);
    }
  };
  const setAside = async (digest: string, ino: number, found: string): Promise<void> => {
    log.error({ digest, found }, 'damaged blob');
    if (await quarantine(parts, digest, ino)) log.warn({ digest }, 'quarantined a damaged blob');
  };

  return {
    put: (source, expected, options) => guard(() => put(parts, source, expected, options)),
    putBytes: (bytes) => guard(() => putBytes(parts, bytes)),
    open: (digest, wanted) =>
      guard(async () => {
        try {
          return await openBlob(layout, digest, wanted);
        } catch (error) {
          if (!(error instanceof DamagedBlob)) throw error;
          await setAside(digest, error.ino, 'when it was read');
          throw appError('not_found', 'The blob was damaged');
        }
      }),
    stat: (digest) => guard(() => statBlob(layout, digest)),
    renew: (digests) => guard(() => renew(layout, directories, digests)),
    list: (page) => guard(() => listPage(layout, { ...page, budgetMs: LIST_BUDGET_MS })),
    removeUntouched: (digest, touchedBefore) => guard(() => removeUntouched(parts, digest, touchedBefore)),
    quarantine: (digest) => guard(() => quarantine(parts, digest, null)),
    verify: (digest, signal) =>
      guard(async () => {
        try {
          const found = await rehash(layout, digest, signal);
          if (found === null) return 'absent';
          if (found.intact) return 'intact';
          await setAside(digest, found.ino, 'when it was checked');
          return 'damaged';
        } catch (error) {
          // A cable or controller that fails makes every blob unreadable: none of them may be thrown out for that.
          if (!hasCode(error, 'EIO')) throw error;
          log.fatal({ digest, err: error }, 'cannot read a blob: look at the disk');
          return 'unreadable';
        }
      }),
    async *walk(after) {
      for await (const entries of entriesAfter(layout, after)) yield* entries;
    },
    status: () =>
      guard(async () => {
        const { freeBytes, totalBytes } = await space.figures();
        const quarantined = ((await orNull(readdir(layout.quarantine))) ?? []).length;
        return { freeBytes, totalBytes, floorBytes: space.floorBytes, writable: owner.writable(), quarantined };
      }),
    readState: (name) => guard(() => orNull(readFile(`${layout.state}/${name}.json`, 'utf8'))),
    writeState: (name, text) =>
      guard(async () => {
        const temp = `${owner.newTemp()}-${states++}`;
        await writeFile(temp, text).catch(async (error: unknown) => {
          if (!hasCode(error, 'ENOENT')) throw error;
          await owner.restore();
          await writeFile(temp, text);
        });
        const fd = await open(temp, 'r');
        try {
          await fdatasync(fd);
        } finally {
          await closed(fd);
        }
        await rename(temp, `${layout.state}/${name}.json`);
      }),
    ready: async () => {
      const late = AbortSignal.timeout(READY_MS);
      await Promise.race([
        stat(layout.blobs),
        new Promise((_, reject) => late.addEventListener('abort', () => reject(late.reason), { once: true })),
      ]);
    },
    async close() {
      await Promise.allSettled(inFlight);
      await owner.close();
    },
  };
}

async function makeFolders(layout: Layout, log: Log): Promise<void> {
  const directories = createDirectories(layout);
  try {
    for (const folder of layout.folders) await mkdir(folder, { recursive: true, mode: 0o750 });
    await directories.sync(layout.root);
  } catch (error) {
    // Readable as it is? Then reading goes on; what is written fails with a clear answer.
    if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT')) throw error;
    await readdir(layout.blobs);
    log.error({ err: error }, 'the store takes no writes');
  }
}
