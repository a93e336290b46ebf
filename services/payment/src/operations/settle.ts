import type { EventEnvelope } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { movementOf } from '../domain/ledger.ts';
import { chargeOf, type PaymentRecord, type Source, type Step } from '../domain/payment.ts';
import type { Verification } from '../domain/provider.ts';
import type { Money } from './money.ts';
import { grantPayment, revokePayment } from './subscriptions.ts';

/*
 * How money becomes space, and what each crash leaves:
 *
 * 1. The payment becomes `success` by one conditional update, which also lists the work that follows from it and holds the event. Of any number
 *    of messages, checks and instances one makes it. Crash before: the payment is open, and reconciliation asks the provider.
 * 2. `apply`: the subscription gets the grant, its new limit and the event of that in one update of its own document, unless it holds this
 *    payment's id already. Crash before or after: the list still says `apply`; doing it again gives nothing twice.
 * 3. The step is taken off the list, and the period is noted. Crash before: 2 again, which answers the same period.
 * 4. `book`: the movement is inserted under an id made of payment and kind. Crash before or after: again, and the second insert is refused.
 * 5. The step is taken off the list, and with the last one the mark that reconciliation looks for.
 *
 * A reversal goes the same way with `unapply` and `unbook`, behind what is still on the list. Events leave their documents by the outbox.
 */

/** Does what is on the payment's list, in order. Anyone may, any number of times and at once. */
export async function completeWork(money: Money, payment: PaymentRecord): Promise<void> {
  for (const step of payment.work) await doStep(money, payment, step);
}

async function doStep(money: Money, payment: PaymentRecord, step: Step): Promise<void> {
  const { payments, movements } = money;
  const { id, accountId, settledAt } = payment;
  if (step === 'apply') {
    const period = accountId === null ? null : await grantPayment(money, accountId, payment);
    await payments.stepDone(id, step, period ?? undefined);
    return;
  }
  if (step === 'unapply') {
    if (accountId !== null) await revokePayment(money, accountId, id);
  } else {
    const reversedAt = payment.history.findLast(({ status }) => status === 'reversed')?.at;
    const at = step === 'book' ? settledAt : reversedAt;
    await movements.append(movementOf(payment, step === 'book' ? 'success' : 'reversed', at ?? money.now()));
  }
  await payments.stepDone(id, step);
}

/** The payment's state, newest first; it may have lost its account since. */
async function reload(money: Money, { id }: PaymentRecord): Promise<PaymentRecord> {
  const found = await money.payments.get(id);
  if (found === null) throw appError('not_found', 'There is no such payment');
  return found;
}

interface Move {
  readonly to: 'success' | 'failed' | 'abandoned' | 'reversed';
  readonly source: Source;
  readonly reason?: string;
}

/** One transition with all its work; the payment as it is afterwards, whoever made it. */
export async function move(money: Money, payment: PaymentRecord, { to, source, reason }: Move): Promise<PaymentRecord> {
  const { payments, outboxes } = money;
  const events: EventEnvelope[] = [];
  const { accountId } = payment;
  if (accountId !== null && (to === 'success' || to === 'reversed')) {
    const data = { accountId, paymentId: payment.id, status: to };
    events.push(outboxes.payments.makeEvent('paymentSettled', data));
  }
  const at = money.now();
  const moved = await payments.transit(payment, {
    to,
    at,
    source,
    events: () => events,
    ...(reason === undefined ? {} : { reason }),
  });
  if (moved === null) {
    const current = await reload(money, payment);
    // Its account went away in between, which is no reason to lose the money: once more, without it.
    if (current.accountId !== payment.accountId) return await move(money, current, reasoned({ to, source, reason }));
    await completeWork(money, current);
    return await reload(money, payment);
  }
  money.logger.info({ paymentId: payment.id, from: payment.status, to, source }, 'a payment moved');
  await completeWork(money, moved);
  // Only now, so that whoever hears of it finds the period in the payment; after a crash the sweep tells it.
  outboxes.payments.announce(payment.id, events);
  return moved.work.length > 0 ? await reload(money, payment) : moved;
}

const reasoned = ({ to, source, reason }: { to: Move['to']; source: Source; reason: string | undefined }): Move =>
  reason === undefined ? { to, source } : { to, source, reason };

/**
 * Acts on what the provider says of a payment. Reference, amount and currency must be those of our own record: anything else is logged
 * as an error and changes nothing. Answers the payment as it is then.
 */
export async function settle(
  money: Money,
  payment: PaymentRecord,
  said: Verification,
  source: Source,
): Promise<PaymentRecord> {
  const due = chargeOf(payment);
  const isOurs =
    said.reference === payment.reference &&
    said.money.amountMinor === due.amountMinor &&
    said.money.currency === due.currency;
  if (!isOurs) {
    money.logger.error(
      { paymentId: payment.id, due, said: said.money, status: said.status, source },
      'the provider speaks of another payment than ours, nothing is changed',
    );
    return payment;
  }
  if (said.status === 'pending') return payment;
  if (said.status !== 'reversed') return await move(money, payment, { to: said.status, source });
  // Paid and paid back before we heard of either: both are in the books.
  const settled = payment.status === 'success' ? payment : await move(money, payment, { to: 'success', source });
  return await move(money, settled, { to: 'reversed', source });
}
