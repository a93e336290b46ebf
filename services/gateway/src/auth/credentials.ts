import { appError } from '@coffer/service-kit';

export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'key'; readonly keyId: string; readonly secret: string; readonly scheme: 'Bearer' | 'Basic' };

const KEY = /^(ck_[A-Za-z0-9_-]{1,60})\.([\x21-\x7e]{1,256})$/;
const MAX_LENGTH = 4_096;

/**
 * What an `Authorization` header carries: an access token or an API key as Bearer (RFC 6750), or an API key's id and secret as Basic
 * (RFC 7617). Throws `unauthorized` without one and `invalid_token` for what is neither.
 */
export function parseCredentials(header: string | undefined): Credentials {
  if (header === undefined || header === '') throw appError('unauthorized');
  if (header.length > MAX_LENGTH) throw appError('invalid_token');
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space === -1 ? header.length : space).toLowerCase();
  const value = space === -1 ? '' : header.slice(space + 1).trim();
  if (scheme === 'bearer') {
    const match = KEY.exec(value);
    if (match !== null) return { kind: 'key', keyId: match[1] ?? '', secret: match[2] ?? '', scheme: 'Bearer' };
    if (!/^[A-Za-z0-9._~+/=-]+$/.test(value)) throw appError('invalid_token');
    return { kind: 'token', token: value };
  }
  if (scheme === 'basic') {
    const text = Buffer.from(value, 'base64').toString();
    const match = KEY.exec(text.replace(':', '.'));
    if (match === null)
      throw appError('invalid_token', 'Basic authentication takes the id and the secret of an API key');
    return { kind: 'key', keyId: match[1] ?? '', secret: match[2] ?? '', scheme: 'Basic' };
  }
  throw appError('unauthorized', 'Bearer and Basic are the schemes known here');
}

/**
 * The challenge that goes with a 401 (RFC 9110, 11.6.1). Basic is offered only to those who used it: a browser would ask its user for a
 * password that is of no use here.
 */
export function challengeFor(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') return 'Bearer realm="coffer"';
  if (/^basic(?: |$)/i.test(authorization)) return 'Basic realm="coffer", charset="UTF-8"';
  return 'Bearer realm="coffer", error="invalid_token"';
}
