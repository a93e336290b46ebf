import type { Door, EventData, EventEnvelope, EventName, Profile, Revocation, Role } from '@coffer/contracts';
import type {
  AccountRecord,
  Attempt,
  AuditRecord,
  Client,
  Credentials,
  IdempotencyMark,
  KeyRecord,
  Names,
  NewAccount,
  PasswordResetRecord,
  SessionRecord,
  Taken,
} from './model.ts';

/** The accounts as the rules see them; deleted ones are not there. Every call may throw 503 `unavailable`. */
export interface AccountStore {
  /** Throws TakenError. */
  insert(account: NewAccount, events: EventEnvelope[]): Promise<AccountRecord>;
  get(accountId: string): Promise<AccountRecord | undefined>;
  isTaken(o: {
    usernameKey: string;
    emailKey?: string | undefined;
    keyId?: string | undefined;
  }): Promise<Taken | undefined>;
  /** In no order, those that any of the ids and folded logins names. */
  lookUp(o: { ids: string[]; keys: string[] }): Promise<(AccountRecord & Names)[]>;
  findByIdempotencyKey(key: string): Promise<{ account: AccountRecord; mark: IdempotencyMark } | undefined>;
  /** Forgets the mark of this key where it is older than `before`. */
  dropIdempotencyKey(key: string, before: Date): Promise<void>;
  credentials(by: { field: 'usernameKey' | 'emailKey' | '_id'; key: string }): Promise<Credentials | undefined>;
  /** Undefined if its names are no longer those of `from`. Throws TakenError. */
  rename(
    accountId: string,
    o: { from: Pick<AccountRecord, 'username' | 'email'>; to: Names; at: Date },
  ): Promise<AccountRecord | undefined>;
  /** False if the credentials are no longer those of `credentialRev`, or the e-mail address not that of `emailKey` where given. */
  setPassword(
    accountId: string,
    o: {
      credentialRev: number;
      emailKey?: string;
      passwordHash: string;
      keptSessionId?: string | undefined;
      at: Date;
      events?: EventEnvelope[];
    },
  ): Promise<boolean>;
  /** Leaves nothing of it but its id and the events. False if it is gone, or the credentials are not those of `credentialRev`, where given. */
  remove(
    accountId: string,
    o: { credentialRev: number | undefined; at: Date; events: EventEnvelope[] },
  ): Promise<boolean>;
  /** Whether it was there and is deleted; known for a time only. */
  wasRemoved(accountId: string): Promise<boolean>;
  /**
   * Takes all keys away and makes every session and every link for a new password one of older credentials. False if the credentials are no
   * longer those of `credentialRev`, or the keys not those of `keyIds`.
   */
  shutOut(
    accountId: string,
    o: { credentialRev: number; keyIds: string[]; at: Date; events: EventEnvelope[] },
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
  /** Keys that were revoked since, and accounts that were since `longLived`, of which tokens of the longest life may be left. */
  revokedSince(since: Date, longLived: Date): Promise<Revocation[]>;
}

export interface ProfileStore {
  /** Undefined where there is no such account; `version` is for `write`. */
  read(accountId: string): Promise<{ profile: Profile; version: string | undefined } | undefined>;
  /** False if it is no longer that of `version`. */
  write(accountId: string, profile: Profile, version: string | undefined): Promise<boolean>;
}

export interface SessionStore {
  /** `key`: the session key of which `keyHash` is the hash. */
  insert(session: SessionRecord, key?: string): Promise<void>;
  get(sessionId: string): Promise<SessionRecord | undefined>;
  findByKey(keyHash: string): Promise<SessionRecord | undefined>;
  /** The living session of this door that began last, with its key; of this password, or the one that changed it. */
  newestOfDoor(
    account: Pick<Credentials, 'id' | 'credentialRev' | 'keptSessionId'>,
    door: Door,
    now: Date,
  ): Promise<{ session: SessionRecord; key: string } | undefined>;
  /** It was used: it lives until `expiresAt`. False if it was not living. */
  touch(sessionId: string, o: { at: Date; expiresAt: Date; client?: Client | undefined }): Promise<boolean>;
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
  /** Those ended since, of which tokens of the configured life may be left, and those of longer-lived tokens ended since `longLived`. */
  revokedSince(since: Date, longLived: Date): Promise<Revocation[]>;
}

export interface KeyStore {
  list(accountId: string): Promise<KeyRecord[] | undefined>;
  /** False if nothing was added: the account is missing or full, or the idempotency key was used after `replaysSince`. */
  add(accountId: string, key: KeyRecord, o: { maxKeys: number; replaysSince: Date }): Promise<boolean>;
  /** False if nothing was added: the account is missing or full, or has a key of this door or id. Throws TakenError where another account has the id. */
  addImported(accountId: string, key: KeyRecord, o: { maxKeys: number }): Promise<boolean>;
  remove(accountId: string, keyId: string, at: Date, events: EventEnvelope[]): Promise<boolean>;
  find(keyId: string): Promise<{ key: KeyRecord; account: { id: string; role: Role; suspended: boolean } } | undefined>;
}

/** What operators did. There is no way to change or remove an entry; only how it ended is added, once. */
export interface AuditStore {
  append(entry: AuditRecord): Promise<void>;
  /** False if the entry is not of this actor, or has an outcome already. */
  finish(id: string, o: { actorId: string; outcome: string }): Promise<boolean>;
  get(id: string): Promise<AuditRecord | undefined>;
  /** The latest first, those before `before`. */
  list(o: { actorId?: string; targetId?: string; before?: string; limit: number }): Promise<AuditRecord[]>;
}

export interface PasswordResetStore {
  /** Without a reset, something alike is written that nothing finds: both take the same time. */
  insert(reset: PasswordResetRecord | undefined, events: EventEnvelope[], o: { id: string; at: Date }): Promise<void>;
  get(resetId: string): Promise<PasswordResetRecord | undefined>;
}

export interface Passwords {
  /** In its turn, and only if `check`, asked when that has come, does not throw. */
  hash(password: string, signal?: AbortSignal, check?: () => Promise<void>): Promise<string>;
  /** Few at a time, the others wait in order: 503 `unavailable` where too many wait. `verify` is to be called within. */
  inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** With no hash (unknown login) the same work is done and the answer is false. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

export interface LoginLimits {
  /** Throws 429 `rate_limited` with Retry-After where either has no attempt left; counts nothing. */
  check(attempt: Attempt): Promise<void>;
  /** The same, and counts one attempt against both. */
  take(attempt: Attempt): Promise<void>;
  /** The attempt was right: the account's count starts anew, the address gets this one attempt back. */
  forgive(attempt: Attempt): Promise<void>;
}

export interface ResetLimits {
  /** Counts a request for a new password against the address; false where it has had its number. */
  fromAddress(address: string): Promise<boolean>;
  /** The same for the e-mail address that it is for, known or not. */
  forEmail(emailKey: string): Promise<boolean>;
}

export interface AccessTokens {
  /** A signed access token; `issuedAt` must be a time before the account's state was read. */
  issue(o: {
    accountId: string;
    sessionId: string;
    role: Role;
    issuedAt: Date;
    /** Its life where it is not the configured one. */
    lifeSeconds?: number | undefined;
  }): Promise<{ token: string; expiresAt: Date }>;
}

/** The outbox of one collection (design: the event is in the document that it speaks of, by the same update). */
export interface Events {
  makeEvent<N extends EventName>(name: N, data: EventData<N>, traceparent?: string): EventEnvelope;
  announce(documentId: string, events: EventEnvelope[]): void;
}
