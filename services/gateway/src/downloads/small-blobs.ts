import { hash } from 'node:crypto';
import type { Slice } from '../domain/ranges.ts';

/**
 * Small blobs that were read lately. A blob never changes under its name, and whether a file is there and whose it is has been asked before
 * its bytes are looked for, so that nothing stale and nothing deleted can come out of here; what it spares is the hop, which costs more
 * than the bytes. Only bytes that hash to their name are kept. The least recently used go first.
 */
export interface SmallBlobs {
  get(slice: Slice): Buffer | undefined;
  /** `bytes` may be a view of something larger: they are copied. */
  keep(digest: string, bytes: Buffer): void;
  sizeBytes(): number;
}

/** What an entry costs besides its bytes. */
const OVERHEAD_BYTES = 256;

export function createSmallBlobs(maxBytes: number): SmallBlobs {
  const blobs = new Map<string, Buffer>();
  let size = 0;
  const costOf = (bytes: Buffer): number => bytes.length + OVERHEAD_BYTES;
  return {
    get({ digest, offset, length }) {
      const bytes = blobs.get(digest);
      if (bytes === undefined || offset + length > bytes.length) return undefined;
      blobs.delete(digest);
      blobs.set(digest, bytes);
      return length === bytes.length ? bytes : bytes.subarray(offset, offset + length);
    },
    keep(digest, bytes) {
      if (blobs.has(digest) || costOf(bytes) > maxBytes || hash('sha256', bytes) !== digest) return;
      const own = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(own);
      blobs.set(digest, own);
      size += costOf(own);
      for (const [oldest, others] of blobs) {
        if (size <= maxBytes) return;
        blobs.delete(oldest);
        size -= costOf(others);
      }
    },
    sizeBytes: () => size,
  };
}
