import Type, { type Static } from 'typebox';
import { Door, Id, NullableTime, PageQuery, Principal, Role, Time } from './common.ts';
import { contract } from './endpoint.ts';

/**
 * As given by the person; uniqueness is judged on the NFKC form, case folded. Printable characters without `:` (RFC 7617) and
 * without white space at the ends; with `@` only where it is the account's e-mail address too, so that no log-in means two accounts.
 */
export const Username = Type.String({ minLength: 1, maxLength: 64 });
export const Email = Type.String({ minLength: 3, maxLength: 254 });
export const Password = Type.String({ minLength: 1, maxLength: 1024 });

export const Account = Type.Object({
  id: Id,
  username: Type.String(),
  /** Null where the account was made through a door that asks for none. */
  email: Type.Union([Type.String(), Type.Null()]),
  role: Role,
  suspended: Type.Boolean(),
  createdAt: Time,
  modifiedAt: Time,
});
export type Account = Static<typeof Account>;

export const Session = Type.Object({
  sessionId: Id,
  accessToken: Type.String(),
  tokenType: Type.Literal('Bearer'),
  /** When the access token expires. */
  expiresAt: Time,
  refreshToken: Type.String(),
});
export type Session = Static<typeof Session>;

/**
 * Facts about the person that some doors ask for (names, telephone, ...), under names of that door's choice. Kept sealed. At most 32 of
 * 1 to 64 characters, values of at most 1,024.
 */
export const Profile = Type.Record(Type.String(), Type.String({ maxLength: 1024 }));
export type Profile = Static<typeof Profile>;

export const SessionInfo = Type.Object({
  id: Id,
  createdAt: Time,
  lastUsedAt: Time,
  expiresAt: Time,
  address: Type.String(),
  userAgent: Type.String(),
});
export type SessionInfo = Static<typeof SessionInfo>;

export const ApiKey = Type.Object({
  id: Type.String(),
  name: Type.String(),
  access: Type.Union([Type.Literal('full'), Type.Literal('read-only')]),
  createdAt: Time,
  expiresAt: NullableTime,
  /** Through which door it was brought in, its id and secret chosen elsewhere; absent for keys made here. */
  door: Type.Optional(Door),
});
export type ApiKey = Static<typeof ApiKey>;
export const NewApiKey = Type.Object({ ...ApiKey.properties, /** Shown once. */ secret: Type.String() });

/** Who did what to whom. `outcome`: `ok`, an error's code, or null where it is not known (a crash in between). */
export const AuditEntry = Type.Object({
  id: Id,
  at: Time,
  actorId: Id,
  action: Type.String(),
  targetId: Type.Union([Type.String(), Type.Null()]),
  details: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
  address: Type.String(),
  requestId: Type.String(),
  outcome: Type.Union([Type.String(), Type.Null()]),
});
export type AuditEntry = Static<typeof AuditEntry>;

const AccountParams = Type.Object({ accountId: Id });
/** Idempotency of creates: the caller's key, scoped by whoever calls, and a digest of the request. */
export const Idempotency = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 255 }),
  fingerprint: Type.String({ maxLength: 64 }),
});

/** An ended session, revoked key, suspended or deleted account: its tokens must not be honoured. Kept for the longest life of its access tokens. */
export const Revocation = Type.Object({
  kind: Type.Union([Type.Literal('session'), Type.Literal('key'), Type.Literal('account')]),
  id: Type.String(),
  at: Time,
});
export type Revocation = Static<typeof Revocation>;

