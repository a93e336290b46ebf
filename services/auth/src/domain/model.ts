import type { Account, ApiKey, EventData, EventEnvelope, EventName, Revocation, Role } from '@coffer/contracts';

/** What a request brings along besides its input. */
export interface RequestContext {
  signal?: AbortSignal | undefined;
  traceparent?: string | undefined;
}

export interface AccountRecord {
  id: string;
  username: string;
  email: string;
  role: Role;
  suspended: boolean;
  createdAt: Date;
  modifiedAt: Date;
}

/** What checking a person's right to enter needs. */
export interface Credentials {
  accountId: string;
  username: string;
  email: string;
  role: Role;
  suspended: boolean;
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

export interface NewAccount {
  id: string;
  username: string;
  usernameKey: string;
  email: string;
  emailKey: string;
  role: Role;
  passwordHash: string;
  createdAt: Date;
  idempotency?: IdempotencyMark | undefined;
}

export interface SessionRecord {
  id: string;
  accountId: string;
  /** sha256 of what stays the same in all of the session's refresh tokens. */
  familyHash: string;
  /** sha256 of the one refresh secret that is good now. */
  secretHash: string;
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
  idempotency?: IdempotencyMark | undefined;
}

/** Which unique value an account's write ran into. */
export type Taken = 'username' | 'email' | 'idempotency';
export class TakenError extends Error {
  readonly taken: Taken;
  constructor(taken: Taken) {
    super(`taken: ${taken}`);
    this.taken = taken;
  }
}

/** The accounts as the rules see them. Every call may throw 503 `unavailable`. */
export interface AccountStore {
  /** Throws TakenError. */
  insert(account: NewAccount, events: EventEnvelope[]): Promise<AccountRecord>;
  get(accountId: string): Promise<AccountRecord | undefined>;
  isTaken(keys: { usernameKey: string; emailKey: string }): Promise<Taken | undefined>;
  findByIdempotencyKey(key: string): Promise<{ account: AccountRecord; mark: IdempotencyMark } | undefined>;
  /** Forgets the mark of this key where it is older than `before`. */
  dropIdempotencyKey(key: string, before: Date): Promise<void>;
  credentials(by: { field: 'usernameKey' | 'emailKey' | '_id'; key: string }): Promise<Credentials | undefined>;
  /** Throws TakenError. */
  rename(
    accountId: string,
    changes: { username?: string; usernameKey?: string; email?: string; emailKey?: string },
    at: Date,
  ): Promise<AccountRecord | undefined>;
  /** False if the credentials are no longer those of `credentialRev`. */
  setPassword(
    accountId: string,
    o: { credentialRev: number; passwordHash: string; keptSessionId?: string | undefined; at: Date },
  ): Promise<boolean>;
  /** Undefined if it is so already, or if there is no such account. */
  setSuspended(
    accountId: string,
    suspended: boolean,
    at: Date,
    events: EventEnvelope[],
  ): Promise<AccountRecord | undefined>;
  /** In order of id (which is the order of creation), those after `after`. `fold` is sought in names, `id` is an id. */
  find(o: { fold?: string; id?: string; after?: string; limit: number }): Promise<AccountRecord[]>;
  /** Accounts and keys that were revoked since. */
  revokedSince(since: Date): Promise<Revocation[]>;
}

export interface SessionStore {
  insert(session: SessionRecord): Promise<void>;
  get(sessionId: string): Promise<SessionRecord | undefined>;
  /** Swaps the refresh secret where the presented one is still the good one and the session lives; false otherwise. */
  rotate(
    sessionId: string,
    o: { from: string; to: string; at: Date; expiresAt: Date; address: string; userAgent: string },
  ): Promise<boolean>;
  /** Living ones, the last used first. */
  list(accountId: string, now: Date): Promise<SessionRecord[]>;
  /** False if it was not living. `accountId`, where given, must match. */
  end(sessionId: string, o: { accountId?: string; at: Date; events: EventEnvelope[] }): Promise<boolean>;
  /** Ids of living sessions but one, at most `limit`. */
  livingIds(accountId: string, o: { except?: string | undefined; now: Date; limit: number }): Promise<string[]>;
  endEach(entries: { sessionId: string; events: EventEnvelope[] }[], at: Date): Promise<void>;
  revokedSince(since: Date): Promise<Revocation[]>;
}

export interface KeyStore {
  list(accountId: string): Promise<KeyRecord[] | undefined>;
  /** False if nothing was added: the account is missing or full, or the idempotency key was used after `replaysSince`. */
  add(accountId: string, key: KeyRecord, o: { maxKeys: number; replaysSince: Date }): Promise<boolean>;
  remove(accountId: string, keyId: string, at: Date, events: EventEnvelope[]): Promise<boolean>;
  find(keyId: string): Promise<{ key: KeyRecord; account: { id: string; role: Role; suspended: boolean } } | undefined>;
}

export interface Passwords {
  hash(password: string, signal?: AbortSignal): Promise<string>;
  /** Few at a time, the others wait in order: 503 `unavailable` where too many wait. `verify` is to be called within. */
  inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** With no hash (unknown login) the same work is done and the answer is false. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** An attempt to log in is counted against the account (or the unknown name) and against the client's address. */
export interface Attempt {
  account: string;
  address?: string | undefined;
}

export interface LoginLimits {
  /** Throws 429 `rate_limited` with Retry-After where either has no attempt left; counts nothing. */
  check(attempt: Attempt): Promise<void>;
  /** The same, and counts one attempt against both. */
  take(attempt: Attempt): Promise<void>;
  /** The attempt was right: the account's count starts anew, the address gets this one attempt back. */
  forgive(attempt: Attempt): Promise<void>;
}

export interface AccessTokens {
  /** A signed access token; `issuedAt` must be a time before the account's state was read. */
  issue(o: {
    accountId: string;
    sessionId: string;
    role: Role;
    issuedAt: Date;
  }): Promise<{ token: string; expiresAt: Date }>;
}

/** The outbox of one collection (design: the event is in the document that it speaks of, by the same update). */
export interface Events {
  makeEvent<N extends EventName>(name: N, data: EventData<N>, traceparent?: string): EventEnvelope;
  announce(documentId: string, events: EventEnvelope[]): void;
}

export function publicAccount(account: AccountRecord): Account {
  return { ...account, createdAt: account.createdAt.toISOString(), modifiedAt: account.modifiedAt.toISOString() };
}
