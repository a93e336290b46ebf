import { createHmac, timingSafeEqual } from 'node:crypto';
import { appError } from '@coffer/service-kit';

/** HMAC-SHA512 over the bytes as they are (RFC 2104), in hex. */
export const signatureOf = (key: string | Buffer, body: Buffer): string =>
  createHmac('sha512', key).update(body).digest('hex');

/**
 * Throws `invalid_token` unless the header of this name is the body's signature under the key; the time it takes says nothing of where they differ.
 * Names of headers are compared without regard to case (RFC 9110, 5.1).
 */
export function checkSignature(
  key: string | Buffer,
  body: Buffer,
  { name, headers }: { name: string; headers: Readonly<Record<string, string>> },
): void {
  const found = Object.entries(headers).find(([one]) => one.toLowerCase() === name);
  const given = Buffer.from(found?.[1].trim().toLowerCase() ?? '');
  const right = Buffer.from(signatureOf(key, body));
  if (given.length !== right.length || !timingSafeEqual(given, right))
    throw appError('invalid_token', 'The signature is not valid');
}
