import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { bytesOfId, ID_BYTES, idOfBytes } from './id-bytes.ts';

export interface SignedFacts {
  readonly nodeId: string;
  readonly accountId: string;
  /** Absent: it does not expire. */
  readonly expiresAtMs?: number;
  /** The node's link epoch at the time of signing; 0 if absent. Whoever reads the path compares it with the node's own. */
  readonly epoch?: number;
}

const TIME_BYTES = 6;
const EPOCH_BYTES = 4;
const EPOCH_AT = 2 * ID_BYTES + TIME_BYTES;
const FACT_BYTES = EPOCH_AT + EPOCH_BYTES;
const MAC_BYTES = 32;
const keys = new Map<string, Buffer>();

/**
 * One segment of a path that nobody can guess and that carries its own proof: both ids, the time when it expires, the node's link
 * epoch, and an HMAC-SHA256 (RFC 2104) over them and the purpose, base64url. Every gateway of an installation makes and reads the same.
 */
export function signPath(
  secret: string,
  purpose: string,
  { nodeId, accountId, expiresAtMs = 0, epoch = 0 }: SignedFacts,
): string {
  const facts = Buffer.alloc(FACT_BYTES);
  bytesOfId(nodeId).copy(facts, 0);
  bytesOfId(accountId).copy(facts, ID_BYTES);
  facts.writeUIntBE(Math.ceil(expiresAtMs), 2 * ID_BYTES, TIME_BYTES);
  facts.writeUInt32BE(epoch, EPOCH_AT);
  return Buffer.concat([facts, mac(secret, purpose, facts)]).toString('base64url');
}

/** What a segment was made for; null where it is forged, of another purpose, or expired. */
export function readSignedPath(
  secret: string,
  purpose: string,
  segment: string,
): { nodeId: string; accountId: string; epoch: number } | null {
  const bytes = Buffer.from(segment, 'base64url');
  // Decoding passes over what is no base64url: only the one spelling counts.
  if (bytes.length !== FACT_BYTES + MAC_BYTES || bytes.toString('base64url') !== segment) return null;
  const facts = bytes.subarray(0, FACT_BYTES);
  if (!timingSafeEqual(bytes.subarray(FACT_BYTES), mac(secret, purpose, facts))) return null;
  const expiresAtMs = facts.readUIntBE(2 * ID_BYTES, TIME_BYTES);
  if (expiresAtMs !== 0 && expiresAtMs <= Date.now()) return null;
  return {
    nodeId: idOfBytes(facts.subarray(0, ID_BYTES)),
    accountId: idOfBytes(facts.subarray(ID_BYTES, 2 * ID_BYTES)),
    epoch: facts.readUInt32BE(EPOCH_AT),
  };
}

function mac(secret: string, purpose: string, facts: Buffer): Buffer {
  return createHmac('sha256', keyOf(secret)).update(facts).update(purpose).digest();
}

/** A key of its own (RFC 5869), so that nothing else that the secret signs can pass for a path. */
function keyOf(secret: string): Buffer {
  let key = keys.get(secret);
  if (key === undefined) {
    key = Buffer.from(hkdfSync('sha256', secret, '', 'coffer signed paths', MAC_BYTES));
    keys.set(secret, key);
  }
  return key;
}
