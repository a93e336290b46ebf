import type { Money, Payment, PaymentSource, PaymentStatus, Plan, ProviderName } from '@coffer/contracts';
import type { Static } from 'typebox';
import { dayMs } from './timeline.ts';

export type Source = Static<typeof PaymentSource>;
export type Step = 'apply' | 'book' | 'unapply' | 'unbook';

/** A payment as it is kept: the single truth of its money. Everything else is derived from it and can be made again. */
export interface PaymentRecord {
  readonly id: string;
  readonly accountId: string | null;
  readonly reference: string;
  readonly provider: ProviderName;
  /** As it was at checkout. */
  readonly plan: Plan;
  readonly money: Money;
  readonly creditMinor: number;
  /** Whose unused days the credit is for. */
  readonly creditPlanId: string | null;
  readonly status: PaymentStatus;
  readonly history: readonly { readonly status: PaymentStatus; readonly at: Date; readonly source: Source }[];
  readonly checkoutUrl: string | null;
  readonly createdAt: Date;
  readonly settledAt: Date | null;
  readonly periodStart: Date | null;
  readonly periodEnd: Date | null;
  /** What its status demands and is not known to be done yet, in order. */
  readonly work: readonly Step[];
  /** When the provider is asked next; absent: never again. */
  readonly checkAt?: Date;
}

/** What may become of a payment in each state. A late success is honoured: what was paid is given. */
const after: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  initiated: ['pending', 'success', 'failed', 'abandoned'],
  pending: ['success', 'failed', 'abandoned'],
  failed: ['success'],
  abandoned: ['success'],
  success: ['reversed'],
  reversed: [],
};

/** The states from which this one can be reached: the filter of the conditional update. */
export function statesBefore(status: PaymentStatus): PaymentStatus[] {
  return allStates.filter((from) => after[from].includes(status));
}
const allStates: readonly PaymentStatus[] = ['initiated', 'pending', 'success', 'failed', 'abandoned', 'reversed'];

export const isOpen = (status: PaymentStatus): boolean => status === 'initiated' || status === 'pending';

/** What a state demands to be done, in order; set in the update that enters it. */
export function workOf(status: PaymentStatus): readonly Step[] {
  if (status === 'success') return ['apply', 'book'];
  return status === 'reversed' ? ['unapply', 'unbook'] : [];
}

/** What the provider takes. */
export function chargeOf({ money, creditMinor }: Pick<PaymentRecord, 'money' | 'creditMinor'>): Money {
  return { amountMinor: money.amountMinor - creditMinor, currency: money.currency };
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** For so long after its beginning one that failed or was abandoned is still asked for: a late success whose message was lost. */
const lateSuccessMs = 7 * dayMs;
/** For so long after its beginning a success is asked for once a day: it may have been paid back, and the message lost. */
const refundMs = 60 * dayMs;

/** When to ask the provider again: often at first, then ever less. Undefined: it is over. */
export function nextCheck(status: PaymentStatus, createdAt: Date, now: Date): Date | undefined {
  const ageMs = Math.max(0, now.getTime() - createdAt.getTime());
  if (isOpen(status)) return new Date(now.getTime() + Math.min(Math.max(ageMs / 2, minuteMs), hourMs));
  if (status === 'reversed' || ageMs >= (status === 'success' ? refundMs : lateSuccessMs)) return undefined;
  return new Date(now.getTime() + Math.min(Math.max(ageMs, hourMs), dayMs));
}

export function toPayment(record: PaymentRecord): Payment {
  const { id, accountId, reference, provider, plan, money, creditMinor, status, checkoutUrl } = record;
  return {
    id,
    accountId,
    reference,
    provider,
    planId: plan.id,
    planName: plan.name,
    ...money,
    creditMinor,
    status,
    history: record.history.map((one) => ({ status: one.status, at: one.at.toISOString(), source: one.source })),
    checkoutUrl: isOpen(status) ? checkoutUrl : null,
    createdAt: record.createdAt.toISOString(),
    settledAt: record.settledAt?.toISOString() ?? null,
    periodStart: record.periodStart?.toISOString() ?? null,
    periodEnd: record.periodEnd?.toISOString() ?? null,
  };
}
