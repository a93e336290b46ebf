import type { Plan } from '@coffer/contracts';

/** A day of a period: 24 hours of UTC, which has no other days. */
export const dayMs = 86_400_000;

/** One thing that gave an account a plan: a payment, or an operator. */
export interface Grant {
  /** The payment's id; an id of its own for what an operator gave. */
  readonly id: string;
  readonly kind: 'payment' | 'operator';
  /** As it was when it was given: plans of the configuration may change, what was bought does not. */
  readonly plan: Plan;
  readonly at: Date;
  /** Operator: until when; null for good. */
  readonly until: Date | null;
  /** Payment: what the unused days of the plan before were counted for, in minor units. */
  readonly creditMinor: number;
  /** It gives nothing any more. */
  readonly reversedAt?: Date;
}

/** Days of one price within a period. */
interface Stretch {
  readonly days: number;
  readonly price: NonNullable<Plan['price']>;
  readonly periodDays: number;
}

/** What an account has after all its grants; over where `end` has passed. */
export interface Period {
  readonly plan: Plan;
  readonly start: Date;
  /** Null: for good. */
  readonly end: Date | null;
  /** In order of time; those that cost nothing are not in it. The last of them ends with the period. */
  readonly stretches: readonly Stretch[];
  /** The part of it that the last grant gave. */
  readonly lastStart: Date;
}

const isOver = ({ end }: Period, at: Date): boolean => end !== null && end <= at;

/**
 * The one rule of what grants amount to: those that were not reversed, one after the other. It is computed anew from all of them each
 * time, so that a reversal takes exactly what its payment gave, whatever came before and after.
 *
 * - A payment for the plan that runs extends it from its end.
 * - A payment for any other plan begins at once and ends the plan that runs. Whose unused days were worth more than was counted for them at
 *   checkout (a cheaper plan, or two payments under way at a time) gets the rest as whole days of the new plan.
 * - What an operator gives replaces whatever runs; the base plan ends it.
 */
export function replay(grants: readonly Grant[]): Period | null {
  let period: Period | null = null;
  for (const grant of grants) if (grant.reversedAt === undefined) period = add(period, grant);
  return period;
}

/** The grants' plan at a time; null: the base plan. */
export function periodAt(grants: readonly Grant[], at: Date): Period | null {
  const period = replay(grants);
  return period === null || isOver(period, at) ? null : period;
}

function add(before: Period | null, { kind, plan, at, until, creditMinor }: Grant): Period | null {
  if (kind === 'operator') {
    return plan.price === null ? null : { plan, start: at, end: until, stretches: [], lastStart: at };
  }
  const { price, periodDays } = plan;
  if (price === null) return before;
  const running = before === null || isOver(before, at) ? null : before;
  if (running !== null && running.plan.id === plan.id) {
    if (running.end === null) return running;
    return {
      plan,
      start: running.start,
      end: after(running.end, periodDays),
      stretches: [...running.stretches, { days: periodDays, price, periodDays }],
      lastStart: running.end,
    };
  }
  const rest = running === null ? 0n : unusedMinor(running, at, price.currency) - BigInt(creditMinor);
  const days = periodDays + (rest > 0n ? Number((rest * BigInt(periodDays)) / BigInt(price.amountMinor)) : 0);
  return { plan, start: at, end: after(at, days), stretches: [{ days, price, periodDays }], lastStart: at };
}

// The latest time that Date knows is in the year 275760; no number of days bought reaches beyond it.
const latestMs = 8_640_000_000_000_000;

function after(start: Date, days: number): Date {
  return new Date(Math.min(start.getTime() + days * dayMs, latestMs));
}

/**
 * What the days of a period that have not begun yet were paid, in minor units of the currency: each at its price divided by the days it
 * was the price of. A day that has begun is used; what is left of a minor unit in each stretch of one price is dropped. Both are in the
 * store's favour, by less than one day and one unit, and never give away more than was paid. Days of another currency count nothing.
 */
export function unusedMinor(period: Period, at: Date, currency: string): bigint {
  if (period.end === null) return 0n;
  let unusedDays = Math.max(0, Math.floor((period.end.getTime() - at.getTime()) / dayMs));
  let sum = 0n;
  for (const { days, price, periodDays } of period.stretches.toReversed()) {
    const counted = Math.min(days, unusedDays);
    unusedDays -= counted;
    if (price.currency === currency) sum += (BigInt(price.amountMinor) * BigInt(counted)) / BigInt(periodDays);
  }
  return sum;
}

/** What of a new plan's price the unused days pay, at most all of it. 0 for a renewal. */
export function creditFor(running: Period | null, plan: Plan, at: Date): number {
  if (plan.price === null || running === null || running.plan.id === plan.id) return 0;
  const unused = unusedMinor(running, at, plan.price.currency);
  const most = BigInt(plan.price.amountMinor);
  return Number(unused < most ? unused : most);
}
