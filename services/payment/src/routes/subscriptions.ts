import { paymentContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import type { Money } from '../operations/money.ts';
import { cancelSubscription, getSubscription, setPlan } from '../operations/subscriptions.ts';
import { requireSelfOrOperator, requireWriting, requireWritingOperator } from './guards.ts';

export default function routes(app: App, money: Money): void {
  serve(app, paymentContract, 'getSubscription', async ({ params: { accountId } }, request) => {
    requireSelfOrOperator(request, accountId);
    return await getSubscription(money, accountId);
  });

  serve(app, paymentContract, 'cancelSubscription', async ({ params: { accountId } }, request) => {
    requireSelfOrOperator(request, accountId);
    requireWriting(request);
    return await cancelSubscription(money, accountId);
  });

  serve(app, paymentContract, 'setPlan', async ({ params: { accountId }, body }, request) => {
    requireWritingOperator(request);
    if (money.plans.find(body.planId) === undefined) throw appError('not_found', 'There is no such plan');
    return await setPlan(money, accountId, body);
  });
}
