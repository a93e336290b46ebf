import { randomBytes } from 'node:crypto';

/** W3C Trace Context, level 1: `version-traceid-parentid-flags`; all-zero ids are not valid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?$/;

// Drawn in blocks: one call into the random source per 256 requests instead of one each.
const POOL_BYTES = 4096;
let pool = '';
let used = 0;

function randomHex(digits: number): string {
  if (used + digits > pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex');
    used = 0;
  }
  used += digits;
  return pool.slice(used - digits, used);
}

/** The traceparent of a request of ours: a span of its own under the caller's, or the root of a new trace. */
export function childTraceparent(parent: string | string[] | undefined): string {
  const known = typeof parent === 'string' && parent.length >= 55 ? TRACEPARENT.exec(parent) : null;
  if (known === null) return `00-${randomHex(32)}-${randomHex(16)}-01`;
  return `00-${known[1]}-${randomHex(16)}-${known[2]}`;
}

export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
