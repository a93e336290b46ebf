import type { CallOptions } from '@coffer/service-kit';
import type { Mail } from '../domain/compose.ts';
import { receiptMail, refundMail, spaceRunningOutMail, subscriptionEndingMail } from '../domain/money-mails.ts';
import type { MailJob } from './mail.ts';
import type { Contents, MailFacts } from './mail-contents.ts';

export type MoneyMailJob = Exclude<MailJob, { kind: 'password-reset' | 'password-changed' | 'shared' }>;
type Ending = Extract<MailJob, { kind: 'subscription-ending' }>;
type Settled = Extract<MailJob, { kind: 'receipt' | 'refund' }>;

interface About {
  readonly facts: MailFacts;
  readonly username: string;
  readonly publicUrl: string;
  readonly call: CallOptions;
}

/** Mails about money and space. A suspended account gets them too: what was paid and what ends are its holder's to know. */
export async function moneyContentsOf(
  data: MoneyMailJob,
  facts: MailFacts,
  publicUrl: string,
  call: CallOptions,
): Promise<Contents> {
  const [account] = await facts.accounts([data.to], call);
  if (!account) return 'obsolete';
  if (account.email === null) return 'no-address';
  const mail = await mailOf(data, { facts, username: account.username, publicUrl, call });
  return mail === undefined ? 'obsolete' : { address: account.email, mail };
}

async function mailOf(data: MoneyMailJob, about: About): Promise<Mail | undefined> {
  if (data.kind === 'subscription-ending') return await endingMail(data, about);
  if (data.kind === 'receipt' || data.kind === 'refund') return await settledMail(data, about);
  const { facts, call, username, publicUrl } = about;
  const usage = await facts.usage(data.to, call);
  if (usage === undefined) return undefined;
  const { usedBytes, limitBytes } = usage;
  // Something was removed, or more was bought, before the mail was written.
  if (usedBytes * 100 < limitBytes * data.percent) return undefined;
  return spaceRunningOutMail({ username, usedBytes, limitBytes, publicUrl });
}

async function settledMail(data: Settled, { facts, call, username, publicUrl }: About): Promise<Mail | undefined> {
  const payment = await facts.payment(data.paymentId, data.to, call);
  if (payment === undefined) return undefined;
  const { id: paymentId, reference, planName, amountMinor, creditMinor, currency, provider, status } = payment;
  const common = {
    username,
    publicUrl,
    paymentId,
    reference,
    planName,
    charged: { amountMinor: Math.max(0, amountMinor - creditMinor), currency },
    creditMinor,
    isSandbox: provider === 'sandbox',
  };
  if (data.kind === 'refund') {
    return status === 'reversed' ? refundMail({ ...common, at: new Date(data.at) }) : undefined;
  }
  const { settledAt, periodStart, periodEnd } = payment;
  // Taken back before the receipt was written: the mail about that says it all.
  if (status !== 'success') return undefined;
  // Settled, and what it buys not yet given: this is told once it is.
  if (periodStart === null || periodEnd === null) throw new Error('the payment has no period yet');
  const paidAt = new Date(settledAt ?? data.at);
  return receiptMail({ ...common, paidAt, periodStart: new Date(periodStart), periodEnd: new Date(periodEnd) });
}

async function endingMail(data: Ending, { facts, call, username, publicUrl }: About): Promise<Mail | undefined> {
  const { planId, days } = data;
  const periodEnd = new Date(data.periodEnd);
  const subscription = await facts.subscription(data.to, call);
  if (subscription === undefined) return undefined;
  const end = subscription.periodEnd === null ? undefined : Date.parse(subscription.periodEnd);
  const isRunning = subscription.status !== 'none';
  // Renewed meanwhile, or changed for another plan: it does not end when the event says.
  if (isRunning && end !== periodEnd.getTime()) return undefined;
  // Who cancelled is not reminded, and what is over is told as over.
  if (days > 0 && (subscription.status !== 'active' || periodEnd.getTime() <= Date.now())) return undefined;
  const { items, isSandbox } = await facts.plans(call);
  const planName = items.find((plan) => plan.id === planId)?.name ?? planId;
  const limitBytes = items.find((plan) => plan.price === null)?.limitBytes;
  return subscriptionEndingMail({ username, planName, periodEnd, days, limitBytes, isSandbox, publicUrl });
}
