import { paymentContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { toPayment } from '../domain/payment.ts';
import { createCheckout } from '../operations/checkout.ts';
import type { Money } from '../operations/money.ts';
import { receiveWebhook, verifyPayment } from '../operations/verify.ts';
import { requireWriting } from './guards.ts';

export default function routes(app: App, money: Money): void {
  serve(app, paymentContract, 'listPlans', async () => ({
    items: [...money.plans.items],
    isSandbox: money.selling?.name === 'sandbox',
  }));

  serve(app, paymentContract, 'createCheckout', async ({ body }, request, reply) => {
    const { accountId } = requireWriting(request);
    const payment = await createCheckout(money, { ...body, accountId });
    reply.code(201);
    return toPayment(payment);
  });

  // No principal: the reference is the payer's and the provider's to know, and nothing but the provider's word is acted on.
  serve(app, paymentContract, 'verifyPayment', async ({ body }) =>
    toPayment(await verifyPayment(money, body.reference)),
  );

  serve(app, paymentContract, 'receiveWebhook', async ({ params: { provider }, body }): Promise<undefined> => {
    await receiveWebhook(money, provider, Buffer.from(body.bodyBase64, 'base64'), body.headers);
  });
}
