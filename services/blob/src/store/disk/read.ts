import { hash } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import { sliceOf } from '../../domain/slice.ts';
import type { BlobEntry, OpenBlob } from '../driver.ts';
import { fstat, open, read, release, stat } from './files.ts';
import { withBlob } from './find.ts';
import type { Layout } from './layout.ts';
import { sendFile } from './send-file.ts';

/** Up to this a slice is read in one call and sent as it is: a stream would cost more than the bytes. */
const WHOLE_BYTES = 64 * 1024;

/** Where a blob read in full turned out to have other bytes than its name says. */
export class DamagedBlob extends Error {
  readonly ino: number;
  constructor(ino: number) {
    super('damaged blob');
    this.ino = ino;
  }
}

/**
 * Opens a slice. A small blob that is read whole is hashed on the way, which costs next to nothing and never lets damaged
 * bytes out; long ones are left to the scrub.
 * @throws `not_found`, `range_not_satisfiable`, DamagedBlob
 */
export async function openBlob(
  layout: Layout,
  digest: string,
  wanted: { offset?: number | undefined; length?: number | undefined },
): Promise<OpenBlob> {
  const fd = await withBlob(layout, digest, (path) => open(path, 'r'));
  if (fd === null) throw appError('not_found', 'There is no such blob');
  let handedOver = false;
  try {
    const { size: sizeBytes, ino } = fstat(fd);
    const { start, end } = sliceOf(sizeBytes, wanted);
    const lengthBytes = end - start;
    if (lengthBytes > WHOLE_BYTES) {
      handedOver = true;
      return { sizeBytes, lengthBytes, body: (to) => sendFile(fd, start, end, to) };
    }
    const body = Buffer.allocUnsafe(lengthBytes);
    if (lengthBytes > 0 && (await read(fd, body, start, lengthBytes)) < lengthBytes) throw new DamagedBlob(ino);
    if (lengthBytes === sizeBytes && hash('sha256', body, 'hex') !== digest) throw new DamagedBlob(ino);
    return { sizeBytes, lengthBytes, body };
  } finally {
    if (!handedOver) release(fd);
  }
}

export async function statBlob(layout: Layout, digest: string): Promise<BlobEntry | null> {
  const found = await withBlob(layout, digest, stat);
  return found === null ? null : { digest, sizeBytes: found.size, touchedAt: found.mtime };
}
