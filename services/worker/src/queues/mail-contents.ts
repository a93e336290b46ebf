import {
  type Account,
  authContract,
  metadataContract,
  type NodeRecord,
  type Payment,
  type Plan,
  paymentContract,
  type ResponseOf,
  type Subscription,
  type Usage,
} from '@coffer/contracts';
import { type CallOptions, createClient, isAppError, type ServiceContext } from '@coffer/service-kit';
import type { Mail } from '../domain/compose.ts';
import { passwordChangedMail, passwordResetMail, sharedMail } from '../domain/mails.ts';
import type { MailJob } from './mail.ts';
import { moneyContentsOf } from './money-contents.ts';

type PasswordReset = ResponseOf<(typeof authContract)['endpoints']['getPasswordReset']>;

/** What mails are made of, asked for when they are written. Undefined or null: there is no such thing, or no longer. */
export interface MailFacts {
  passwordReset(resetId: string, call: CallOptions): Promise<PasswordReset | undefined>;
  /** In the order of asking. */
  accounts(ids: readonly string[], call: CallOptions): Promise<readonly (Account | null)[]>;
  /** As that account sees it. */
  node(nodeId: string, accountId: string, call: CallOptions): Promise<NodeRecord | undefined>;
  payment(paymentId: string, accountId: string, call: CallOptions): Promise<Payment | undefined>;
  subscription(accountId: string, call: CallOptions): Promise<Subscription | undefined>;
  plans(call: CallOptions): Promise<{ readonly items: readonly Plan[]; readonly isSandbox: boolean }>;
  usage(accountId: string, call: CallOptions): Promise<Usage | undefined>;
}

/** From the services that keep it; while they are away the questions reject, and the job comes again. */
export function askServices(ctx: ServiceContext): MailFacts {
  const auth = createClient(ctx, authContract);
  const metadata = createClient(ctx, metadataContract);
  const payment = createClient(ctx, paymentContract);
  return {
    passwordReset: (resetId, call) =>
      orGone(auth.call('getPasswordReset', { params: { resetId } }, call), ['not_found']),
    accounts: async (ids, call) => (await auth.call('lookUpAccounts', { body: { logins: [...ids] } }, call)).accounts,
    node: (id, accountId, call) =>
      orGone(metadata.call('resolve', { body: { ref: { id } } }, by(accountId, call)), ['not_found', 'forbidden']),
    payment: (paymentId, accountId, call) =>
      orGone(payment.call('getPayment', { params: { paymentId } }, by(accountId, call)), ['not_found']),
    subscription: (accountId, call) =>
      orGone(payment.call('getSubscription', { params: { accountId } }, by(accountId, call)), ['not_found']),
    plans: (call) => payment.call('listPlans', {}, call),
    usage: (accountId, call) =>
      orGone(metadata.call('getUsage', { params: { accountId } }, by(accountId, call)), ['not_found']),
  };
}

/** On behalf of the account that gets the mail: it tells nothing that they could not see themselves. */
function by(accountId: string, call: CallOptions): CallOptions {
  return { ...call, principal: { accountId, role: 'user', readOnly: true } };
}

async function orGone<T>(asking: Promise<T>, codes: readonly ('not_found' | 'forbidden')[]): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (codes.some((code) => isAppError(error, code))) return undefined;
    throw error;
  }
}

/** Or why there is no mail. `obsolete`: by now there is nothing to tell. `no-address`: the account has none. */
export type Contents = { readonly address: string; readonly mail: Mail } | 'obsolete' | 'no-address';

/** What is to be told, and where to, as things are now. */
export async function contentsOf(
  data: MailJob,
  facts: MailFacts,
  publicUrl: string,
  call: CallOptions,
): Promise<Contents> {
  if (data.kind === 'password-reset') {
    const reset = await facts.passwordReset(data.resetId, call);
    if (reset === undefined) return 'obsolete';
    const { account, token } = reset;
    if (account.email === null) return 'no-address';
    const expiresAt = new Date(reset.expiresAt);
    return {
      address: account.email,
      mail: passwordResetMail({ username: account.username, publicUrl, token, expiresAt }),
    };
  }
  if (data.kind === 'password-changed') {
    const [account] = await facts.accounts([data.to], call);
    if (!account) return 'obsolete';
    if (account.email === null) return 'no-address';
    return {
      address: account.email,
      mail: passwordChangedMail({ username: account.username, at: new Date(data.at), publicUrl }),
    };
  }
  if (data.kind !== 'shared') return await moneyContentsOf(data, facts, publicUrl, call);
  const [account, giver] = await facts.accounts([data.to, data.by], call);
  if (!account || !giver || account.suspended) return 'obsolete';
  if (account.email === null) return 'no-address';
  // Seen with the recipient's eyes: what is no longer theirs to see is not told.
  const node = await facts.node(data.nodeId, account.id, call);
  if (node === undefined || node.trashedAt !== null) return 'obsolete';
  const { username } = account;
  const { name, kind, role, id: nodeId } = node;
  return {
    address: account.email,
    mail: sharedMail({ username, by: giver.username, name, kind, role, nodeId, publicUrl }),
  };
}
