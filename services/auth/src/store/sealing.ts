import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Keeps secrets in the database unreadable without KEY_ENCRYPTION_KEY. */
export interface Sealing {
  /** `purpose` is authenticated with it: what was sealed for one thing does not open as another. */
  seal(secret: Buffer, purpose: string): string;
  /** Throws where key, purpose or bytes are not those of `seal`. */
  open(sealed: string, purpose: string): Buffer;
}

// The leading byte names the format, so that another key or cipher can live beside this one.
const format = 1;
const ivBytes = 12;
const tagBytes = 16;

/** AES-256-GCM (NIST SP 800-38D) with random nonces: safe for far more than the secrets one store will ever hold (2^32). */
export function createSealing(key: Buffer): Sealing {
  return {
    seal(secret, purpose) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(secret), cipher.final()]);
      return Buffer.concat([Buffer.of(format), iv, cipher.getAuthTag(), body]).toString('base64');
    },

    open(sealed, purpose) {
      const bytes = Buffer.from(sealed, 'base64');
      if (bytes[0] !== format || bytes.length < 1 + ivBytes + tagBytes) throw new Error('Not a sealed secret');
      const iv = bytes.subarray(1, 1 + ivBytes);
      const tag = bytes.subarray(1 + ivBytes, 1 + ivBytes + tagBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag);
      return Buffer.concat([decipher.update(bytes.subarray(1 + ivBytes + tagBytes)), decipher.final()]);
    },
  };
}
