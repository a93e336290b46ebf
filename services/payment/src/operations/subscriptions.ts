import type { Plan, Subscription } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { assess, isCancelled, type SubscriptionState, toSubscription } from '../domain/subscription.ts';
import { type Grant, type Period, periodAt, replay } from '../domain/timeline.ts';
import type { StoredSubscription } from '../store/subscriptions.ts';
import type { Money } from './money.ts';

const ATTEMPTS = 50;
/** How long the fence of a deleted account stands: longer than any work on it can be under way. */
const fenceMs = 7 * 24 * 60 * 60 * 1000;

type Decide = (state: StoredSubscription, now: Date) => SubscriptionState | null;

/**
 * Changes an account's subscription, and tells of what follows from it: limit, its number and the events are one update of the one document,
 * asked for with the `rev` that they were computed from. `decide` answers null where there is nothing to do, and may be called again
 * after a race. Answers the state after it; null where the account is gone.
 */
async function change(money: Money, accountId: string, decide: Decide): Promise<SubscriptionState | null> {
  const { subscriptions, outboxes, plans } = money;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = money.now();
    const stored = await subscriptions.get(accountId);
    if (stored.isRemoved) return null;
    const next = decide(stored, now);
    if (next === null) return stored;
    const { limitBytes, isLimitNew, ending, mentioned, nextAt } = assess(next, plans, now);
    const seq = isLimitNew ? next.seq + 1 : next.seq;
    const { makeEvent } = outboxes.subscriptions;
    const events = [
      ...(isLimitNew ? [makeEvent('limitChanged', { accountId, limitBytes, seq })] : []),
      ...(ending === undefined
        ? []
        : [
            makeEvent('subscriptionEnding', {
              accountId,
              planId: ending.planId,
              periodEnd: ending.end.toISOString(),
              days: ending.days,
            }),
          ]),
    ];
    const after = { ...next, limitBytes, seq, mentioned };
    if (await subscriptions.replace({ accountId, rev: stored.rev, change: { ...after, nextAt }, events, at: now })) {
      outboxes.subscriptions.announce(accountId, events);
      return after;
    }
  }
  throw appError('unavailable', 'Too much is happening to this subscription at once', {
    headers: { 'retry-after': '1' },
  });
}

/** Not before what was given or cancelled last: clocks of instances differ a little, the order does not. */
function orderedTime(state: SubscriptionState, now: Date): Date {
  const last = state.grants.at(-1)?.at.getTime() ?? 0;
  const cancelled = state.cancelledAt === undefined ? 0 : state.cancelledAt.getTime() + 1;
  return new Date(Math.max(now.getTime(), last, cancelled));
}

/**
 * Gives what a payment bought, once: the payment's id in the subscription's own document says that it was given. Answers the period that
 * it bought, also when repeated; null for an account that is gone or a grant that was taken back.
 */
export async function grantPayment(
  money: Money,
  accountId: string,
  payment: { id: string; plan: Plan; creditMinor: number },
): Promise<{ start: Date; end: Date | null } | null> {
  const { id, plan, creditMinor } = payment;
  const state = await change(money, accountId, (before, now) => {
    if (before.grants.some((grant) => grant.id === id)) return null;
    const grant: Grant = { id, kind: 'payment', plan, at: orderedTime(before, now), until: null, creditMinor };
    return { ...before, grants: [...before.grants, grant] };
  });
  const given = state?.grants.slice(0, state.grants.findIndex((grant) => grant.id === id) + 1) ?? [];
  if (given.at(-1)?.reversedAt !== undefined) return null;
  return boughtBy(replay(given));
}

function boughtBy(period: Period | null): { start: Date; end: Date | null } | null {
  return period === null ? null : { start: period.lastStart, end: period.end };
}

/** Takes back what a payment gave, once. */
export async function revokePayment(money: Money, accountId: string, paymentId: string): Promise<void> {
  await change(money, accountId, (before, now) => {
    const index = before.grants.findIndex(({ id, reversedAt }) => id === paymentId && reversedAt === undefined);
    const grant = before.grants[index];
    return grant ? { ...before, grants: before.grants.with(index, { ...grant, reversedAt: now }) } : null;
  });
}

export async function getSubscription(money: Money, accountId: string): Promise<Subscription> {
  const state = await money.subscriptions.get(accountId);
  return toSubscription(accountId, state, money.plans, money.now());
}

/** `conflict` where nothing runs, or what runs has no end. Repeating it does no harm. */
export async function cancelSubscription(money: Money, accountId: string): Promise<Subscription> {
  const state = await change(money, accountId, (before, now) => {
    const period = periodAt(before.grants, now);
    if (period === null) throw appError('conflict', 'No plan is running that could be cancelled');
    if (period.end === null) throw appError('conflict', 'This plan was given for good');
    return isCancelled(before) ? null : { ...before, cancelledAt: orderedTime(before, now) };
  });
  return toSubscription(accountId, state, money.plans, money.now());
}

/** An operator's gift. `not_found` for an unknown plan, `bad_request` for a time that has passed. */
export async function setPlan(
  money: Money,
  accountId: string,
  { planId, until }: { planId: string; until: string | null },
): Promise<Subscription> {
  const plan = money.plans.find(planId);
  if (plan === undefined) throw appError('not_found', 'There is no such plan');
  const end = until === null ? null : new Date(until);
  if (end !== null && !(end > money.now())) {
    throw appError('invalid_body', 'The time is none, or has passed', {
      errors: [{ path: '/until', message: 'must be a time to come' }],
    });
  }
  const id = newId();
  const state = await change(money, accountId, (before, now) => ({
    ...before,
    grants: [
      ...before.grants,
      { id, kind: 'operator', plan, at: orderedTime(before, now), until: end, creditMinor: 0 },
    ],
  }));
  if (state === null) throw appError('not_found', 'There is no such account');
  return toSubscription(accountId, state, money.plans, money.now());
}

/** Ends what is over and tells of what will be. Whether a period is over. */
export async function refresh(money: Money, accountId: string): Promise<boolean> {
  let isOver = false;
  await change(money, accountId, (state, now) => {
    const end = replay(state.grants)?.end ?? null;
    isOver = end !== null && end <= now;
    return state.rev === 0 ? null : state;
  });
  return isOver;
}

/**
 * The account is gone: what was bought goes with it, payments stay without its id. The fence first: whoever makes a payment or gives a
 * grant at the same time either is seen by what follows, or sees the fence.
 */
export async function removeAccount(money: Money, accountId: string): Promise<void> {
  await money.subscriptions.remove(accountId, money.now(), fenceMs);
  await money.payments.forgetAccount(accountId);
}
