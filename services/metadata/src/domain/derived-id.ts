import { createHash } from 'node:crypto';

/**
 * The id that the copy of `sourceId` has within the copy whose top is `rootId`: always the same, so that copying a page of
 * children once more after a crash makes nothing twice. A UUID of version 8 (RFC 9562 5.8), which is for such uses.
 */
export function derivedId(rootId: string, sourceId: string): string {
  const bytes = createHash('sha256').update(`${rootId}/${sourceId}`).digest().subarray(0, 16);
  bytes[6] = 0x80 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
