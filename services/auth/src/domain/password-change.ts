import { appError } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import type { RequestContext } from './model.ts';
import { checkNewPassword } from './passwords.ts';
import type { AccountStore, LoginLimits, Passwords } from './ports.ts';
import type { Sessions } from './sessions.ts';

export interface PasswordChangePorts {
  accounts: Pick<AccountStore, 'credentials' | 'setPassword'>;
  passwords: Passwords;
  limits: LoginLimits;
  sessions: Pick<Sessions, 'endOthers'>;
}

export type ChangePassword = ReturnType<typeof createPasswordChange>;

/** Changing the password, by who knows the one before. */
export function createPasswordChange(ports: PasswordChangePorts) {
  const { accounts, passwords, sessions } = ports;

  /** 401 `invalid_credentials` on a wrong current password, 429 after too many of them, 409 `busy` if another change came first. */
  return async function changePassword(
    accountId: string,
    input: {
      currentPassword: string;
      newPassword: string;
      keepSessionId?: string | undefined;
      address?: string | undefined;
    },
    o: RequestContext = {},
  ): Promise<void> {
    const current = await accounts.credentials({ field: '_id', key: accountId });
    if (!current) throw appError('not_found', 'There is no such account');
    checkNewPassword(input.newPassword, '/newPassword', [current.username, current.email]);
    const right = await attemptPassword(ports, {
      attempt: { account: accountId, address: input.address },
      hash: current.passwordHash,
      password: input.currentPassword,
      signal: o.signal,
    });
    if (!right) throw appError('invalid_credentials', 'The current password is wrong');
    const passwordHash = await passwords.hash(input.newPassword, o.signal);

    // Sessions end before the password changes: a crash in between costs a new log-in, while the other order could leave a thief's session
    // alive. The second pass ends those that began meanwhile with the old password; `credentialRev` keeps out whatever both passes miss.
    await sessions.endOthers(accountId, input.keepSessionId, o);
    const changed = await accounts.setPassword(accountId, {
      credentialRev: current.credentialRev,
      passwordHash,
      keptSessionId: input.keepSessionId,
      at: new Date(),
    });
    if (!changed) throw appError('busy', 'The password was changed by another request');
    await sessions.endOthers(accountId, input.keepSessionId, o);
  };
}
