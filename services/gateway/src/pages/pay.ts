import { randomUUID } from 'node:crypto';
import { type Payment, PlanId, type Subscription } from '@coffer/contracts';
import Type from 'typebox';
import { publicUrl } from '../dialects/common/dialect.ts';
import type { App, Gateway } from '../gateway.ts';
import { beginCheckout } from '../payments/begin-checkout.ts';
import { chargedOf, formatBytes, formatDay, formatMoney } from './format.ts';
import { accountIdOf, logOutForm, sendLogIn } from './log-in.ts';
import { type Html, html, sendPage } from './page.ts';
import { planForm } from './plans.ts';
import { Form, goTo } from './scope.ts';
import { admitForm, welcomeVisitor } from './visitor.ts';

const RECENT_PAYMENTS = 20;
const Choice = Form({ planId: PlanId, once: Type.String({ pattern: '^[0-9a-f-]{36}$' }) });

export function payRoutes(app: App, gateway: Gateway): void {
  const { payment } = gateway;

  app.get('/pay', { config: { op: 'pages.pay' }, schema: { hide: true } }, async (request, reply) => {
    const visitor = await welcomeVisitor(gateway, request, reply);
    const { items: plans, isSandbox } = await payment.call('listPlans', {}, request.call);
    if (visitor.principal === undefined) return sendLogIn(reply, visitor, { next: '/pay', isSandbox });
    const params = { accountId: visitor.principal.accountId };
    const [subscription, payments] = await Promise.all([
      payment.call('getSubscription', { params }, request.call),
      payment.call('listPayments', { params, query: { limit: RECENT_PAYMENTS } }, request.call),
    ]);
    // Sent twice, the form still begins one payment.
    const hidden = { token: visitor.formToken, once: randomUUID() };
    return sendPage(reply, {
      title: 'Your plan',
      isSandbox,
      body: html`${planFacts(subscription)}
${planForm(plans, { action: '/pay', hidden, current: subscription.plan.id })}
${paymentList(payments.items)}
${logOutForm(visitor)}`,
    });
  });

  app.post(
    '/pay',
    { config: { op: 'pages.checkout' }, schema: { hide: true, body: Choice } },
    async (request, reply) => {
      const { token, planId, once } = request.body;
      accountIdOf(await admitForm(gateway, request, token));
      const created = await beginCheckout(gateway, request, {
        planId,
        publicUrl: publicUrl(gateway, request),
        idempotencyKey: once,
      });
      return goTo(request, reply, created.checkoutUrl ?? `/payments/${created.id}`);
    },
  );
}

function planFacts({ plan, status, periodEnd, limitBytes }: Subscription): Html {
  const until =
    periodEnd === null
      ? ''
      : status === 'cancelled'
        ? ` It ends on ${formatDay(periodEnd)}.`
        : ` It is paid until ${formatDay(periodEnd)}.`;
  return html`<p class="note">You have <strong>${plan.name}</strong> with ${formatBytes(limitBytes)} of space.${until}</p>`;
}

function paymentList(payments: readonly Payment[]): Html | undefined {
  if (payments.length === 0) return undefined;
  return html`<h2>Your payments</h2>
<table><thead><tr><th scope="col">Date</th><th scope="col">Plan</th><th scope="col">Amount</th><th scope="col">Status</th></tr></thead>
<tbody>
${payments.map(
  (one) =>
    html`<tr><td><a href="/payments/${one.id}">${formatDay(one.createdAt)}</a></td><td>${one.planName}</td><td>${formatMoney(chargedOf(one))}</td><td>${STATUS_TEXTS[one.status]}</td></tr>\n`,
)}</tbody></table>`;
}

export const STATUS_TEXTS: Readonly<Record<Payment['status'], string>> = {
  initiated: 'begun',
  pending: 'not paid yet',
  success: 'paid',
  failed: 'declined',
  abandoned: 'abandoned',
  reversed: 'paid back',
};
