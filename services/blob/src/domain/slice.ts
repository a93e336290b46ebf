import { appError } from '@coffer/service-kit';

/** Bytes `[start, end)` of a blob. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of a blob of `sizeBytes` that `[offset, offset + length)` covers; what lies beyond the end is cut off.
 * @throws `range_not_satisfiable` when the slice begins beyond the end (RFC 9110 15.5.17)
 */
export function sliceOf(
  sizeBytes: number,
  wanted: { offset?: number | undefined; length?: number | undefined },
): Slice {
  const start = wanted.offset ?? 0;
  if (start > sizeBytes) {
    throw appError('range_not_satisfiable', `The blob has ${sizeBytes} bytes`, {
      headers: { 'content-range': `bytes */${sizeBytes}` },
    });
  }
  return { start, end: Math.min(sizeBytes, start + (wanted.length ?? sizeBytes)) };
}
