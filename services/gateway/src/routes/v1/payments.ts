import { Id, PlanId } from '@coffer/contracts';
import { publicUrl } from '../../dialects/common/dialect.ts';
import type { App, Gateway } from '../../gateway.ts';
import { beginCheckout } from '../../payments/begin-checkout.ts';
import { NoBody, NoQuery, PageQuery, problems, Strict } from '../schemas.ts';
import { Payment, PaymentPage, PlanList, publicPayment, publicSubscription, Subscription } from './money-schemas.ts';

const tags = ['payments'];

/** What there is to buy is for everyone to see. */
export function plansRoute(app: App, { payment }: Gateway): void {
  app.get(
    '/v1/plans',
    {
      config: { op: 'plans.list', isPublic: true },
      schema: { summary: 'What space costs', tags, querystring: NoQuery, response: { 200: PlanList, ...problems } },
    },
    async (request) => ({ ...(await payment.call('listPlans', {}, request.call)), nextCursor: null }),
  );
}

export function paymentRoutes(app: App, gateway: Gateway): void {
  const { payment } = gateway;

  app.post(
    '/v1/checkouts',
    {
      config: { op: 'checkouts.create', idempotencyKey: true },
      schema: {
        summary: 'Begin to pay for a plan; `checkoutUrl` is where',
        tags,
        querystring: NoQuery,
        body: Strict({ planId: PlanId }, { title: 'NewCheckout' }),
        response: { 201: Payment, ...problems },
      },
    },
    async (request, reply) => {
      const created = await beginCheckout(gateway, request, {
        planId: request.body.planId,
        publicUrl: publicUrl(gateway, request),
        idempotencyKey: request.headers['idempotency-key'],
      });
      return reply.code(201).header('location', `/v1/payments/${created.id}`).send(publicPayment(created));
    },
  );

  app.get(
    '/v1/payments',
    {
      config: { op: 'payments.list' },
      schema: {
        summary: 'Own payments, the latest first',
        tags,
        querystring: PageQuery,
        response: { 200: PaymentPage, ...problems },
      },
    },
    async (request) => {
      const params = { accountId: request.principal().accountId };
      const { items, nextCursor } = await payment.call('listPayments', { params, query: request.query }, request.call);
      return { items: items.map(publicPayment), nextCursor };
    },
  );

  app.get(
    '/v1/payments/:id',
    {
      config: { op: 'payments.get' },
      schema: {
        summary: 'How a payment stands',
        tags,
        params: Strict({ id: Id }),
        querystring: NoQuery,
        response: { 200: Payment, ...problems },
      },
    },
    async (request) => {
      const params = { paymentId: request.params.id };
      return publicPayment(await payment.call('getPayment', { params }, request.call));
    },
  );

  app.get(
    '/v1/subscription',
    {
      config: { op: 'subscriptions.get' },
      schema: {
        summary: 'The plan that is in force, and until when',
        tags,
        querystring: NoQuery,
        response: { 200: Subscription, ...problems },
      },
    },
    async (request) => {
      const params = { accountId: request.principal().accountId };
      return publicSubscription(await payment.call('getSubscription', { params }, request.call));
    },
  );

  app.post(
    '/v1/subscription/cancel',
    {
      config: { op: 'subscriptions.cancel' },
      schema: {
        summary: 'Let the plan end with the period that was paid',
        tags,
        querystring: NoQuery,
        body: NoBody,
        response: { 200: Subscription, ...problems },
      },
    },
    async (request) => {
      const params = { accountId: request.principal().accountId };
      return publicSubscription(await payment.call('cancelSubscription', { params }, request.call));
    },
  );
}
