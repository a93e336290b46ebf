import type { EventEnvelope, Link, LinkRole } from '@coffer/contracts';

/** How a password is checked: scrypt (RFC 7914) with the cost it was made with. Bytes in base64url. */
export interface PasswordHash {
  salt: string;
  hash: string;
  /** Base-2 logarithm of the cost parameter N. */
  logN: number;
}

/** A link as it is stored. Of its token there is only the hash. */
export interface LinkDoc {
  _id: string;
  tokenHash: string;
  nodeId: string;
  /** Whose tree the node is in. */
  ownerId: string;
  role: LinkRole;
  password?: PasswordHash;
  expiresAt?: Date;
  maxDownloads?: number;
  downloads: number;
  note: string;
  createdBy: string;
  createdAt: Date;
  revokedAt?: Date;
  /** When the document may go: a while after its end, so that people see what became of it. */
  purgeAt?: Date;
  outbox?: EventEnvelope[];
  outboxAt?: Date;
}

export const MAX_LIVING_LINKS = 100;
const KEPT_MS = 30 * 24 * 3_600_000;

export const purgeTimeOf = (end: Date): Date => new Date(end.getTime() + KEPT_MS);

/** Why a link does not hold at that moment, or null where it does. The node is another question. */
export function endOf(
  link: Pick<LinkDoc, 'revokedAt' | 'expiresAt' | 'maxDownloads' | 'downloads'>,
  now: Date,
): 'revoked' | 'expired' | 'used up' | null {
  if (link.revokedAt !== undefined) return 'revoked';
  if (link.expiresAt !== undefined && link.expiresAt.getTime() <= now.getTime()) return 'expired';
  return link.maxDownloads !== undefined && link.downloads >= link.maxDownloads ? 'used up' : null;
}

export function toLink(doc: LinkDoc): Link {
  return {
    id: doc._id,
    nodeId: doc.nodeId,
    role: doc.role,
    hasPassword: doc.password !== undefined,
    expiresAt: doc.expiresAt?.toISOString() ?? null,
    maxDownloads: doc.maxDownloads ?? null,
    downloads: doc.downloads,
    note: doc.note,
    createdBy: doc.createdBy,
    createdAt: doc.createdAt.toISOString(),
    revokedAt: doc.revokedAt?.toISOString() ?? null,
  };
}
