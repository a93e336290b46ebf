import { appError } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import type { Credentials, RequestContext, SessionRecord } from './model.ts';
import { loginKey } from './names.ts';
import type { AccountStore, LoginLimits, Passwords } from './ports.ts';

export type LogIn = ReturnType<typeof createLogIn>;

/** Who enters by login and password, and whether they still may a moment later. */
export function createLogIn(ports: {
  accounts: Pick<AccountStore, 'credentials'>;
  passwords: Passwords;
  limits: LoginLimits;
}) {
  const { accounts } = ports;

  /** 401 `invalid_credentials` for an unknown login and a wrong password alike, after the same work; 429 `rate_limited`; 403 `account_suspended`. */
  async function admit(
    input: { login: string; password: string; address: string },
    o: RequestContext,
  ): Promise<Credentials> {
    const by = loginKey(input.login);
    const account = await accounts.credentials(by);
    const right = await attemptPassword(ports, {
      // Both names of one account count as one.
      attempt: { account: account?.id ?? `${by.field}:${by.key}`, address: input.address },
      hash: account?.passwordHash,
      password: input.password,
      signal: o.signal,
    });
    if (!account || !right) throw appError('invalid_credentials');
    if (account.suspended) throw appError('account_suspended');
    return account;
  }

  /**
   * The account again, once its new session is written, or why that session must end. The password may have changed while it was being
   * checked, and that change cannot have seen a session made afterwards.
   */
  async function confirm(account: Credentials): Promise<Credentials | 'account_suspended' | 'invalid_credentials'> {
    const now = await accounts.credentials({ field: '_id', key: account.id });
    if (now?.credentialRev === account.credentialRev && !now.suspended) return now;
    return now?.suspended ? 'account_suspended' : 'invalid_credentials';
  }

  /** The account that a session speaks for; undefined where the session is of an older password, or the account is gone. 403 `account_suspended`. */
  async function holder(session: SessionRecord): Promise<Credentials | undefined> {
    const account = await accounts.credentials({ field: '_id', key: session.accountId });
    if (!account || isStale(session, account)) return undefined;
    if (account.suspended) throw appError('account_suspended');
    return account;
  }

  return { admit, confirm, holder };
}

/** A session that began with a password that is no longer the account's, and is not the one that changed it. */
function isStale(session: SessionRecord, account: Credentials): boolean {
  return session.credentialRev !== account.credentialRev && session.id !== account.keptSessionId;
}
