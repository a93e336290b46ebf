import type { ApiKey, Door, EventEnvelope, Role } from '@coffer/contracts';
import type { IdempotencyMark } from '../domain/model.ts';

/** Events that are not out yet, with the time of the oldest doubt (design: in-document outbox). */
export interface OutboxFields {
  outbox?: EventEnvelope[];
  outboxAt?: Date;
}

export interface KeyEntry {
  id: string;
  name: string;
  access: ApiKey['access'];
  /** The secret, sealed: request signing needs it back, so it cannot be a hash. */
  sealed: string;
  createdAt: Date;
  expiresAt: Date | null;
  door?: Door;
  idempotency?: IdempotencyMark;
}

/**
 * API keys live inside the account: their number is bounded, the bound and their idempotency hold by the one document's atomicity, and checking
 * one needs the account's state anyway. A deleted account leaves a husk that holds its id, its events and `deletedAt` only, for as long as its
 * revocation must be told; every question about accounts says `living`.
 */
export interface AccountDocument extends OutboxFields {
  _id: string;
  username: string;
  usernameKey: string;
  email: string | null;
  /** Absent where there is no address: the unique index holds those that are there. */
  emailKey?: string;
  role: Role;
  suspended: boolean;
  suspendedAt?: Date;
  passwordHash: string;
  credentialRev: number;
  keptSessionId?: string;
  /** Sealed. */
  profile?: string;
  createdAt: Date;
  modifiedAt: Date;
  keys: KeyEntry[];
  /** The latest of them, bounded; read within one access token's life only. */
  revokedKeys: { id: string; at: Date }[];
  /** Time of the last suspension or key removal. */
  revokedAt?: Date;
  idempotency?: IdempotencyMark;
  deletedAt?: Date;
  /** When the husk may go. */
  purgeAt?: Date;
}

/** The accounts that are not deleted. */
export const living = { deletedAt: { $exists: false } };

export interface SessionDocument extends OutboxFields {
  _id: string;
  accountId: string;
  familyHash?: string | undefined;
  secretHash?: string | undefined;
  fixed?: boolean | undefined;
  accessTokenSeconds?: number | undefined;
  door?: Door | undefined;
  keyHash?: string | undefined;
  /** The session key: a door may ask for its living one again. */
  sealedKey?: string | undefined;
  credentialRev: number;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  endedAt?: Date | undefined;
  /** When the document may go: its tokens have all expired by then, so that even an event that never got out has no meaning any more. */
  purgeAt: Date;
  address: string;
  userAgent: string;
}

/** Without an account: somebody asked for an address that has none, or too often. */
export interface PasswordResetDocument extends OutboxFields {
  _id: string;
  accountId?: string;
  credentialRev?: number;
  emailKey?: string;
  expiresAt?: Date;
  purgeAt: Date;
}

/** Written once; only the outcome is added. */
export interface AuditDocument {
  _id: string;
  at: Date;
  actorId: string;
  action: string;
  targetId: string | null;
  details: Record<string, string | number | boolean | null>;
  address: string;
  requestId: string;
  outcome: string | null;
}

export interface SigningKeyDocument {
  /** Counts up from 1; racing instances meet at the same number, and one of them makes it. */
  _id: number;
  kid: string;
  publicKey: { kty: string; crv: string; x: string };
  sealedPrivateKey: string;
  createdAt: Date;
  /** From when on it signs. Published earlier, so that no verifier meets it unprepared. */
  activeFrom: Date;
}
