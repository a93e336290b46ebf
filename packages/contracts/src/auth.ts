import Type, { type Static } from 'typebox';
import { Id, NullableTime, PageQuery, Principal, Role, Time } from './common.ts';
import { contract } from './endpoint.ts';

/** As given by the person; uniqueness is judged on the NFKC form, case folded. */
export const Username = Type.String({ minLength: 1, maxLength: 64 });
export const Email = Type.String({ minLength: 3, maxLength: 254 });
export const Password = Type.String({ minLength: 1, maxLength: 1024 });

export const Account = Type.Object({
  id: Id,
  username: Type.String(),
  email: Type.String(),
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
});
export type ApiKey = Static<typeof ApiKey>;
export const NewApiKey = Type.Object({ ...ApiKey.properties, /** Shown once. */ secret: Type.String() });

const AccountParams = Type.Object({ accountId: Id });
/** Idempotency of creates: the caller's key, scoped by whoever calls, and a digest of the request. */
export const Idempotency = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 255 }),
  fingerprint: Type.String({ maxLength: 64 }),
});

/** An ended session, revoked key or suspended account: its tokens must not be honoured. Kept for one access token's life. */
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
          email: Email,
          password: Password,
          address: Type.Optional(Type.String()),
          idempotency: Type.Optional(Idempotency),
        },
        { additionalProperties: false },
      ),
      response: Account,
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
          address: Type.String(),
          userAgent: Type.String({ maxLength: 512 }),
        },
        { additionalProperties: false },
      ),
      response: Session,
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
    deleteKey: {
      op: 'keys.delete',
      method: 'DELETE',
      path: '/accounts/:accountId/keys/:keyId',
      idempotent: true,
      params: Type.Object({ accountId: Id, keyId: Type.String({ maxLength: 64 }) }),
    },
    /** Key id and secret to a principal; 401 `invalid_token` for unknown, expired or wrong, 403 `account_suspended`. */
    verifyKey: {
      op: 'keys.verify',
      method: 'POST',
      path: '/keys/verify',
      idempotent: true,
      body: Type.Object(
        { keyId: Type.String({ maxLength: 64 }), secret: Type.String({ maxLength: 256 }) },
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
    /** What was revoked within the last access token's life: read by a gateway when it starts or was away from the bus. */
    listRevocations: {
      op: 'revocations.list',
      method: 'GET',
      path: '/revocations',
      idempotent: true,
      response: Type.Object({ items: Type.Array(Revocation) }),
    },
  },
});
