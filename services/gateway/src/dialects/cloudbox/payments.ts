import type { Payment } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { chargedOf, decimalOf } from '../../pages/format.ts';
import { sendPage } from '../../pages/page.ts';
import { planForm } from '../../pages/plans.ts';
import { goTo } from '../../pages/scope.ts';
import { isSealOf, sealOf } from '../../pages/seal.ts';
import { welcomeVisitor } from '../../pages/visitor.ts';
import { beginCheckout } from '../../payments/begin-checkout.ts';
import { receiveMessage, takeRawMessages } from '../../routes/v1/webhooks.ts';
import { wantsPage } from '../../routes/welcome.ts';
import { publicUrl } from '../common/dialect.ts';
import { fieldsOf } from '../common/fields.ts';
import { everyItem } from '../common/pages.ts';
import { bearerOf } from './authenticate.ts';
import { missingField } from './errors.ts';
import { sendJson, urlsOf } from './routes.ts';

const TICKET_MS = 15 * 60_000;
const MAX_REFERENCE_LENGTH = 100;
const PLAN_ID = /^[a-z0-9_-]{1,32}$/;
const PAYMENTS_AT_ONCE = 1_000;

/** The caller's payments, as an array. */
export function paymentsRoute(app: App, gateway: Gateway): void {
  const { payment } = gateway;
  for (const url of urlsOf('payments')) {
    app.get(url, { config: { op: 'cloudbox.payments' } }, async (request, reply) => {
      const params = { accountId: request.principal().accountId };
      const found: Payment[] = [];
      for await (const one of everyItem((cursor) =>
        payment.call('listPayments', { params, query: { limit: PAYMENTS_AT_ONCE, cursor } }, request.call),
      )) {
        found.push(one);
      }
      return sendJson(reply, found.map(transactionOf));
    });
  }
}

/**
 * The page to choose a plan and pay. Its form is sent by a browser that may hold no token and no cookie, so the form itself carries who
 * asked for the page: a ticket that is good for one thing, a quarter of an hour long.
 */
export function payRoutes(app: App, gateway: Gateway): void {
  for (const url of urlsOf('payments/pay')) {
    app.get(url, { config: { op: 'cloudbox.payPage' } }, async (request, reply) => {
      const accountId = await payerOf(gateway, request, reply);
      if (accountId === undefined) return goTo(request, reply, '/pay');
      const { items, isSandbox } = await gateway.payment.call('listPlans', {}, request.call);
      const hidden = { ticket: ticketOf(gateway, accountId) };
      return sendPage(reply, {
        title: 'Choose a plan and pay',
        isSandbox,
        body: planForm(items, { action: '/api/v1/payments/pay/', hidden }),
      });
    });

    app.post(url, { config: { op: 'cloudbox.pay' } }, async (request, reply) => {
      const { ticket = '', planId = '' } = await fieldsOf(gateway, request);
      request.setPrincipal({ accountId: ticketHolder(gateway, ticket), role: 'user', readOnly: false });
      if (!PLAN_ID.test(planId)) throw missingField('planId is required');
      const created = await beginCheckout(gateway, request, {
        planId,
        publicUrl: publicUrl(gateway, request),
        // One form is one payment of a plan, however often it is sent.
        idempotencyKey: `${ticket}.${planId}`,
        returnPath: '/api/v1/payments/verify/',
      });
      return goTo(request, reply, created.checkoutUrl ?? `/payments/${created.id}`);
    });
  }
}

/** Where the provider sends the payer back to. Whoever has the reference may ask; what is true is asked of the provider. */
export function verifyRoutes(app: App, gateway: Gateway): void {
  const verify = async (request: FastifyRequest, reply: FastifyReply, reference: string) => {
    if (reference === '' || reference.length > MAX_REFERENCE_LENGTH) throw missingField('reference is required');
    const { signal: _, ...call } = request.call;
    const payment = await gateway.payment.call('verifyPayment', { body: { reference } }, call);
    if (wantsPage(request)) return goTo(request, reply, `/payments/${payment.id}`);
    return sendJson(reply.header('cache-control', 'no-store'), transactionOf(payment));
  };
  for (const url of urlsOf('payments/verify')) {
    app.get<{ Querystring: Record<string, unknown> }>(
      url,
      { config: { op: 'cloudbox.verifyReturn' } },
      (request, reply) => {
        const { reference, trxref } = request.query;
        return verify(request, reply, String(reference ?? trxref ?? ''));
      },
    );
  }
  for (const url of urlsOf('payments/verify/:reference')) {
    app.get<{ Params: { reference: string } }>(url, { config: { op: 'cloudbox.verify' } }, (request, reply) =>
      verify(request, reply, request.params.reference),
    );
  }
}

/** The provider's signed messages, as they come. */
export function messageRoute(app: App, gateway: Gateway): void {
  takeRawMessages(app);
  for (const url of urlsOf('payments/verify/webhook')) {
    app.post(url, { config: { op: 'cloudbox.webhook' } }, async (request, reply) => {
      const provider = request.headers['x-paystack-signature'] === undefined ? 'sandbox' : 'paystack';
      await receiveMessage(gateway, request, provider);
      return sendJson(reply, { message: 'Received' });
    });
  }
}

/** A payment as clients see it; the order of the keys is that of the document. */
function transactionOf(payment: Payment) {
  const { id, accountId, reference, status, createdAt } = payment;
  return {
    id,
    user_id: accountId,
    reference_id: reference,
    amount: Number(decimalOf(chargedOf(payment))),
    status: status === 'initiated' ? 'pending' : status,
    created_at: createdAt,
  };
}

/** By the access token or by the cookie of the pages; undefined for a browser that has neither, and is sent to log in. */
async function payerOf(gateway: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<string | undefined> {
  if (request.headers.authorization !== undefined) {
    const principal = await gateway.tokens.verify(bearerOf(request));
    request.setPrincipal(principal);
    return principal.accountId;
  }
  const { principal } = await welcomeVisitor(gateway, request, reply);
  if (principal === undefined && !wantsPage(request)) throw appError('unauthorized');
  return principal?.accountId;
}

function ticketOf({ ctx }: Gateway, accountId: string): string {
  const expiresAtMs = String(Date.now() + TICKET_MS);
  return [accountId, expiresAtMs, sealOf(ctx.internalSecret, 'cloudbox pay', [accountId, expiresAtMs])].join('.');
}

/** Throws `invalid_token` for a ticket that is forged or expired. */
function ticketHolder({ ctx }: Gateway, ticket: string): string {
  const [accountId = '', expiresAtMs = '', seal = ''] = ticket.split('.');
  const isOurs = isSealOf(seal, ctx.internalSecret, 'cloudbox pay', [accountId, expiresAtMs]);
  if (!isOurs || Number(expiresAtMs) <= Date.now()) {
    throw appError('invalid_token');
  }
  return accountId;
}
