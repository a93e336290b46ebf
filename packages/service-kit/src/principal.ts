import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Principal } from '@coffer/contracts';
import { appError } from './errors.ts';

export const PRINCIPAL_HEADER = 'x-coffer-principal';

// A principal is signed and verified with each call, and the same few accounts call again and again.
const MAX_REMEMBERED = 2000;
const signed = new WeakMap<Principal, { secret: string; header: string }>();
const verified = new Map<string, Map<string, Principal>>();

/** The header value that other services trust: base64url(JSON) `.` base64url(HMAC-SHA256 of the first part). */
export function signPrincipal(p: Principal, secret: string): string {
  const known = signed.get(p);
  if (known?.secret === secret) return known.header;
  const payload = Buffer.from(JSON.stringify(p)).toString('base64url');
  const header = `${payload}.${signature(payload, secret).toString('base64url')}`;
  signed.set(p, { secret, header });
  return header;
}

/** The principal in a signed header. Throws `unauthorized` when it is absent or was not signed with this secret. */
export function verifyPrincipal(header: string | string[] | undefined, secret: string): Principal {
  if (typeof header !== 'string') throw appError('unauthorized');
  const ofSecret = verified.get(secret) ?? new Map<string, Principal>();
  const known = ofSecret.get(header);
  if (known) return known;
  const dot = header.indexOf('.');
  const payload = header.slice(0, dot);
  const given = Buffer.from(header.slice(dot + 1), 'base64url');
  const right = signature(payload, secret);
  if (dot < 0 || given.length !== right.length || !timingSafeEqual(given, right)) throw appError('unauthorized');
  // Whoever could sign this holds the secret, so the content is as the types say.
  const principal: Principal = Object.freeze(JSON.parse(Buffer.from(payload, 'base64url').toString()));
  if (ofSecret.size >= MAX_REMEMBERED) ofSecret.clear();
  ofSecret.set(header, principal);
  verified.set(secret, ofSecret);
  signed.set(principal, { secret, header });
  return principal;
}

function signature(payload: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(payload).digest();
}
