import { Id } from '@coffer/contracts';
import Type from 'typebox';
import type { App, Gateway } from '../../../gateway.ts';
import { NoBody, NoQuery, OneOf, pageQuery, problems, Strict } from '../../schemas.ts';
import { audited } from './audited.ts';
import { AdminPayment, AdminPaymentPage, IdParams, LedgerReport } from './schemas.ts';

const tags = ['operators'];
const Query = Strict({
  ...pageQuery,
  status: Type.Optional(OneOf('initiated', 'pending', 'success', 'failed', 'abandoned', 'reversed')),
  accountId: Type.Optional(Id),
  reference: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'What the provider knows it by' })),
});
const Reversal = Strict(
  { reason: Type.String({ minLength: 1, maxLength: 500, pattern: '\\S' }) },
  { title: 'PaymentReversal' },
);

export function moneyRoutes(app: App, gateway: Gateway): void {
  const { payment } = gateway;

  app.get(
    '/v1/admin/payments',
    {
      config: { op: 'admin.findPayments' },
      schema: {
        summary: 'Payments of everyone, the latest first',
        tags,
        querystring: Query,
        response: { 200: AdminPaymentPage, ...problems },
      },
    },
    async (request) => await payment.call('findPayments', { query: request.query }, request.call),
  );

  app.post(
    '/v1/admin/payments/:id/reverse',
    {
      config: { op: 'admin.reversePayment' },
      schema: {
        summary: 'Note that a payment was paid back: its space is taken back too',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: Reversal,
        response: { 200: AdminPayment, ...problems },
      },
    },
    async (request) => {
      const paymentId = request.params.id;
      const { reason } = request.body;
      return await audited(
        gateway,
        request,
        { targetId: paymentId, details: { reason } },
        async (call) => await payment.call('reversePayment', { params: { paymentId }, body: { reason } }, call),
      );
    },
  );

  app.post(
    '/v1/admin/ledger/check',
    {
      config: { op: 'admin.checkLedger' },
      schema: {
        summary: 'Recompute the ledger from the payments',
        tags,
        querystring: NoQuery,
        body: NoBody,
        response: { 200: LedgerReport, ...problems },
      },
    },
    async (request) => await payment.call('checkLedger', { body: {} }, request.call),
  );
}
