import type { Money } from '@coffer/contracts';
import { amountShown, sizeShown } from './amounts.ts';
import { base, compose, day, type Mail, moment, type Paragraph, shown } from './compose.ts';

/** What a payment bought, as its mails tell it. */
export interface PaymentFacts {
  readonly username: string;
  readonly paymentId: string;
  /** What the provider knows it by. */
  readonly reference: string;
  readonly planName: string;
  /** What the person paid. */
  readonly charged: Money;
  /** What the unused days of a plan before paid besides. */
  readonly creditMinor: number;
  readonly isSandbox: boolean;
  readonly publicUrl: string;
}

const SANDBOX_NOTE: Paragraph = 'This was done in the sandbox: no money moved.';
const sandboxNote = (isSandbox: boolean): Paragraph[] => (isSandbox ? [SANDBOX_NOTE] : []);
const creditNote = ({ creditMinor, charged }: PaymentFacts): Paragraph[] => {
  if (creditMinor === 0) return [];
  const credit = amountShown({ ...charged, amountMinor: creditMinor });
  return [`The unused days of your plan before paid ${credit} besides.`];
};
const receiptLink = (o: PaymentFacts): Paragraph => ({ link: `${base(o.publicUrl)}/payments/${o.paymentId}` });
const plansLink = (publicUrl: string): Paragraph => ({ link: `${base(publicUrl)}/pay` });

export function receiptMail(o: PaymentFacts & { paidAt: Date; periodStart: Date; periodEnd: Date }): Mail {
  const plan = shown(o.planName);
  return compose(`Receipt: ${plan}, ${amountShown(o.charged)}`, [
    `Hello ${shown(o.username)},`,
    `your payment of ${amountShown(o.charged)} was received at ${moment(o.paidAt)}. It buys the plan “${plan}” from ${day(o.periodStart)} to ${day(o.periodEnd)}.`,
    ...creditNote(o),
    `Reference: ${shown(o.reference)}`,
    ...sandboxNote(o.isSandbox),
    'The receipt, to keep or to print:',
    receiptLink(o),
  ]);
}

export function refundMail(o: PaymentFacts & { at: Date }): Mail {
  const plan = shown(o.planName);
  return compose(`Paid back: ${plan}, ${amountShown(o.charged)}`, [
    `Hello ${shown(o.username)},`,
    `your payment of ${amountShown(o.charged)} for the plan “${plan}” was taken back at ${moment(o.at)}, and with it the space that it bought. Nothing of yours is deleted; while more is stored than your limit allows, nothing new can be uploaded.`,
    `Reference: ${shown(o.reference)}`,
    ...sandboxNote(o.isSandbox),
    receiptLink(o),
  ]);
}

/** Some days before a period ends (`days`), or when it has ended (0). `limitBytes`: what is left then; undefined where it is not known. */
export function subscriptionEndingMail(o: {
  username: string;
  planName: string;
  periodEnd: Date;
  days: number;
  limitBytes: number | undefined;
  isSandbox: boolean;
  publicUrl: string;
}): Mail {
  const plan = shown(o.planName);
  const limit = o.limitBytes === undefined ? 'its former limit' : sizeShown(o.limitBytes);
  const after = `Nothing of yours is deleted; while more is stored than that, nothing new can be uploaded.`;
  const note: Paragraph[] = o.isSandbox ? ['Payments run in a sandbox here: no money moves.'] : [];
  if (o.days === 0) {
    return compose(`Your plan “${plan}” has ended`, [
      `Hello ${shown(o.username)},`,
      `your plan “${plan}” ended at ${moment(o.periodEnd)}. Your account is back to ${limit}. ${after}`,
      'To have the space again:',
      plansLink(o.publicUrl),
      ...note,
    ]);
  }
  const when = o.days === 1 ? 'tomorrow' : `in ${o.days} days`;
  return compose(`Your plan “${plan}” ends ${when}`, [
    `Hello ${shown(o.username)},`,
    `your plan “${plan}” ends at ${moment(o.periodEnd)}. Your account then goes back to ${limit}. ${after}`,
    'To keep the space, pay for another period; it begins where this one ends:',
    plansLink(o.publicUrl),
    ...note,
  ]);
}

export function spaceRunningOutMail(o: {
  username: string;
  usedBytes: number;
  limitBytes: number;
  publicUrl: string;
}): Mail {
  const percent = o.limitBytes === 0 ? 100 : Math.floor((o.usedBytes / o.limitBytes) * 100);
  return compose(`${percent} % of your space is used`, [
    `Hello ${shown(o.username)},`,
    `you use ${sizeShown(o.usedBytes)} of ${sizeShown(o.limitBytes)}. Once all of it is used, nothing new can be uploaded; what is stored stays. The trash and former versions of files count as well.`,
    'More space:',
    plansLink(o.publicUrl),
  ]);
}
