import { isOpen, type PaymentRecord } from '../domain/payment.ts';
import type { Money } from './money.ts';
import { completeWork } from './settle.ts';
import { refresh } from './subscriptions.ts';
import { ask, scheduleNext } from './verify.ts';

export interface Reconciliation {
  verified: number;
  settled: number;
  abandoned: number;
  ended: number;
  repaired: number;
}

const BATCH = 100;
const AT_ONCE = 8;
/** What is left after so long is the next run's; its caller waits for 120 s. */
const PATIENCE_MS = 60_000;
/** One that cannot be asked for now is not asked for again and again. */
const RETRY_MS = 30_000;

/**
 * Finds what a lost message, a crash or an outage left, and does it: work on payments' lists, payments that the provider must be asked for,
 * periods whose end is near or past. Every step bears being done by several at once. One that fails is logged and does not stop the others.
 */
export async function reconcile(money: Money): Promise<Reconciliation> {
  const { payments, subscriptions, logger } = money;
  const result: Reconciliation = { verified: 0, settled: 0, abandoned: 0, ended: 0, repaired: 0 };
  const until = performance.now() + PATIENCE_MS;
  const hasTime = (): boolean => performance.now() < until;

  for (let afterId = '', batch = await payments.unfinished(BATCH, ''); batch.length > 0 && hasTime(); ) {
    for (const payment of batch) {
      if (await tried(() => completeWork(money, payment), { paymentId: payment.id })) result.repaired++;
    }
    afterId = batch.at(-1)?.id ?? '';
    batch = await payments.unfinished(BATCH, afterId);
  }

  while (hasTime()) {
    const batch = await payments.toCheck(money.now(), BATCH);
    await eachAtOnce(batch, (payment) => check(payment));
    if (batch.length < BATCH) break;
  }

  while (hasTime()) {
    const accountIds = await subscriptions.due(money.now(), BATCH);
    let done = 0;
    await eachAtOnce(accountIds, async (accountId) => {
      const refreshOne = async (): Promise<void> => {
        if (await refresh(money, accountId)) result.ended++;
        done++;
      };
      await tried(refreshOne, { accountId });
    });
    if (accountIds.length < BATCH || done === 0) break;
  }
  return result;

  async function check(payment: PaymentRecord): Promise<void> {
    const done = await tried(
      async () => {
        const after = await ask(money, payment, 'reconciliation');
        result.verified++;
        if (after.status === 'success' && payment.status !== 'success') result.settled++;
        if (after.status === 'abandoned' && isOpen(payment.status)) result.abandoned++;
        if (after.status === payment.status) await scheduleNext(money, after);
      },
      { paymentId: payment.id },
    );
    if (done) return;
    const later = new Date(money.now().getTime() + RETRY_MS);
    await tried(() => payments.checkLater(payment.id, later), { paymentId: payment.id });
  }

  async function tried(run: () => Promise<void>, about: object): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      logger.warn({ err: error, ...about }, 'a part of the reconciliation failed, it is tried again');
      return false;
    }
  }
}

/** A few at a time; `run` does not reject. */
async function eachAtOnce<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await run(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
