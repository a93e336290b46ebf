import { type Account, Id, type Payment } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { App, Gateway } from '../gateway.ts';
import { chargedOf, formatDay, formatMoney, formatTime } from './format.ts';
import { sendLogIn } from './log-in.ts';
import { type Html, html, type Page, sendPage } from './page.ts';
import { welcomeVisitor } from './visitor.ts';

const AGAIN_SECONDS = 5;
/** A provider that cannot be asked now; the schedule asks it later. */
const AWAY = ['upstream', 'unavailable', 'timeout', 'rate_limited', 'not_found'] as const;

/** Where the provider sends the person back to, and the receipt afterwards. */
export function paymentPageRoute(app: App, gateway: Gateway): void {
  app.get(
    '/payments/:id',
    { config: { op: 'pages.payment' }, schema: { hide: true, params: Type.Object({ id: Id }) } },
    async (request, reply) => {
      const visitor = await welcomeVisitor(gateway, request, reply);
      if (visitor.principal === undefined) {
        const { isSandbox } = await gateway.payment.call('listPlans', {}, request.call);
        return sendLogIn(reply, visitor, { next: `/payments/${request.params.id}`, isSandbox });
      }
      const payment = await latestOf(gateway, request);
      const account =
        payment.accountId === null
          ? undefined
          : await gateway.auth.call('getAccount', { params: { accountId: payment.accountId } }, request.call);
      return sendPage(reply, { ...pageOf(payment, account), isSandbox: payment.provider === 'sandbox' });
    },
  );
}

/** What the redirect says is not looked at: an open payment is asked about at the provider. */
async function latestOf({ payment }: Gateway, request: FastifyRequest<{ Params: { id: string } }>): Promise<Payment> {
  const known = await payment.call('getPayment', { params: { paymentId: request.params.id } }, request.call);
  if (!isOpen(known)) return known;
  try {
    const { signal: _, ...call } = request.call;
    return await payment.call('verifyPayment', { body: { reference: known.reference } }, call);
  } catch (error) {
    if (!isAppError(error) || !AWAY.some((code) => code === error.code)) throw error;
    request.log.warn({ err: error, paymentId: known.id }, 'a payment could not be verified');
    return known;
  }
}

const isOpen = ({ status }: Payment): boolean => status === 'initiated' || status === 'pending';

function pageOf(payment: Payment, account: Account | undefined): Page {
  const details = detailsOf(payment, account);
  const elsewhere = html`<p class="screen"><a class="button" href="/pay">Plans and payments</a></p>`;
  switch (payment.status) {
    case 'initiated':
    case 'pending':
      return {
        title: 'Not paid yet',
        refresh: { seconds: AGAIN_SECONDS },
        body: html`<p class="note" role="status">The payment has not arrived yet. This page looks again every ${AGAIN_SECONDS} seconds.</p>
${payment.checkoutUrl === null ? undefined : html`<p><a class="button main" href="${payment.checkoutUrl}">Go to payment</a></p>`}
${details}${elsewhere}`,
      };
    case 'success':
      return {
        title: 'Receipt',
        body: html`<p class="note" role="status">Thank you. ${payment.planName} is yours${
          payment.periodEnd === null ? '' : ` until ${formatDay(payment.periodEnd)}`
        }.</p>
${details}<p class="screen">To keep it, print this page.</p>${elsewhere}`,
      };
    case 'failed':
      return {
        title: 'Payment declined',
        body: html`<p class="note error" role="alert">The payment was declined, and nothing was charged.</p>
<p><a class="button main" href="/pay">Try again</a></p>${details}`,
      };
    case 'abandoned':
      return {
        title: 'Payment abandoned',
        body: html`<p class="note" role="status">You did not pay, and nothing was charged.</p>
<p><a class="button main" href="/pay">Choose a plan</a></p>${details}`,
      };
    default:
      return {
        title: 'Paid back',
        body: html`<p class="note" role="status">This payment was paid back; the space that it bought was taken back with it. Nothing that you stored was deleted.</p>
${details}${elsewhere}`,
      };
  }
}

function detailsOf(payment: Payment, account: Account | undefined): Html {
  const { periodStart, periodEnd, settledAt, creditMinor, currency } = payment;
  const credit = formatMoney({ amountMinor: creditMinor, currency });
  const rows: [string, string | undefined][] = [
    ['Amount', formatMoney(chargedOf(payment))],
    [
      'Made of',
      creditMinor > 0 ? `${formatMoney(payment)}, less ${credit} for unused days of the plan before` : undefined,
    ],
    ['Plan', payment.planName],
    [
      'Period',
      periodStart !== null && periodEnd !== null ? `${formatDay(periodStart)} to ${formatDay(periodEnd)}` : undefined,
    ],
    ['Customer', account && (account.email === null ? account.username : `${account.username}, ${account.email}`)],
    ['Begun', formatTime(payment.createdAt)],
    ['Settled', settledAt === null ? undefined : formatTime(settledAt)],
    ['Provider', payment.provider === 'sandbox' ? 'Sandbox: no money moves' : 'Paystack'],
    ['Reference', payment.reference],
    ['Number', payment.id],
  ];
  return html`<table><tbody>
${rows.flatMap(([name, value]) => (value === undefined ? [] : [html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`]))}</tbody></table>`;
}
