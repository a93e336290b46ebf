import type { EventEnvelope, Session } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import type {
  AccessTokens,
  AccountStore,
  Credentials,
  Events,
  LoginLimits,
  Passwords,
  RequestContext,
  SessionRecord,
  SessionStore,
} from './model.ts';
import { loginKey } from './names.ts';
import {
  formatRefreshToken,
  hashSecret,
  newRefreshToken,
  parseRefreshToken,
  type RefreshToken,
  sameSecret,
} from './refresh-token.ts';

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

interface Client {
  address: string;
  userAgent: string;
}

/** What its owner gets, and whose it is. */
export interface OpenSession {
  accountId: string;
  session: Session;
}

const endBatch = 500;
const raced = 'This refresh token is being used by another request; go on with the answer of that one';

export type Sessions = ReturnType<typeof createSessions>;

/** The rules of sessions: beginning, renewing and ending them. */
export function createSessions(ports: SessionsPorts) {
  const { accounts, sessions, tokens, events } = ports;

  function revokedEvent(sessionId: string, at: Date, o: RequestContext): EventEnvelope {
    const items = [{ kind: 'session' as const, id: sessionId, at: at.toISOString() }];
    return events.makeEvent('revoked', { items }, o.traceparent);
  }

  async function answer(account: Credentials, token: RefreshToken, issuedAt: Date): Promise<OpenSession> {
    const { accountId, role } = account;
    const access = await tokens.issue({ accountId, sessionId: token.sessionId, role, issuedAt });
    const session: Session = {
      sessionId: token.sessionId,
      accessToken: access.token,
      tokenType: 'Bearer',
      expiresAt: access.expiresAt.toISOString(),
      refreshToken: formatRefreshToken(token),
    };
    return { accountId, session };
  }

  /** False if the session was not living. */
  async function end(sessionId: string, accountId: string | undefined, o: RequestContext): Promise<boolean> {
    const at = new Date();
    const revoked = [revokedEvent(sessionId, at, o)];
    const ended = await sessions.end(sessionId, { ...(accountId && { accountId }), at, events: revoked });
    if (ended) events.announce(sessionId, revoked);
    return ended;
  }

  /** 401 `invalid_credentials` for an unknown login and a wrong password alike, after the same work; 429 `rate_limited`; 403 `account_suspended`. */
  async function begin(
    input: Client & { login: string; password: string },
    o: RequestContext = {},
  ): Promise<OpenSession> {
    const by = loginKey(input.login);
    const account = await accounts.credentials(by);
    const right = await attemptPassword(ports, {
      // Both names of one account count as one.
      attempt: { account: account?.accountId ?? `${by.field}:${by.key}`, address: input.address },
      hash: account?.passwordHash,
      password: input.password,
      signal: o.signal,
    });
    if (!account || !right) throw appError('invalid_credentials');
    if (account.suspended) throw appError('account_suspended');

    const now = new Date();
    const token = newRefreshToken(newId());
    await sessions.insert({
      id: token.sessionId,
      accountId: account.accountId,
      familyHash: hashSecret(token.family),
      secretHash: hashSecret(token.secret),
      credentialRev: account.credentialRev,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: new Date(now.getTime() + ports.sessionLifeMs),
      address: input.address,
      userAgent: input.userAgent,
    });
    // The password may have changed while this one was being checked, and that change cannot have seen the session made here.
    const after = await accounts.credentials({ field: '_id', key: account.accountId });
    if (after?.credentialRev === account.credentialRev && !after.suspended) return await answer(after, token, now);
    await end(token.sessionId, account.accountId, o);
    throw appError(after?.suspended ? 'account_suspended' : 'invalid_credentials');
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
    const session = await sessions.get(presented.sessionId);
    if (!session || !sameSecret(session.familyHash, hashSecret(presented.family))) throw appError('invalid_token');
    if (session.endedAt || session.expiresAt <= now) throw appError('session_ended');
    const from = hashSecret(presented.secret);
    if (!sameSecret(session.secretHash, from)) {
      if (together) throw appError('busy', raced);
      await end(session.id, undefined, o);
      throw appError('refresh_reused');
    }

    const account = await accounts.credentials({ field: '_id', key: session.accountId });
    if (!account || isStale(session, account)) {
      await end(session.id, undefined, o);
      throw appError('session_ended');
    }
    if (account.suspended) throw appError('account_suspended');
    // The last moment at which turning back costs nothing: from here on the old token is spent.
    o.signal?.throwIfAborted();
    const next = newRefreshToken(session.id, presented.family);
    const rotated = await sessions.rotate(session.id, {
      from,
      to: hashSecret(next.secret),
      at: now,
      expiresAt: new Date(now.getTime() + ports.sessionLifeMs),
      address: client.address,
      userAgent: client.userAgent,
    });
    if (rotated) return await answer(account, next, now);
    const current = await sessions.get(session.id);
    throw !current || current.endedAt ? appError('session_ended') : appError('busy', raced);
  }

  /** 404 `not_found` where the account has no such living session. */
  async function endOne(accountId: string, sessionId: string, o: RequestContext = {}): Promise<void> {
    if (!(await end(sessionId, accountId, o))) throw appError('not_found', 'There is no such session');
  }

  async function endOthers(accountId: string, except: string | undefined, o: RequestContext = {}): Promise<void> {
    for (;;) {
      const at = new Date();
      const ids = await sessions.livingIds(accountId, { except, now: at, limit: endBatch });
      const entries = ids.map((sessionId) => ({ sessionId, events: [revokedEvent(sessionId, at, o)] }));
      if (entries.length > 0) await sessions.endEach(entries, at);
      for (const entry of entries) events.announce(entry.sessionId, entry.events);
      if (ids.length < endBatch) return;
    }
  }

  async function list(accountId: string): Promise<SessionRecord[]> {
    return await sessions.list(accountId, new Date());
  }

  return { begin, refresh, endOne, endOthers, list };
}

/** A session that began with a password that is no longer the account's, and is not the one that changed it. */
function isStale(session: SessionRecord, account: Credentials): boolean {
  return session.credentialRev !== account.credentialRev && session.id !== account.keptSessionId;
}
