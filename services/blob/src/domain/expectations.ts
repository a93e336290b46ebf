import { appError } from '@coffer/service-kit';
import type { Digests } from './hashes.ts';

/** What the sender announced about the bytes. Hex is lower case; `md5: 'true'` asks for the digest without comparing it. */
export interface Expectations {
  readonly sizeBytes?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
  readonly md5?: string | undefined;
}

/**
 * Refuses before a byte is read where the announcements already contradict one another.
 * @throws `size_mismatch`, `too_large`
 */
export function announcedSize(expected: Expectations, contentLength: number | undefined): number | undefined {
  const { sizeBytes, maxBytes } = expected;
  if (sizeBytes !== undefined && contentLength !== undefined && sizeBytes !== contentLength) {
    throw appError('size_mismatch', `${sizeBytes} bytes were announced, Content-Length says ${contentLength}`);
  }
  const announced = sizeBytes ?? contentLength;
  if (announced !== undefined && maxBytes !== undefined && announced > maxBytes) throw tooLarge(maxBytes);
  return announced;
}

/**
 * For the bytes counted so far, so that an endless body ends here and not at the end of the disk.
 * @throws `size_mismatch`, `too_large`
 */
export function checkRunningSize(receivedBytes: number, expected: Expectations): void {
  const { sizeBytes, maxBytes } = expected;
  if (maxBytes !== undefined && receivedBytes > maxBytes) throw tooLarge(maxBytes);
  if (sizeBytes !== undefined && receivedBytes > sizeBytes) {
    throw appError('size_mismatch', `More than the announced ${sizeBytes} bytes came`);
  }
}

/**
 * For the whole body, before anything of it can be seen.
 * @throws `size_mismatch`, `digest_mismatch`
 */
export function checkComplete(receivedBytes: number, digests: Digests, expected: Expectations): void {
  if (expected.sizeBytes !== undefined && receivedBytes !== expected.sizeBytes) {
    throw appError('size_mismatch', `${expected.sizeBytes} bytes were announced, ${receivedBytes} came`);
  }
  for (const name of ['sha256', 'sha512', 'md5'] as const) {
    const wanted = expected[name];
    if (wanted === undefined || wanted === 'true' || wanted === digests[name]) continue;
    throw appError('digest_mismatch', `The ${name} of the bytes is ${digests[name] ?? 'unknown'}, not ${wanted}`);
  }
}

function tooLarge(maxBytes: number): Error {
  return appError('too_large', `At most ${maxBytes} bytes are accepted`);
}
