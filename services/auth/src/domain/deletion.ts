import { appError } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import type { RequestContext } from './model.ts';
import type { AccountStore, Events, LoginLimits, Passwords } from './ports.ts';
import type { Sessions } from './sessions.ts';

export interface DeletionPorts {
  accounts: Pick<AccountStore, 'credentials' | 'remove' | 'wasRemoved'>;
  passwords: Passwords;
  limits: LoginLimits;
  events: Events;
  sessions: Pick<Sessions, 'endOthers'>;
}

export type Deletion = ReturnType<typeof createDeletion>;

/** Deleting an account for good. */
export function createDeletion(ports: DeletionPorts) {
  const { accounts, events, sessions } = ports;

  /** False if there is no such account any more, or its credentials are no longer those of `credentialRev`, where given. */
  async function remove(accountId: string, credentialRev: number | undefined, o: RequestContext): Promise<boolean> {
    const at = new Date();
    const queued = [
      events.makeEvent('accountDeleted', { accountId }, o.traceparent),
      events.makeEvent('revoked', { items: [{ kind: 'account', id: accountId, at: at.toISOString() }] }, o.traceparent),
    ];
    // The account goes first: from then on each of its sessions fails where it looks for its account, whether or not the second step
    // is reached. In the other order a crash would leave an account whose owner was told nothing, logged out everywhere.
    if (!(await accounts.remove(accountId, { credentialRev, at, events: queued }))) return false;
    events.announce(accountId, queued);
    await sessions.endOthers(accountId, undefined, o);
    return true;
  }

  /**
   * By who knows its password. 401 `invalid_credentials`, 429 `rate_limited`, 403 `forbidden` for operators, 404 `not_found`, 409 `busy` if
   * another change came first.
   */
  async function byOwner(
    accountId: string,
    input: { password: string; address?: string | undefined },
    o: RequestContext = {},
  ): Promise<void> {
    const account = await accounts.credentials({ field: '_id', key: accountId });
    if (!account) throw appError('not_found', 'There is no such account');
    if (account.role === 'operator') throw appError('forbidden', 'An operator cannot be deleted');
    const right = await attemptPassword(ports, {
      attempt: { account: accountId, address: input.address },
      hash: account.passwordHash,
      password: input.password,
      signal: o.signal,
    });
    if (!right) throw appError('invalid_credentials', 'The password is wrong');
    if (!(await remove(accountId, account.credentialRev, o)))
      throw appError('busy', 'The account was changed by another request');
  }

  /**
   * By an operator, whatever its password. 403 `forbidden` for operators, 404 `not_found`. For as long as the deleted account is known, doing
   * it again is no error: it does what a crash may have left undone.
   */
  async function byOperator(accountId: string, o: RequestContext = {}): Promise<void> {
    const account = await accounts.credentials({ field: '_id', key: accountId });
    if (account?.role === 'operator') throw appError('forbidden', 'An operator cannot be deleted');
    if (account && (await remove(accountId, undefined, o))) return;
    if (!(await accounts.wasRemoved(accountId))) throw appError('not_found', 'There is no such account');
    await sessions.endOthers(accountId, undefined, o);
  }

  return { byOwner, byOperator };
}
