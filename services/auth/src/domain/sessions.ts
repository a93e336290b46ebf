import type { Session } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { createLogIn } from './log-in.ts';
import type { Client, Credentials, RequestContext, SessionRecord } from './model.ts';
import type { AccessTokens, AccountStore, Events, LoginLimits, Passwords, SessionStore } from './ports.ts';
import {
  formatRefreshToken,
  hashSecret,
  newRefreshToken,
  parseRefreshToken,
  type RefreshToken,
  sameSecret,
} from './refresh-token.ts';
import { createSessionEnding } from './session-ending.ts';
import { needsTouch } from './session-use.ts';

export interface SessionsPorts {
  accounts: Pick<AccountStore, 'credentials'>;
  sessions: SessionStore;
  passwords: Passwords;
  limits: LoginLimits;
  tokens: AccessTokens;
  events: Events;
  /** A session that is not refreshed for so long ends. */
  sessionLifeMs: number;
}

/** What its owner gets, and whose it is. */
export interface OpenSession {
  accountId: string;
  session: Session;
}

const raced = 'This refresh token is being used by another request; go on with the answer of that one';

export type Sessions = ReturnType<typeof createSessions>;

/** The rules of sessions: beginning, renewing and ending them. */
export function createSessions(ports: SessionsPorts) {
  const { sessions, tokens } = ports;

  const logIn = createLogIn(ports);
  const { end, endOne, endOthers } = createSessionEnding(ports);
  const expiry = (at: Date): Date => new Date(at.getTime() + ports.sessionLifeMs);

  async function issue(account: Credentials, session: SessionRecord, issuedAt: Date) {
    const { id: sessionId, accessTokenSeconds: lifeSeconds } = session;
    return await tokens.issue({ accountId: account.id, sessionId, role: account.role, issuedAt, lifeSeconds });
  }

  async function answer(
    account: Credentials,
    record: SessionRecord,
    token: RefreshToken,
    issuedAt: Date,
  ): Promise<OpenSession> {
    const access = await issue(account, record, issuedAt);
    const session: Session = {
      sessionId: token.sessionId,
      accessToken: access.token,
      tokenType: 'Bearer',
      expiresAt: access.expiresAt.toISOString(),
      refreshToken: formatRefreshToken(token),
    };
    return { accountId: account.id, session };
  }

  /** 401 `invalid_credentials`, 429 `rate_limited`, 403 `account_suspended`. */
  async function begin(
    input: Client & {
      login: string;
      password: string;
      accessTokenSeconds?: number | undefined;
      fixedRefreshToken?: boolean | undefined;
    },
    o: RequestContext = {},
  ): Promise<OpenSession> {
    const account = await logIn.admit(input, o);
    const now = new Date();
    const token = newRefreshToken(newId());
    const session: SessionRecord = {
      id: token.sessionId,
      accountId: account.id,
      familyHash: hashSecret(token.family),
      secretHash: hashSecret(token.secret),
      credentialRev: account.credentialRev,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: expiry(now),
      address: input.address,
      userAgent: input.userAgent,
      ...(input.accessTokenSeconds !== undefined && { accessTokenSeconds: input.accessTokenSeconds }),
      ...(input.fixedRefreshToken && { fixed: true }),
    };
    await sessions.insert(session);
    const after = await logIn.confirm(account);
    if (typeof after !== 'string') return await answer(after, session, token, now);
    await end(token.sessionId, account.id, o);
    throw appError(after);
  }

  const refreshing = new Map<string, number>();

  /**
   * One use per token. A spent one ends the session, at whatever time it comes: a period of grace could not tell the client that lost an answer
   * from the thief (RFC 9700 4.14.2), and losing an answer costs no more than a new log-in. Only requests that are under way together
   * (two tabs that wake up at once) are no reuse, since nobody can have seen an answer yet: one of them wins, the others get 409 `busy` and the
   * session lives. That is known for certain within one instance; across instances, for requests that began before the winner wrote.
   * 401 `invalid_token`, `session_ended`, `refresh_reused`; 403 `account_suspended`.
   */
  async function refresh(input: Client & { refreshToken: string }, o: RequestContext = {}): Promise<OpenSession> {
    const presented = parseRefreshToken(input.refreshToken);
    if (!presented) throw appError('invalid_token');
    const { sessionId } = presented;
    const others = refreshing.get(sessionId) ?? 0;
    refreshing.set(sessionId, others + 1);
    try {
      return await rotate(presented, input, others > 0, o);
    } finally {
      const left = (refreshing.get(sessionId) ?? 1) - 1;
      if (left > 0) refreshing.set(sessionId, left);
      else refreshing.delete(sessionId);
    }
  }

  async function rotate(
    presented: RefreshToken,
    client: Client,
    together: boolean,
    o: RequestContext,
  ): Promise<OpenSession> {
    const now = new Date();
    const { session, isCurrent } = await holding(presented, now);
    if (session.fixed) throw appError('invalid_token', 'This refresh token is for another use');
    if (!isCurrent) {
      if (together) throw appError('busy', raced);
      await end(session.id, undefined, o);
      throw appError('refresh_reused');
    }
    const account = await holderOrEnd(session, o);
    // The last moment at which turning back costs nothing: from here on the old token is spent.
    o.signal?.throwIfAborted();
    const next = newRefreshToken(session.id, presented.family);
    const rotated = await sessions.rotate(session.id, {
      from: hashSecret(presented.secret),
      to: hashSecret(next.secret),
      at: now,
      expiresAt: expiry(now),
      address: client.address,
      userAgent: client.userAgent,
    });
    if (rotated) return await answer(account, session, next, now);
    const current = await sessions.get(session.id);
    throw !current || current.endedAt ? appError('session_ended') : appError('busy', raced);
  }

  /** The living session of a refresh token, and whether the token's secret is the good one. 401 `invalid_token`, `session_ended`. */
  async function holding(presented: RefreshToken, now: Date): Promise<{ session: SessionRecord; isCurrent: boolean }> {
    const session = await sessions.get(presented.sessionId);
    if (!session?.familyHash || !session.secretHash || !sameSecret(session.familyHash, hashSecret(presented.family)))
      throw appError('invalid_token');
    if (session.endedAt || session.expiresAt <= now) throw appError('session_ended');
    return { session, isCurrent: sameSecret(session.secretHash, hashSecret(presented.secret)) };
  }

  async function holderOrEnd(session: SessionRecord, o: RequestContext): Promise<Credentials> {
    const account = await logIn.holder(session);
    if (account) return account;
    await end(session.id, undefined, o);
    throw appError('session_ended');
  }

  /**
   * A new access token for a refresh token that stays as it is. A wrong secret ends nothing: there are no spent ones, so it can only be a
   * guess. 401 `invalid_token`, `session_ended`; 403 `account_suspended`.
   */
  async function renewAccess(
    input: Client & { refreshToken: string },
    o: RequestContext = {},
  ): Promise<{ accountId: string; access: { sessionId: string; accessToken: string; expiresAt: string } }> {
    const presented = parseRefreshToken(input.refreshToken);
    if (!presented) throw appError('invalid_token');
    const now = new Date();
    const { session, isCurrent } = await holding(presented, now);
    if (!session.fixed || !isCurrent) throw appError('invalid_token');
    const account = await holderOrEnd(session, o);
    const { address, userAgent } = input;
    if (
      needsTouch(session, now) &&
      !(await sessions.touch(session.id, { at: now, expiresAt: expiry(now), client: { address, userAgent } }))
    )
      throw appError('session_ended');
    const { token, expiresAt } = await issue(account, session, now);
    const access = { sessionId: session.id, accessToken: token, expiresAt: expiresAt.toISOString() };
    return { accountId: account.id, access };
  }

  async function list(accountId: string): Promise<SessionRecord[]> {
    return await sessions.list(accountId, new Date());
  }

  return { begin, refresh, renewAccess, endOne, endOthers, list };
}
