import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { publicUrl } from '../dialects/common/dialect.ts';
import type { Gateway } from '../gateway.ts';

const COOKIE = 'coffer_link';
const VALID_SECONDS = 3600;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 6;
const VALUE = /^[A-Za-z0-9_-]{1,2048}$/;
const keys = new Map<string, Buffer>();

// The password itself, enciphered (AES-256-GCM): the link is opened with it at each request, so that a password that is changed locks out
// those who knew the old one. The cookie goes to the link's own pages alone, and is good for nothing on another link.

/** Lets the browser show a link's pages without asking for the password again, for an hour. */
export function keepPassword(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { token, password }: { token: string; password: string },
): void {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(gateway.ctx.internalSecret), iv).setAAD(Buffer.from(token));
  const until = Buffer.alloc(TIME_BYTES);
  until.writeUIntBE(Date.now() + VALID_SECONDS * 1000, 0, TIME_BYTES);
  const sealed = Buffer.concat([cipher.update(Buffer.concat([until, Buffer.from(password)])), cipher.final()]);
  const value = Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  const attributes = [`Path=/l/${token}`, `Max-Age=${VALID_SECONDS}`, 'HttpOnly', 'SameSite=Lax'];
  if (publicUrl(gateway, request).startsWith('https:')) attributes.push('Secure');
  reply.header('set-cookie', [`${COOKIE}=${value}`, ...attributes].join('; '));
}

/** Undefined where the browser has none for this link, or an old one. */
export function keptPassword(gateway: Gateway, request: FastifyRequest, token: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2);
    if (name !== COOKIE || !VALUE.test(value)) continue;
    const password = unseal(gateway.ctx.internalSecret, token, Buffer.from(value, 'base64url'));
    if (password !== undefined) return password;
  }
  return undefined;
}

function unseal(secret: string, token: string, bytes: Buffer): string | undefined {
  if (bytes.length < IV_BYTES + TAG_BYTES + TIME_BYTES) return undefined;
  const tag = bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret), bytes.subarray(0, IV_BYTES));
  decipher.setAAD(Buffer.from(token)).setAuthTag(tag);
  try {
    const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    return opened.readUIntBE(0, TIME_BYTES) > Date.now() ? opened.toString('utf8', TIME_BYTES) : undefined;
  } catch {
    // Not sealed here, or not for this link: as good as none.
    return undefined;
  }
}

/** A key of its own (RFC 5869). */
function keyOf(secret: string): Buffer {
  let key = keys.get(secret);
  if (key === undefined) {
    key = Buffer.from(hkdfSync('sha256', secret, '', 'coffer link passwords', 32));
    keys.set(secret, key);
  }
  return key;
}
