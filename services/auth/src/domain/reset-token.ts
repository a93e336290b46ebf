import { createHmac, hkdfSync } from 'node:crypto';
import { sameSecret } from './refresh-token.ts';

const shape = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([\w-]{43})$/;

export interface ResetTokens {
  make(resetId: string): string;
  /** The reset of a token that was made here; undefined for any other text. */
  read(token: string): string | undefined;
}

/**
 * `<reset id>.<HMAC-SHA256 of it>` under a key of its own (HKDF, RFC 5869): whoever writes the mail can have it made again, and neither the
 * database nor the bus ever holds it.
 */
export function createResetTokens(keyEncryptionKey: Buffer): ResetTokens {
  const key = Buffer.from(hkdfSync('sha256', keyEncryptionKey, '', 'coffer password-reset', 32));
  const sign = (resetId: string): string => createHmac('sha256', key).update(resetId).digest('base64url');
  return {
    make: (resetId) => `${resetId}.${sign(resetId)}`,
    read(token) {
      const [, resetId, signature] = shape.exec(token) ?? [];
      if (resetId === undefined || signature === undefined) return undefined;
      return sameSecret(signature, sign(resetId)) ? resetId : undefined;
    },
  };
}
