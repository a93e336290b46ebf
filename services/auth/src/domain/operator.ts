import { isAppError } from '@coffer/service-kit';
import type { Accounts } from './accounts.ts';
import { loginKey } from './names.ts';
import type { AccountStore } from './ports.ts';

export interface OperatorInput {
  username: string;
  email?: string | undefined;
  password: string;
}

/**
 * Makes the first operator account if no account has this name. An account that is there is left as it is: its password is its owner's by now,
 * and raising whoever registered the name first to operator would hand over the house. Instances may race: the name is unique.
 */
export async function ensureOperator(
  ports: { accounts: Pick<AccountStore, 'credentials'>; create: Accounts['create'] },
  input: OperatorInput,
): Promise<'made' | 'present' | 'not-an-operator'> {
  const by = loginKey(input.username);
  let existing = await ports.accounts.credentials(by);
  if (!existing) {
    const email = input.email ?? (by.field === 'emailKey' ? null : `${input.username}@localhost.localdomain`);
    try {
      await ports.create({ username: input.username, email, password: input.password, role: 'operator' });
      return 'made';
    } catch (error) {
      // A name with `@` is an e-mail address too, and either index may be the one that refuses it.
      const taken =
        isAppError(error, 'username_taken') || (by.field === 'emailKey' && isAppError(error, 'email_taken'));
      if (!taken) throw error;
      existing = await ports.accounts.credentials(by);
    }
  }
  return existing?.role === 'operator' ? 'present' : 'not-an-operator';
}
