import { createHmac } from 'node:crypto';
import { appError } from '@coffer/service-kit';

export interface Idempotency {
  readonly key: string;
  readonly fingerprint: string;
}

/**
 * What an `Idempotency-Key` stands for: whoever repeats the key with another request is told so. The fingerprint is keyed with a secret,
 * since a body may hold a password and a bare digest of it could be tried out at leisure. Throws `invalid_header`.
 */
export function idempotencyOf(
  header: string | string[] | undefined,
  request: { caller: string; op: string; body: unknown },
  secret: string,
): Idempotency | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) {
    throw appError('invalid_header', 'Idempotency-Key has 1 to 255 visible ASCII characters');
  }
  return { key: header, fingerprint: keyed(secret, canonical([request.caller, request.op, request.body])) };
}

/** For requests without an account: keys of different senders must not meet, so the sender's address goes into the key. */
export function anonymousKey(idempotency: Idempotency, address: string, secret: string): Idempotency {
  return { ...idempotency, key: keyed(secret, canonical([address, idempotency.key])) };
}

const keyed = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex');

/** JSON with the members of objects in one order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
