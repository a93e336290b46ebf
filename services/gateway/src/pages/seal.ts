import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

const MAC_BYTES = 32;
const keys = new Map<string, Buffer>();

/** HMAC-SHA256 (RFC 2104) of texts for one purpose, under a key of the pages' own; base64url. */
export function sealOf(secret: string, purpose: string, texts: readonly string[]): string {
  return createHmac('sha256', keyOf(secret))
    .update(JSON.stringify([purpose, ...texts]))
    .digest('base64url');
}

/** Compares in constant time. */
export function isSealOf(seal: string, secret: string, purpose: string, texts: readonly string[]): boolean {
  const right = Buffer.from(sealOf(secret, purpose, texts));
  const given = Buffer.from(seal);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** A key of its own (RFC 5869), so that nothing else that the secret signs can pass for a seal. */
function keyOf(secret: string): Buffer {
  let key = keys.get(secret);
  if (key === undefined) {
    key = Buffer.from(hkdfSync('sha256', secret, '', 'coffer pages', MAC_BYTES));
    keys.set(secret, key);
  }
  return key;
}
