import { createHash } from 'node:crypto';
import { closed, fstat, open, read } from './files.ts';
import { withBlob } from './find.ts';
import type { Layout } from './layout.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * Hashes a blob from the disk. The next piece is read while the last is hashed; two buffers do for any size.
 * @returns null when there is none; `ino` tells which file was judged, for another may take its place meanwhile
 */
export async function rehash(
  layout: Layout,
  digest: string,
  signal?: AbortSignal,
): Promise<{ intact: boolean; ino: number } | null> {
  const fd = await withBlob(layout, digest, (path) => open(path, 'r'));
  if (fd === null) return null;
  let reading: Promise<number> = Promise.resolve(0);
  try {
    const { ino, size } = fstat(fd);
    const hash = createHash('sha256');
    const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.max(1, Math.min(PIECE_BYTES, size))));
    const ahead = (turn: number, position: number): Promise<number> => {
      const buffer = buffers[turn % 2] ?? Buffer.alloc(PIECE_BYTES);
      return read(fd, buffer, position, buffer.length);
    };
    reading = ahead(0, 0);
    for (let turn = 0, position = 0; ; turn++) {
      const got = await reading;
      if (got === 0) break;
      signal?.throwIfAborted();
      position += got;
      reading = ahead(turn + 1, position);
      hash.update((buffers[turn % 2] ?? Buffer.alloc(0)).subarray(0, got));
    }
    return { intact: hash.digest('hex') === digest, ino };
  } finally {
    await reading.catch(() => undefined);
    void closed(fd);
  }
}
