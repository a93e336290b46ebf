import { randomBytes } from 'node:crypto';
import type { Door, Principal } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { createLogIn } from './log-in.ts';
import type { AccountRecord, Client, RequestContext } from './model.ts';
import type { AccountStore, Events, LoginLimits, Passwords, SessionStore } from './ports.ts';
import { hashSecret } from './refresh-token.ts';
import { createSessionEnding } from './session-ending.ts';
import { needsTouch } from './session-use.ts';

export interface SessionKeysPorts {
  accounts: Pick<AccountStore, 'credentials'>;
  sessions: SessionStore;
  passwords: Passwords;
  limits: LoginLimits;
  events: Events;
  /** A session that is not used for so long ends. */
  sessionLifeMs: number;
}

export interface KeyedSession {
  key: string;
  sessionId: string;
  reused: boolean;
  account: AccountRecord;
}

const keyBytes = 32;

export type SessionKeys = ReturnType<typeof createSessionKeys>;

/** The rules of sessions that one opaque key stands for: 256 random bits, stored hashed, and sealed for doors that ask for theirs again. */
export function createSessionKeys(ports: SessionKeysPorts) {
  const { sessions } = ports;
  const logIn = createLogIn(ports);
  const { end } = createSessionEnding(ports);
  const expiry = (at: Date): Date => new Date(at.getTime() + ports.sessionLifeMs);

  /**
   * With `reuse`, the door's newest living session of this account, which then counts as used; requests that meet may still make one each, of
   * which every key works. 401 `invalid_credentials`, 429 `rate_limited`, 403 `account_suspended`.
   */
  async function begin(
    input: Client & { login: string; password: string; door: Door; reuse?: boolean | undefined },
    o: RequestContext = {},
  ): Promise<KeyedSession> {
    const account = await logIn.admit(input, o);
    const now = new Date();
    if (input.reuse) {
      const newest = await sessions.newestOfDoor(account, input.door, now);
      // Touched whatever the hour: that it still could be is what shows that it has not ended meanwhile.
      if (newest && (await sessions.touch(newest.session.id, { at: now, expiresAt: expiry(now) })))
        return { key: newest.key, sessionId: newest.session.id, reused: true, account };
    }

    const sessionId = newId();
    const key = randomBytes(keyBytes).toString('base64url');
    await sessions.insert(
      {
        id: sessionId,
        accountId: account.id,
        door: input.door,
        keyHash: hashSecret(key),
        credentialRev: account.credentialRev,
        createdAt: now,
        lastUsedAt: now,
        expiresAt: expiry(now),
        address: input.address,
        userAgent: input.userAgent,
      },
      key,
    );
    const after = await logIn.confirm(account);
    if (typeof after !== 'string') return { key, sessionId, reused: false, account: after };
    await end(sessionId, account.id, o);
    throw appError(after);
  }

  /** 401 `invalid_token` for an unknown key and one of another door, `session_ended`; 403 `account_suspended`. */
  async function verify(
    { key, door }: { key: string; door: Door },
    o: RequestContext = {},
  ): Promise<{ principal: Principal; expiresAt: string }> {
    const now = new Date();
    const session = await sessions.findByKey(hashSecret(key));
    if (!session || session.door !== door) throw appError('invalid_token');
    if (session.endedAt || session.expiresAt <= now) throw appError('session_ended');
    const account = await logIn.holder(session);
    if (!account) {
      await end(session.id, undefined, o);
      throw appError('session_ended');
    }
    let { expiresAt } = session;
    if (needsTouch(session, now)) {
      expiresAt = expiry(now);
      if (!(await sessions.touch(session.id, { at: now, expiresAt }))) throw appError('session_ended');
    }
    return {
      principal: { accountId: account.id, role: account.role, sessionId: session.id, readOnly: false },
      expiresAt: expiresAt.toISOString(),
    };
  }

  return { begin, verify };
}
