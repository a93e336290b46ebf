import { appError } from '@coffer/service-kit';
import type { IdempotencyMark } from './model.ts';

/** How long a create that is sent again gets the first answer. */
export const replayLifeMs = 24 * 60 * 60 * 1000;

/** Throws 422 `idempotency_key_reused` where the key was used for another request. */
export function sameRequest(mark: IdempotencyMark, fingerprint: string): void {
  if (mark.fingerprint !== fingerprint) throw appError('idempotency_key_reused');
}
