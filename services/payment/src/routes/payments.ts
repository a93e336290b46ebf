import { paymentContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import { type PaymentRecord, toPayment } from '../domain/payment.ts';
import type { Money } from '../operations/money.ts';
import { completeWork, move } from '../operations/settle.ts';
import { DEFAULT_PAGE, makeCursor, readCursor, toPage } from './cursors.ts';
import { requireSelfOrOperator, requireWritingOperator } from './guards.ts';

export default function routes(app: App, money: Money): void {
  const { payments } = money;
  const found = async (paymentId: string): Promise<PaymentRecord> => {
    const payment = await payments.get(paymentId);
    if (payment === null) throw appError('not_found');
    return payment;
  };

  serve(app, paymentContract, 'listPayments', async ({ params: { accountId }, query }, request) => {
    requireSelfOrOperator(request, accountId);
    const { limit = DEFAULT_PAGE, cursor } = query;
    const list = `payments ${accountId}`;
    const items = await payments.list({ accountId, beforeId: readCursor(cursor, list), limit: limit + 1 });
    return toPage(items.map(toPayment), limit, ({ id }) => makeCursor(list, id));
  });

  serve(app, paymentContract, 'getPayment', async ({ params: { paymentId } }, request) => {
    request.principal();
    const payment = await found(paymentId);
    requireSelfOrOperator(request, payment.accountId);
    if (payment.work.length === 0) return toPayment(payment);
    // Whoever sees that it succeeded sees what it gave, too.
    await completeWork(money, payment);
    return toPayment(await found(paymentId));
  });

  serve(app, paymentContract, 'findPayments', async ({ query }, request) => {
    if (request.principal().role !== 'operator') throw appError('forbidden');
    const { limit = DEFAULT_PAGE, cursor, ...filter } = query;
    const list = 'found payments';
    const items = await payments.list({ ...filter, beforeId: readCursor(cursor, list), limit: limit + 1 });
    return toPage(items.map(toPayment), limit, ({ id }) => makeCursor(list, id));
  });

  serve(app, paymentContract, 'reversePayment', async ({ params: { paymentId }, body }, request) => {
    requireWritingOperator(request);
    const payment = await found(paymentId);
    if (payment.status !== 'success') {
      throw appError('conflict', `A payment that is ${payment.status} cannot be taken back`);
    }
    return toPayment(await move(money, payment, { to: 'reversed', source: 'operator', reason: body.reason }));
  });
}
