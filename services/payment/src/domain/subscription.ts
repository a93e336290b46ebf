import type { Subscription } from '@coffer/contracts';
import type { Plans } from './plans.ts';
import { dayMs, type Grant, type Period, periodAt, replay } from './timeline.ts';

/** What an account has been given, and what has been said about it. */
export interface SubscriptionState {
  readonly grants: readonly Grant[];
  /** The person wants no more after the period; void as soon as something is given later. */
  readonly cancelledAt?: Date | undefined;
  /** The last limit that was told. */
  readonly limitBytes?: number | undefined;
  /** Of the last that was told; 0 before the first. */
  readonly seq: number;
  /** The latest mention of an end: of which, and how many days before. */
  readonly mentioned?: { readonly end: Date; readonly days: number } | undefined;
}

/** What is to be told about it at some time, and when to look again. */
export interface Assessment {
  readonly limitBytes: number;
  readonly isLimitNew: boolean;
  readonly ending?: { readonly planId: string; readonly end: Date; readonly days: number };
  readonly mentioned?: { readonly end: Date; readonly days: number } | undefined;
  /** Undefined: nothing will happen by itself. */
  readonly nextAt?: Date;
}

/** How many days before its end a period is mentioned; at 0 it is over. */
const mentionDays = [7, 1, 0] as const;

export function isCancelled({ cancelledAt, grants }: SubscriptionState): boolean {
  return (
    cancelledAt !== undefined && grants.every(({ at, reversedAt }) => reversedAt !== undefined || at <= cancelledAt)
  );
}

export function assess(state: SubscriptionState, plans: Plans, now: Date): Assessment {
  const period = replay(state.grants);
  const isRunning = period !== null && (period.end === null || period.end > now);
  const { limitBytes } = isRunning ? period.plan : plans.base;
  const isLimitNew = state.seq === 0 || limitBytes !== state.limitBytes;
  return { limitBytes, isLimitNew, ...mention(state, period, now) };
}

/** An end is mentioned at each of the days once, and only the nearest where several have passed unsaid; one cancelled only when it has come. */
function mention(
  state: SubscriptionState,
  period: Period | null,
  now: Date,
): Pick<Assessment, 'ending' | 'mentioned' | 'nextAt'> {
  if (period === null || period.end === null) return { mentioned: undefined };
  const { end, plan, lastStart } = period;
  const said = state.mentioned?.end.getTime() === end.getTime() ? state.mentioned : undefined;
  const open = mentionDays.filter((days) => {
    if (said !== undefined && said.days <= days) return false;
    // Nobody is told of an end that was as near when they paid.
    return days === 0 || (!isCancelled(state) && end.getTime() - days * dayMs > lastStart.getTime());
  });
  const dueAt = (days: number): Date => new Date(end.getTime() - days * dayMs);
  const due = open.filter((days) => dueAt(days) <= now).at(-1);
  const next = open.find((days) => dueAt(days) > now);
  return {
    ...(due === undefined ? {} : { ending: { planId: plan.id, end, days: due } }),
    mentioned: due === undefined ? said : { end, days: due },
    ...(next === undefined ? {} : { nextAt: dueAt(next) }),
  };
}

/** As it is shown; an end that has passed counts at once, also before anyone was told. */
export function toSubscription(
  accountId: string,
  state: SubscriptionState | null,
  plans: Plans,
  now: Date,
): Subscription {
  const period = state === null ? null : periodAt(state.grants, now);
  if (state === null || period === null) {
    const { base } = plans;
    return {
      accountId,
      plan: base,
      status: 'none',
      periodStart: null,
      periodEnd: null,
      limitBytes: base.limitBytes,
    };
  }
  const { plan, start, end } = period;
  return {
    accountId,
    plan,
    status: isCancelled(state) ? 'cancelled' : 'active',
    periodStart: start.toISOString(),
    periodEnd: end?.toISOString() ?? null,
    limitBytes: plan.limitBytes,
  };
}
