import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A refresh token is `<session id>.<family>.<secret>`: the id finds the session without an index on secrets, `family` (128 bits)
 * stays the same for the session's whole life, `secret` (256 bits) is new at every refresh. Only hashes are stored. Whoever presents the right
 * family with another secret holds a spent token of this session, however old: so reuse is recognised for ever from two
 * hashes, with no list of earlier tokens (RFC 9700 4.14.2).
 */
export interface RefreshToken {
  sessionId: string;
  family: string;
  secret: string;
}

const shape = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([\w-]{22})\.([\w-]{43})$/;

/** A new token: the first of a session, or the next of the family given. */
export function newRefreshToken(sessionId: string, family = randomBytes(16).toString('base64url')): RefreshToken {
  return { sessionId, family, secret: randomBytes(32).toString('base64url') };
}

export function formatRefreshToken(token: RefreshToken): string {
  return `${token.sessionId}.${token.family}.${token.secret}`;
}

/** Undefined for what was never one of our tokens. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  const [, sessionId, family, secret] = shape.exec(text) ?? [];
  if (sessionId === undefined || family === undefined || secret === undefined) return undefined;
  return { sessionId, family, secret };
}

/** sha256 in base64url. Enough for random secrets, which need no slow hash. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares in constant time; differing lengths differ at once, which tells nothing where lengths are fixed. */
export function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
