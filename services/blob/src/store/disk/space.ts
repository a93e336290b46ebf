import { appError } from '@coffer/service-kit';
import { statfs } from './files.ts';

const MAX_AGE_MS = 1000;
const BLOCK_BYTES = 4096;
// Folders and metadata need inodes too; a filesystem that makes them as it goes reports none at all.
const MIN_FREE_INODES = 256;

export interface SpaceFigures {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/**
 * Keeps a floor of free space, so that the disk is never full: a database or log on it would suffer first. The figure of
 * the filesystem is at most a second old; what was promised to running uploads, and what they wrote since, is taken off.
 */
export class Space {
  readonly #path: string;
  readonly floorBytes: number;
  #figures: SpaceFigures = { freeBytes: 0, totalBytes: 0 };
  #inodesLeft = true;
  #takenAtMs = Number.NEGATIVE_INFINITY;
  #promisedBytes = 0;
  #writtenSinceBytes = 0;
  #refreshing: Promise<void> | null = null;

  constructor(path: string, floorBytes: number) {
    this.#path = path;
    this.floorBytes = floorBytes;
  }

  async figures(): Promise<SpaceFigures> {
    if (performance.now() - this.#takenAtMs > MAX_AGE_MS) await this.#refresh();
    return this.#figures;
  }

  /**
   * Room for `bytes` more. Every admitted byte is given back by `wrote` or `giveBack`.
   * @throws `disk_full`
   */
  async admit(bytes: number): Promise<void> {
    const takenAtMs = this.#takenAtMs;
    await this.figures();
    // Before a refusal one look at the disk as it is now: space may have come free within the second.
    if (!this.#fits(bytes) && this.#takenAtMs === takenAtMs) await this.#refresh();
    if (!this.#fits(bytes)) throw appError('disk_full');
    this.#promisedBytes += bytes;
  }

  wrote(bytes: number): void {
    this.#promisedBytes -= bytes;
    this.#writtenSinceBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#promisedBytes -= bytes;
  }

  #fits(bytes: number): boolean {
    const left = this.#figures.freeBytes - this.#promisedBytes - this.#writtenSinceBytes;
    return this.#inodesLeft && left - bytes >= this.floorBytes;
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #look(): Promise<void> {
    // What is written while the filesystem answers may or may not be in its figure: it counts until the next one.
    const before = this.#writtenSinceBytes;
    const found = await statfs(this.#path);
    this.#figures = { freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize };
    this.#inodesLeft = found.files === 0 || found.ffree >= MIN_FREE_INODES;
    this.#writtenSinceBytes -= before;
    this.#takenAtMs = performance.now();
  }
}

/** What a blob takes on the disk: whole blocks, and one for its name. */
export function onDisk(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES + BLOCK_BYTES;
}
