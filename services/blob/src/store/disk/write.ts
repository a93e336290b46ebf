import type { Readable } from 'node:stream';
import type { StoredBlob } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { checkComplete, checkRunningSize, type Expectations } from '../../domain/expectations.ts';
import { type Digests, Hashes } from '../../domain/hashes.ts';
import type { PutOptions } from '../driver.ts';
import type { Directories } from './directories.ts';
import { all, closed, fdatasync, hasCode, open, orNull, release, rename, stat, unlink, writeAll } from './files.ts';
import { Gather } from './gather.ts';
import type { Layout } from './layout.ts';
import type { Owner } from './owner.ts';
import { onDisk, type Space } from './space.ts';

/** Up to this a body is written in one call, and its digest is known before its file is made. */
const BATCH_BYTES = 1024 * 1024;
/** A long body is synced as it goes: the disk works while the rest is received, and the last sync is short. */
const SYNC_EVERY_BYTES = 32 * BATCH_BYTES;

export interface WriteParts {
  readonly layout: Layout;
  readonly directories: Directories;
  readonly owner: Owner;
  readonly space: Space;
}

/**
 * Stream to a temporary file on the same filesystem, hashed in the same pass; then sync, rename, sync of the folder, and
 * only then the answer. A crash before the rename leaves a temporary file, which the next start removes; after it, a
 * whole blob. A blob that is there already is replaced: so a damaged one heals, and its time is new.
 */
export async function put(
  parts: WriteParts,
  source: Readable,
  expected: Expectations,
  o: PutOptions,
): Promise<StoredBlob> {
  const upload = new Upload(parts, expected, o.disposable ?? false);
  const gather = new Gather(source, BATCH_BYTES, o.signal, (piece) => upload.receive(piece));
  try {
    // An announced length is refused before its bytes are read.
    await upload.admit(expected.sizeBytes ?? 0);
    for (let isLast = false; !isLast; ) {
      const batch = await gather.next();
      // As it was when the batch was fetched: the end may come while the batch is written.
      isLast = gather.done;
      await upload.write(batch, isLast);
    }
    gather.stop();
    return await upload.commit();
  } finally {
    gather.stop();
    await upload.end();
  }
}

/** The same for bytes that are there already. */
export async function putBytes(parts: WriteParts, bytes: Buffer): Promise<StoredBlob> {
  const upload = new Upload(parts, {}, false);
  try {
    upload.receive(bytes);
    await upload.write([bytes], true);
    return await upload.commit();
  } finally {
    await upload.end();
  }
}

class Upload {
  readonly #parts: WriteParts;
  readonly #expected: Expectations;
  readonly #hashes: Hashes;
  readonly #disposable: boolean;
  readonly #temp: string;
  #fd: number | null = null;
  #receivedBytes = 0;
  #writtenBytes = 0;
  #unsyncedBytes = 0;
  #admittedBytes = 0;
  #chargedBytes = 0;
  #earlySync: Promise<void> | null = null;
  #folder: Promise<boolean> | null = null;
  #digests: Digests | null = null;
  #placed = false;

  constructor(parts: WriteParts, expected: Expectations, disposable: boolean) {
    this.#parts = parts;
    this.#disposable = disposable;
    this.#expected = expected;
    this.#hashes = new Hashes({ md5: expected.md5 !== undefined, sha512: expected.sha512 !== undefined });
    this.#temp = parts.owner.newTemp();
  }

  receive(piece: Buffer): void {
    this.#receivedBytes += piece.length;
    checkRunningSize(this.#receivedBytes, this.#expected);
    this.#hashes.update(piece);
  }

  /** Room on the disk for a body of this many bytes in all. */
  async admit(sizeBytes: number): Promise<void> {
    const more = onDisk(sizeBytes) - this.#admittedBytes;
    if (more <= 0) return;
    await this.#parts.space.admit(more);
    this.#admittedBytes += more;
  }

  async write(batch: readonly Buffer[], isLast: boolean): Promise<void> {
    if (isLast) this.#complete();
    else this.#hashes.settle();
    const bytes = batch.reduce((sum, piece) => sum + piece.length, 0);
    await this.admit(this.#writtenBytes + bytes);
    this.#fd ??= await this.#open();
    await writeAll(this.#fd, batch, this.#writtenBytes);
    this.#writtenBytes += bytes;
    this.#unsyncedBytes += bytes;
    this.#parts.space.wrote(bytes);
    this.#chargedBytes += bytes;
    if (this.#disposable) for (const piece of batch) dispose(piece);
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES && !isLast) await this.#syncEarly(this.#fd);
  }

  async commit(): Promise<StoredBlob> {
    const { directories } = this.#parts;
    if (this.#digests === null || this.#fd === null) throw appError('internal');
    const { sha256: digest, md5 } = this.#digests;
    await this.#earlySync;
    const [isNew] = await all(this.#isNew(digest), fdatasync(this.#fd));
    await this.#place(digest);
    await directories.publish(digest);
    return { digest, sizeBytes: this.#writtenBytes, created: isNew, ...(md5 === undefined ? {} : { md5 }) };
  }

  /** Whatever happened: no descriptor, no temporary file and no promised space stays behind. */
  async end(): Promise<void> {
    const { space } = this.#parts;
    const restBytes = this.#admittedBytes - this.#chargedBytes;
    if (this.#placed) space.wrote(restBytes);
    else space.giveBack(restBytes);
    if (this.#fd === null) return;
    const fd = this.#fd;
    this.#fd = null;
    if (this.#placed) {
      release(fd);
      return;
    }
    // A descriptor must not be closed below a call that uses it: the number may be another file's by then.
    await this.#earlySync?.catch(() => undefined);
    await closed(fd);
    await orNull(unlink(this.#temp));
  }

  /** All bytes are here: hold them against what was announced before they can be seen, and prepare their place. */
  #complete(): void {
    this.#digests = this.#hashes.finish();
    checkComplete(this.#receivedBytes, this.#digests, this.#expected);
    this.#folder = this.#parts.directories.make(this.#digests.sha256);
    this.#folder.catch(() => undefined);
  }

  async #open(): Promise<number> {
    try {
      return await open(this.#temp, 'wx');
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      // An instance that was silent for long is taken for dead, and its folder is removed.
      await this.#parts.owner.restore();
      return await open(this.#temp, 'wx');
    }
  }

  async #isNew(digest: string): Promise<boolean> {
    if (await this.#folder) return true;
    return (await orNull(stat(this.#parts.layout.blob(digest)))) === null;
  }

  async #syncEarly(fd: number): Promise<void> {
    // One at a time: a disk slower than the sender slows it down here, and not in a cache full of dirty pages.
    await this.#earlySync;
    this.#unsyncedBytes = 0;
    this.#earlySync = fdatasync(fd);
    this.#earlySync.catch(() => undefined);
  }

  async #place(digest: string): Promise<void> {
    const { layout, directories } = this.#parts;
    try {
      await rename(this.#temp, layout.blob(digest));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      // Somebody removed the folders above the blob while this process ran.
      directories.forget(digest);
      await directories.make(digest);
      await rename(this.#temp, layout.blob(digest));
    }
    this.#placed = true;
  }
}

/**
 * Frees a piece's memory now. The collector cannot see how much memory hangs on such small objects, and would let tens of
 * megabytes of them pile up during a long upload; memory that comes back at once is also still in the processor's cache.
 */
function dispose(piece: Buffer): void {
  const { buffer } = piece;
  // A part of a larger piece of memory may have other users.
  if (buffer instanceof ArrayBuffer && piece.length === buffer.byteLength) buffer.transfer(0);
}
