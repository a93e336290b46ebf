import { paymentContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { checkLedger } from '../operations/check-ledger.ts';
import type { Money } from '../operations/money.ts';
import { reconcile } from '../operations/reconcile.ts';
import { makeCursor, readCursor, toPage } from './cursors.ts';
import { requireOperatorOrService } from './guards.ts';

const DEFAULT_LIMITS = 1_000;

/** What services ask on their own behalf, and operators by hand. */
export default function routes(app: App, money: Money): void {
  serve(app, paymentContract, 'reconcile', async (_input, request) => {
    requireOperatorOrService(request);
    return await reconcile(money);
  });

  serve(app, paymentContract, 'listLimits', async ({ query }, request) => {
    requireOperatorOrService(request);
    const { limit = DEFAULT_LIMITS, cursor } = query;
    const found = await money.subscriptions.limitsAfter(readCursor(cursor, 'limits') ?? '', limit + 1);
    return toPage(found, limit, ({ accountId }) => makeCursor('limits', accountId));
  });

  serve(app, paymentContract, 'checkLedger', async (_input, request) => {
    requireOperatorOrService(request);
    return await checkLedger(money);
  });
}
