import { appError } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import type { RequestContext } from './model.ts';
import type { AccountStore, Events, LoginLimits, Passwords } from './ports.ts';
import type { Sessions } from './sessions.ts';

export interface DeletionPorts {
  accounts: Pick<AccountStore, 'credentials' | 'remove'>;
  passwords: Passwords;
  limits: LoginLimits;
  events: Events;
  sessions: Pick<Sessions, 'endOthers'>;
}

export type DeleteAccount = ReturnType<typeof createDeletion>;

/** Deleting an account for good, by who knows its password. */
export function createDeletion(ports: DeletionPorts) {
  const { accounts, events, sessions } = ports;

  /** 401 `invalid_credentials`, 429 `rate_limited`, 403 `forbidden` for operators, 404 `not_found`, 409 `busy` if another change came first. */
  return async function remove(
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

    const at = new Date();
    const queued = [
      events.makeEvent('accountDeleted', { accountId }, o.traceparent),
      events.makeEvent('revoked', { items: [{ kind: 'account', id: accountId, at: at.toISOString() }] }, o.traceparent),
    ];
    // The account goes first: from then on each of its sessions fails where it looks for its account, whether or not the second step
    // is reached. In the other order a crash would leave an account whose owner was told nothing, logged out everywhere.
    if (!(await accounts.remove(accountId, { credentialRev: account.credentialRev, at, events: queued })))
      throw appError('busy', 'The account was changed by another request');
    events.announce(accountId, queued);
    await sessions.endOthers(accountId, undefined, o);
  };
}
