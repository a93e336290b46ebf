import { appError, newId } from '@coffer/service-kit';
import type { RequestContext } from './model.ts';
import type { PasswordResets } from './password-resets.ts';
import type { AccountStore, Events, KeyStore } from './ports.ts';
import type { Sessions } from './sessions.ts';

export interface AccountResetPorts {
  accounts: Pick<AccountStore, 'credentials' | 'shutOut'>;
  keys: Pick<KeyStore, 'list'>;
  events: Events;
  sessions: Pick<Sessions, 'endOthers'>;
  order: PasswordResets['order'];
}

export type ResetAccount = ReturnType<typeof createAccountReset>;

const maxTries = 5;

/** Ending whatever opens an account, by an operator. */
export function createAccountReset(ports: AccountResetPorts) {
  const { accounts, keys, events, sessions } = ports;

  /** The account as it was, without keys and living sessions from now on. */
  async function shutOut(accountId: string, o: RequestContext) {
    // A key or a password may come while the keys are being read: the write holds only while they are still those.
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const account = await accounts.credentials({ field: '_id', key: accountId });
      const held = await keys.list(accountId);
      if (!account || !held) throw appError('not_found', 'There is no such account');
      const at = new Date();
      const keyIds = held.map(({ id }) => id);
      const items = keyIds.map((id) => ({ kind: 'key' as const, id, at: at.toISOString() }));
      const queued = items.length > 0 ? [events.makeEvent('revoked', { items }, o.traceparent)] : [];
      const { credentialRev } = account;
      if (!(await accounts.shutOut(accountId, { credentialRev, keyIds, at, events: queued }))) continue;
      events.announce(accountId, queued);
      return account;
    }
    throw appError('busy', 'The account is being changed by other requests');
  }

  /**
   * All sessions and keys end, links for a new password that were sent before work no more, and a new one is sent where there is an address.
   * The password stays good until another is set by that link: an account whose mail is lost must not be lost with it. To keep somebody out who
   * knows the password, the account is suspended. 404 `not_found`, 409 `busy`.
   */
  return async function resetAccount(accountId: string, o: RequestContext = {}): Promise<{ mailed: boolean }> {
    const { emailKey, credentialRev } = await shutOut(accountId, o);
    // Sessions of before are dead already where they look for their account; this ends what their access tokens still open.
    await sessions.endOthers(accountId, undefined, o);
    if (emailKey === undefined) return { mailed: false };
    await ports.order({ id: newId(), at: new Date(), accountId, credentialRev: credentialRev + 1, emailKey }, o);
    return { mailed: true };
  };
}