export const authContract = contract({
  service: 'auth',
  endpoints: {
    createAccount: {
      op: 'accounts.create',
      method: 'POST',
      path: '/accounts',
      idempotent: false,
      body: Type.Object(
        {
          username: Username,
          /** Null: the account has none. Where the user name holds `@` it is the e-mail address as well. */
          email: Type.Union([Email, Type.Null()]),
          password: Password,
          /** Doors whose documents promise to take any password say so; else 400 `weak_password`. */
          anyPassword: Type.Optional(Type.Boolean()),
          profile: Type.Optional(Profile),
          /** A key pair made elsewhere that becomes one of the account's API keys; 409 `key_taken` where any account has the id. */
          importedKey: Type.Optional(
            Type.Object(
              {
                door: Door,
                id: Type.String({ minLength: 1, maxLength: 128 }),
                secret: Type.String({ minLength: 1, maxLength: 256 }),
              },
              { additionalProperties: false },
            ),
          ),
          address: Type.Optional(Type.String()),
          idempotency: Type.Optional(Idempotency),
        },
        { additionalProperties: false },
      ),
      response: Account,
    },
    /**
     * The accounts behind ids, user names or e-mail addresses, in the order of asking; null where there is none. Asked by services, on
     * behalf of nobody: what of it may be shown is theirs to judge.
     */
    lookUpAccounts: {
      op: 'accounts.lookUp',
      method: 'POST',
      path: '/accounts/look-up',
      idempotent: true,
      body: Type.Object(
        { logins: Type.Array(Type.String({ minLength: 1, maxLength: 254 }), { minItems: 1, maxItems: 1000 }) },
        { additionalProperties: false },
      ),
      response: Type.Object({ accounts: Type.Array(Type.Union([Account, Type.Null()])) }),
    },
    getProfile: {
      op: 'accounts.profile',
      method: 'GET',
      path: '/accounts/:accountId/profile',
      idempotent: true,
      params: AccountParams,
      response: Profile,
    },
    /** Null removes a fact, others stay as they are. */
    updateProfile: {
      op: 'accounts.updateProfile',
      method: 'PATCH',
      path: '/accounts/:accountId/profile',
      idempotent: true,
      params: AccountParams,
      body: Type.Record(Type.String(), Type.Union([Type.String({ maxLength: 1024 }), Type.Null()])),
      response: Profile,
    },
    /**
     * Gone for good: names are free again, sessions and keys end, the files follow (event `accountDeleted`). 401 `invalid_credentials` on a
     * wrong password, which counts as an attempt to log in. An operator cannot be deleted (403).
     */
    deleteAccount: {
      op: 'accounts.delete',
      method: 'POST',
      path: '/accounts/:accountId/delete',
      idempotent: false,
      params: AccountParams,
      body: Type.Object({ password: Password, address: Type.Optional(Type.String()) }, { additionalProperties: false }),
    },
    /** By an operator, as `deleteAccount`; the account's own password is not asked for. */
    removeAccount: {
      op: 'accounts.remove',
      method: 'DELETE',
      path: '/accounts/:accountId',
      idempotent: true,
      params: AccountParams,
    },
    /** By an operator: all sessions and keys end, and a link to set a new password is sent, where there is an address. */
    resetAccount: {
      op: 'accounts.reset',
      method: 'POST',
      path: '/accounts/:accountId/reset',
      idempotent: false,
      params: AccountParams,
      response: Type.Object({ mailed: Type.Boolean() }),
    },
    /** What operators do is written down before it is done; entries are never changed. The caller is the actor. */
    appendAudit: {
      op: 'audit.append',
      method: 'POST',
      path: '/audit',
      idempotent: false,
      body: Type.Object(
        {
          action: Type.String({ pattern: '^[a-zA-Z]+\\.[a-zA-Z]+$', maxLength: 64 }),
          targetId: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
          /** What was asked for, without secrets. */
          details: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
          address: Type.String({ maxLength: 64 }),
        },
        { additionalProperties: false },
      ),
      response: Type.Object({ id: Id }),
    },
    /** How it ended, once. */
    finishAudit: {
      op: 'audit.finish',
      method: 'PUT',
      path: '/audit/:id/outcome',
      idempotent: true,
      params: Type.Object({ id: Id }),
      body: Type.Object({ outcome: Type.String({ maxLength: 64 }) }, { additionalProperties: false }),
    },
    /** For operators, the latest first. */
    listAudit: {
      op: 'audit.list',
      method: 'GET',
      path: '/audit',
      idempotent: true,
      query: Type.Object({
        ...PageQuery.properties,
        actorId: Type.Optional(Id),
        targetId: Type.Optional(Type.String({ maxLength: 200 })),
      }),
      response: Type.Object({ items: Type.Array(AuditEntry), nextCursor: Type.Union([Type.String(), Type.Null()]) }),
    },
    /** Sends a link to set a new password, if the address is an account's: the answer and its time tell nobody whether. Limited per address and account. */
    requestPasswordReset: {
      op: 'passwordResets.request',
      method: 'POST',
      path: '/password-resets',
      idempotent: false,
      body: Type.Object(
        { email: Type.String({ maxLength: 254 }), address: Type.String() },
        { additionalProperties: false },
      ),
    },
    /** Works once, within an hour, until the password or the e-mail address changes: 401 `invalid_token` else. Ends all sessions. */
    resetPassword: {
      op: 'passwordResets.use',
      method: 'POST',
      path: '/password-resets/use',
      idempotent: false,
      body: Type.Object(
        {
          token: Type.String({ minLength: 1, maxLength: 512 }),
          newPassword: Password,
          anyPassword: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
    },
    /** What the mail of a reset holds; asked by the service that writes it. 404 where it was used, expired or overtaken. */
    getPasswordReset: {
      op: 'passwordResets.get',
      method: 'GET',
      path: '/password-resets/:resetId',
      idempotent: true,
      params: Type.Object({ resetId: Id }),
      response: Type.Object({ account: Account, token: Type.String(), expiresAt: Time }),
    },
    getAccount: {
      op: 'accounts.get',
      method: 'GET',
      path: '/accounts/:accountId',
      idempotent: true,
      params: AccountParams,
      response: Account,
    },
    /** Changing the e-mail or the user name; 409 `username_taken` or `email_taken`. */
    updateAccount: {
      op: 'accounts.update',
      method: 'PATCH',
      path: '/accounts/:accountId',
      idempotent: true,
      params: AccountParams,
      body: Type.Object(
        { username: Type.Optional(Username), email: Type.Optional(Email) },
        { additionalProperties: false },
      ),
      response: Account,
    },
    /** Ends all sessions but `keepSessionId`. 401 `invalid_credentials` on a wrong current password; counts as a login attempt. */
    changePassword: {
      op: 'accounts.changePassword',
      method: 'PUT',
      path: '/accounts/:accountId/password',
      idempotent: false,
      params: AccountParams,
      body: Type.Object(
        {
          currentPassword: Password,
          newPassword: Password,
          keepSessionId: Type.Optional(Id),
          address: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    },
    /** For operators: accounts whose user name or e-mail contains `query` (ignoring case), or whose id is it. */
    findAccounts: {
      op: 'accounts.find',
      method: 'GET',
      path: '/accounts',
      idempotent: true,
      query: Type.Object({ ...PageQuery.properties, query: Type.Optional(Type.String({ maxLength: 254 })) }),
      response: Type.Object({ items: Type.Array(Account), nextCursor: Type.Union([Type.String(), Type.Null()]) }),
    },
    setAccountStatus: {
      op: 'accounts.setStatus',
      method: 'PUT',
      path: '/accounts/:accountId/status',
      idempotent: true,
      params: AccountParams,
      body: Type.Object({ suspended: Type.Boolean() }, { additionalProperties: false }),
      response: Account,
    },
    /** 401 `invalid_credentials` for an unknown login and a wrong password alike, in the same time; 429 `rate_limited` with Retry-After; 403 `account_suspended` to who knows the password. */
    createSession: {
      op: 'sessions.create',
      method: 'POST',
      path: '/sessions',
      idempotent: false,
      body: Type.Object(
        {
          login: Type.String({ minLength: 1, maxLength: 254 }),
          password: Password,
          /** Life of its access tokens where it is not the configured one. */
          accessTokenSeconds: Type.Optional(Type.Integer({ minimum: 10, maximum: 86_400 })),
          /** For clients that know of no rotation: the refresh token stays the same and is used with `renewAccess` only. */
          fixedRefreshToken: Type.Optional(Type.Boolean()),
          address: Type.String(),
          userAgent: Type.String({ maxLength: 512 }),
        },
        { additionalProperties: false },
      ),
      response: Session,
    },
    /** A new access token for a session with a fixed refresh token, of the life that the session began with. 401 `invalid_token`, `session_ended`; 403 `account_suspended`. */
    renewAccess: {
      op: 'sessions.renewAccess',
      method: 'POST',
      path: '/sessions/access',
      idempotent: true,
      body: Type.Object(
        {
          refreshToken: Type.String({ minLength: 1, maxLength: 512 }),
          address: Type.String(),
          userAgent: Type.String({ maxLength: 512 }),
        },
        { additionalProperties: false },
      ),
      response: Type.Object({ sessionId: Id, accessToken: Type.String(), expiresAt: Time }),
    },
    /**
     * A session that one opaque key stands for, for doors whose clients hold a key or a cookie and never renew it. It lives as long as a
     * session that is used (`SESSION_DAYS` after the last use). `reuse`: the door's living session of this account, if there is one, with
     * its key. Errors as `createSession`.
     */
    createSessionKey: {
      op: 'sessionKeys.create',
      method: 'POST',
      path: '/session-keys',
      idempotent: false,
      body: Type.Object(
        {
          login: Type.String({ minLength: 1, maxLength: 254 }),
          password: Password,
          door: Door,
          reuse: Type.Optional(Type.Boolean()),
          address: Type.String(),
          userAgent: Type.String({ maxLength: 512 }),
        },
        { additionalProperties: false },
      ),
      response: Type.Object({ key: Type.String(), sessionId: Id, reused: Type.Boolean(), account: Account }),
    },
    /** 401 `invalid_token` for an unknown key and one of another door, `session_ended`; 403 `account_suspended`. */
    verifySessionKey: {
      op: 'sessionKeys.verify',
      method: 'POST',
      path: '/session-keys/verify',
      idempotent: true,
      body: Type.Object({ key: Type.String({ maxLength: 256 }), door: Door }, { additionalProperties: false }),
      response: Type.Object({ principal: Principal, expiresAt: Time }),
    },
    /** Rotates. Reuse of a spent refresh token ends the session: 401 `refresh_reused`. Of requests under way together one wins, the others get 409 `busy`. */
    refreshSession: {
      op: 'sessions.refresh',
      method: 'POST',
      path: '/sessions/refresh',
      idempotent: false,
      body: Type.Object(
        {
          refreshToken: Type.String({ minLength: 1, maxLength: 512 }),
          address: Type.String(),
          userAgent: Type.String({ maxLength: 512 }),
        },
        { additionalProperties: false },
      ),
      response: Session,
    },
    listSessions: {
      op: 'sessions.list',
      method: 'GET',
      path: '/accounts/:accountId/sessions',
      idempotent: true,
      params: AccountParams,
      response: Type.Object({ items: Type.Array(SessionInfo) }),
    },
    /** 404 where the account has no such living session. */
    endSession: {
      op: 'sessions.end',
      method: 'DELETE',
      path: '/accounts/:accountId/sessions/:sessionId',
      idempotent: true,
      params: Type.Object({ accountId: Id, sessionId: Id }),
    },
    endOtherSessions: {
      op: 'sessions.endOthers',
      method: 'DELETE',
      path: '/accounts/:accountId/sessions',
      idempotent: true,
      params: AccountParams,
      query: Type.Object({ except: Type.Optional(Id) }),
    },
    listKeys: {
      op: 'keys.list',
      method: 'GET',
      path: '/accounts/:accountId/keys',
      idempotent: true,
      params: AccountParams,
      response: Type.Object({ items: Type.Array(ApiKey) }),
    },
    createKey: {
      op: 'keys.create',
      method: 'POST',
      path: '/accounts/:accountId/keys',
      idempotent: false,
      params: AccountParams,
      body: Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100 }),
          access: ApiKey.properties.access,
          expiresAt: NullableTime,
          idempotency: Type.Optional(Idempotency),
        },
        { additionalProperties: false },
      ),
      response: NewApiKey,
    },
    /**
     * Another pair from elsewhere for an account that has none of this door any more, or has the one given (then nothing changes); the
     * password stands for the session that such a door has not got yet. 409 `key_taken` where any other account has the id.
     */
    importKey: {
      op: 'keys.import',
      method: 'POST',
      path: '/keys/import',
      idempotent: true,
      body: Type.Object(
        {
          login: Type.String({ minLength: 1, maxLength: 254 }),
          password: Password,
          door: Door,
          id: Type.String({ minLength: 1, maxLength: 128 }),
          secret: Type.String({ minLength: 1, maxLength: 256 }),
          address: Type.String(),
        },
        { additionalProperties: false },
      ),
      response: ApiKey,
    },
    /** The secret of an imported key, for signing in its holder's name. 404 where the account has no such key. */
    getImportedKey: {
      op: 'keys.getImported',
      method: 'GET',
      path: '/accounts/:accountId/imported-keys/:door',
      idempotent: true,
      params: Type.Object({ accountId: Id, door: Door }),
      response: Type.Object({ id: Type.String(), secret: Type.String() }),
    },
    deleteKey: {
      op: 'keys.delete',
      method: 'DELETE',
      path: '/accounts/:accountId/keys/:keyId',
      idempotent: true,
      params: Type.Object({ accountId: Id, keyId: Type.String({ maxLength: 128 }) }),
    },
    /** Key id and secret to a principal; 401 `invalid_token` for unknown, expired or wrong, 403 `account_suspended`. */
    verifyKey: {
      op: 'keys.verify',
      method: 'POST',
      path: '/keys/verify',
      idempotent: true,
      body: Type.Object(
        { keyId: Type.String({ maxLength: 128 }), secret: Type.String({ maxLength: 256 }) },
        { additionalProperties: false },
      ),
      response: Type.Object({ principal: Principal, expiresAt: NullableTime }),
    },
    /** The public keys (RFC 7517, EdDSA/Ed25519) that access tokens are verified with. Claims: iss `coffer`, sub account id, sid, role, iat, exp. */
    getKeySet: {
      op: 'keyset.get',
      method: 'GET',
      path: '/keyset',
      idempotent: true,
      response: Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) }),
    },
    /** What was revoked so lately that access tokens of it may be left: read by a gateway when it starts or was away from the bus. */
    listRevocations: {
      op: 'revocations.list',
      method: 'GET',
      path: '/revocations',
      idempotent: true,
      response: Type.Object({ items: Type.Array(Revocation) }),
    },
  },
});
