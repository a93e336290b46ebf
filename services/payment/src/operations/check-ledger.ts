import type { LedgerReport } from '@coffer/contracts';
import { isBalanced, type Movement, problemsOf } from '../domain/ledger.ts';
import type { PaymentRecord } from '../domain/payment.ts';
import type { Money } from './money.ts';

const BATCH = 500;
const MOST_PROBLEMS = 1_000;
/** A movement that is on its way for so long is no problem yet. */
const GRACE_MS = 60_000;

/**
 * Recomputes what the ledger must hold from the payments, and the payments that there must be from the ledger. Reads only; both are read in
 * order of their ids, a batch at a time. Problems beyond the first thousand are only counted by `isBalanced`.
 */
export async function checkLedger(money: Money): Promise<LedgerReport> {
  const problems: LedgerReport['problems'] = [];
  const sums = new Map<string, bigint>();
  let transactions = 0;
  let found = 0;
  const report = (paymentId: string | null, message: string): void => {
    found++;
    if (problems.length < MOST_PROBLEMS) problems.push({ paymentId, message });
  };

  for await (const batch of pages((after) => money.payments.after(after, BATCH))) {
    const movements = await money.movements.ofPayments(batch.map(({ id }) => id));
    const byPayment = Map.groupBy(movements, ({ paymentId }) => paymentId);
    for (const payment of batch) {
      const messages = problemsOf(payment, byPayment.get(payment.id) ?? []);
      if (messages.length > 0) await confirm(payment, messages);
    }
  }
  for await (const batch of pages((after) => money.movements.after(after, BATCH))) {
    const known = new Set((await money.payments.byIds(batch.map(({ paymentId }) => paymentId))).map(({ id }) => id));
    for (const movement of batch) {
      transactions++;
      add(sums, movement);
      if (known.has(movement.paymentId)) continue;
      report(null, `the movement ${movement.id} is of no payment`);
      if (!isBalanced(movement)) report(null, `the movement ${movement.id} is not balanced`);
    }
  }

  const balances = [...sums]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, sum]) => {
      const [account = '', currency = ''] = key.split('\n');
      const balanceMinor = Number(sum);
      if (!Number.isSafeInteger(balanceMinor))
        report(null, `the balance of ${account} is too large to be told exactly`);
      return { account, currency, balanceMinor };
    });
  return { isBalanced: found === 0, transactions, balances, problems };

  /** What looks wrong may be under way: it is looked at anew, and what its list still says is waited for. */
  async function confirm(seen: PaymentRecord, messages: readonly string[]): Promise<void> {
    const payment = (await money.payments.get(seen.id)) ?? seen;
    const since = payment.history.at(-1)?.at.getTime() ?? 0;
    if (payment.work.length > 0 && money.now().getTime() - since < GRACE_MS) return;
    const now = problemsOf(payment, await money.movements.ofPayments([payment.id]));
    if (now.length > 0)
      money.logger.error({ paymentId: payment.id, messages: now, before: messages }, 'the ledger is wrong');
    for (const message of now) report(payment.id, message);
  }
}

function add(sums: Map<string, bigint>, { lines }: Movement): void {
  for (const { account, currency, amountMinor } of lines) {
    const key = `${account}\n${currency}`;
    if (Number.isSafeInteger(amountMinor)) sums.set(key, (sums.get(key) ?? 0n) + BigInt(amountMinor));
  }
}

async function* pages<T extends { readonly id: string }>(read: (after: string) => Promise<T[]>): AsyncGenerator<T[]> {
  for (let after = ''; ; ) {
    const batch = await read(after);
    if (batch.length === 0) return;
    yield batch;
    after = batch.at(-1)?.id ?? '';
  }
}
