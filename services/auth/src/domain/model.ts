import type { Account, ApiKey, Door, Profile, Role } from '@coffer/contracts';

/** What a request brings along besides its input. */
export interface RequestContext {
  signal?: AbortSignal | undefined;
  traceparent?: string | undefined;
}

export interface AccountRecord {
  id: string;
  username: string;
  /** Null where the account has none. */
  email: string | null;
  role: Role;
  suspended: boolean;
  createdAt: Date;
  modifiedAt: Date;
}

/** What checking a person's right to enter needs. */
export interface Credentials extends AccountRecord {
  emailKey?: string | undefined;
  passwordHash: string;
  /** Rises with each change of the password; a session of an older one is dead, whether or not its own document says so yet. */
  credentialRev: number;
  /** The one session that outlived the last change of the password. */
  keptSessionId?: string | undefined;
}

export interface IdempotencyMark {
  key: string;
  fingerprint: string;
  at: Date;
}

/** An account's names with the keys that are unique; no e-mail address, no key of it. */
export interface Names {
  username: string;
  usernameKey: string;
  email: string | null;
  emailKey?: string | undefined;
}

export interface NewAccount extends Names {
  id: string;
  role: Role;
  passwordHash: string;
  createdAt: Date;
  profile?: Profile | undefined;
  importedKey?: KeyRecord | undefined;
  idempotency?: IdempotencyMark | undefined;
}

/** A session is held by a refresh token (`familyHash`, `secretHash`) or by a session key (`door`, `keyHash`), never by both. */
export interface SessionRecord {
  id: string;
  accountId: string;
  /** sha256 of what stays the same in all of the session's refresh tokens. */
  familyHash?: string | undefined;
  /** sha256 of the one refresh secret that is good now. */
  secretHash?: string | undefined;
  /** The refresh token never changes. */
  fixed?: boolean | undefined;
  /** Life of its access tokens where it is not the configured one. */
  accessTokenSeconds?: number | undefined;
  door?: Door | undefined;
  /** sha256 of the session key. */
  keyHash?: string | undefined;
  credentialRev: number;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  endedAt?: Date | undefined;
  address: string;
  userAgent: string;
}

export interface KeyRecord {
  id: string;
  name: string;
  access: ApiKey['access'];
  secret: string;
  createdAt: Date;
  expiresAt: Date | null;
  door?: Door | undefined;
  idempotency?: IdempotencyMark | undefined;
}

/** A request for a new password; it never changes, what overtakes it shows in the account. */
export interface PasswordResetRecord {
  id: string;
  accountId: string;
  /** The account as it was: the reset is good while both are still so. */
  credentialRev: number;
  emailKey: string;
  expiresAt: Date;
}

/** Something an operator set out to do. `outcome`: `ok`, the code of the error that it ended with, or null where nobody knows. */
export interface AuditRecord {
  id: string;
  at: Date;
  actorId: string;
  action: string;
  targetId: string | null;
  details: Record<string, string | number | boolean | null>;
  address: string;
  requestId: string;
  outcome: string | null;
}

/** Which unique value an account's write ran into. */
export type Taken = 'username' | 'email' | 'key' | 'idempotency';
export class TakenError extends Error {
  readonly taken: Taken;
  constructor(taken: Taken) {
    super(`taken: ${taken}`);
    this.taken = taken;
  }
}

/** Who asks for what from where. */
export interface Client {
  address: string;
  userAgent: string;
}

/** An attempt to log in is counted against the account (or the unknown name) and against the client's address. */
export interface Attempt {
  account: string;
  address?: string | undefined;
}

/** Picked one by one: what else the record may carry is nobody's business. */
export function publicAccount({ id, username, email, role, suspended, createdAt, modifiedAt }: AccountRecord): Account {
  return {
    id,
    username,
    email,
    role,
    suspended,
    createdAt: createdAt.toISOString(),
    modifiedAt: modifiedAt.toISOString(),
  };
}
