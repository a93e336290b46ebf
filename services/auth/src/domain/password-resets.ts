import { appError, newId } from '@coffer/service-kit';
import type { AccountRecord, Credentials, PasswordResetRecord, RequestContext } from './model.ts';
import { emailProblem, foldName } from './names.ts';
import { checkNewPassword } from './passwords.ts';
import type { AccountStore, Events, LoginLimits, PasswordResetStore, Passwords, ResetLimits } from './ports.ts';
import type { ResetTokens } from './reset-token.ts';
import type { Sessions } from './sessions.ts';

export interface PasswordResetsPorts {
  accounts: Pick<AccountStore, 'credentials' | 'setPassword'>;
  resets: PasswordResetStore;
  tokens: ResetTokens;
  passwords: Passwords;
  limits: Pick<LoginLimits, 'forgive'>;
  resetLimits: ResetLimits;
  sessions: Pick<Sessions, 'endOthers'>;
  /** Of the outboxes of accounts and of resets. */
  events: { accounts: Events; resets: Events };
}

const lifeMs = 60 * 60 * 1000;

export type PasswordResets = ReturnType<typeof createPasswordResets>;

/**
 * Setting a new password by a link in a mail. The reset only remembers what the account was like; that the account still is so is the condition
 * of the one update that sets the password, which makes it work once and not after the password or the e-mail address has changed.
 */
export function createPasswordResets(ports: PasswordResetsPorts) {
  const { accounts, resets, tokens, passwords, sessions, events } = ports;

  /**
   * Always answers alike, and does the same work whether or not the address is an account's: one look, one write. Beyond its limits it does not
   * send anything, without saying so. 400 `invalid_body` on what cannot be an e-mail address.
   */
  async function request(input: { email: string; address: string }, o: RequestContext = {}): Promise<void> {
    const problem = emailProblem(input.email);
    if (problem)
      throw appError('invalid_body', `The e-mail address ${problem}`, {
        errors: [{ path: '/email', message: problem }],
      });
    if (!(await ports.resetLimits.fromAddress(input.address))) return;
    const emailKey = foldName(input.email);
    const allowed = await ports.resetLimits.forEmail(emailKey);
    const account = await accounts.credentials({ field: 'emailKey', key: emailKey });
    const id = newId();
    const at = new Date();
    if (!allowed || !account || account.suspended) {
      await resets.insert(undefined, [], { id, at });
      return;
    }
    await order({ id, at, accountId: account.id, credentialRev: account.credentialRev, emailKey }, o);
  }

  /** From here on the reset is good, and its mail is on its way. */
  async function order(
    { at, ...reset }: Omit<PasswordResetRecord, 'expiresAt'> & { at: Date },
    o: RequestContext = {},
  ): Promise<void> {
    const { id, accountId } = reset;
    const requested = [events.resets.makeEvent('passwordResetRequested', { accountId, resetId: id }, o.traceparent)];
    await resets.insert({ ...reset, expiresAt: new Date(at.getTime() + lifeMs) }, requested, { id, at });
    events.resets.announce(id, requested);
  }

  /** Undefined where it expired, or was used or overtaken by another change. */
  async function living(resetId: string): Promise<{ reset: PasswordResetRecord; account: Credentials } | undefined> {
    const reset = await resets.get(resetId);
    if (!reset || reset.expiresAt <= new Date()) return undefined;
    const account = await accounts.credentials({ field: '_id', key: reset.accountId });
    if (account?.credentialRev !== reset.credentialRev || account.emailKey !== reset.emailKey) return undefined;
    return { reset, account };
  }

  /** What the mail holds. 404 `not_found`. */
  async function get(resetId: string): Promise<{ account: AccountRecord; token: string; expiresAt: Date }> {
    const found = await living(resetId);
    if (!found) throw appError('not_found', 'There is no such request for a new password');
    return { account: found.account, token: tokens.make(resetId), expiresAt: found.reset.expiresAt };
  }

  /** 401 `invalid_token`, 400 `weak_password`. */
  async function use(
    input: { token: string; newPassword: string; anyPassword?: boolean | undefined },
    o: RequestContext = {},
  ): Promise<{ accountId: string }> {
    const resetId = tokens.read(input.token);
    const found = resetId === undefined ? undefined : await living(resetId);
    if (!found) throw appError('invalid_token');
    const {
      reset: { id, credentialRev, emailKey },
      account: { id: accountId, username, email },
    } = found;
    checkNewPassword(input.newPassword, '/newPassword', [username, email], input.anyPassword);
    const passwordHash = await passwords.hash(input.newPassword, o.signal);

    // The order of a change of the password, for its reasons.
    await sessions.endOthers(accountId, undefined, o);
    const queued = [events.accounts.makeEvent('passwordReset', { accountId, resetId: id }, o.traceparent)];
    const at = new Date();
    if (!(await accounts.setPassword(accountId, { credentialRev, emailKey, passwordHash, at, events: queued })))
      throw appError('invalid_token');
    events.accounts.announce(accountId, queued);
    await sessions.endOthers(accountId, undefined, o);
    // Whoever guessed at the old password must not keep the owner out of the new one.
    await ports.limits.forgive({ account: accountId });
    return { accountId };
  }

  return { request, order, get, use };
}
