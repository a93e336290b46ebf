import { PlanId } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import Type from 'typebox';
import type { App, Gateway } from '../../../gateway.ts';
import { Empty, NoBody, NoQuery, problems, Strict } from '../../schemas.ts';
import { publicSubscription, Subscription } from '../money-schemas.ts';
import { audited } from './audited.ts';
import { Deadline, IdParams } from './schemas.ts';

const tags = ['operators'];
const PlanChange = Strict({ planId: PlanId, until: Deadline }, { title: 'PlanChange' });

export function accountActionRoutes(app: App, gateway: Gateway): void {
  const { auth, payment } = gateway;

  app.post(
    '/v1/admin/accounts/:id/reset',
    {
      config: { op: 'admin.resetAccount' },
      schema: {
        summary: 'End all sessions and keys of an account and mail it a link to set a new password',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: NoBody,
        response: {
          200: Type.Object(
            { mailed: Type.Boolean({ description: 'False where the account has no e-mail address' }) },
            { title: 'AccountReset' },
          ),
          ...problems,
        },
      },
    },
    async (request) => {
      const params = { accountId: request.params.id };
      return await audited(
        gateway,
        request,
        { targetId: params.accountId, details: {} },
        async (call) => await auth.call('resetAccount', { params }, call),
      );
    },
  );

  app.put(
    '/v1/admin/accounts/:id/plan',
    {
      config: { op: 'admin.setPlan' },
      schema: {
        summary: 'Give an account a plan without payment; the free plan ends what it has',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: PlanChange,
        response: { 200: Subscription, ...problems },
      },
    },
    async (request) => {
      const params = { accountId: request.params.id };
      const { planId } = request.body;
      const until = request.body.until === null ? null : timeToCome(request.body.until);
      return await audited(
        gateway,
        request,
        { targetId: params.accountId, details: { planId, until } },
        async (call) => {
          // Payment knows who pays, not who is there.
          await auth.call('getAccount', { params }, call);
          const subscription = await payment.call('setPlan', { params, body: { planId, until } }, call);
          gateway.leave.forget(params.accountId);
          return publicSubscription(subscription);
        },
      );
    },
  );

  app.delete(
    '/v1/admin/accounts/:id',
    {
      config: { op: 'admin.deleteAccount' },
      schema: {
        summary: 'Delete an account and all that is its own, for good',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 204: Empty('Deleted'), ...problems },
      },
    },
    async (request, reply) => {
      const params = { accountId: request.params.id };
      await audited(
        gateway,
        request,
        { targetId: params.accountId, details: {} },
        async (call) => await auth.call('removeAccount', { params }, call),
      );
      gateway.leave.forget(params.accountId);
      return reply.code(204).send();
    },
  );
}

function timeToCome(text: string): string {
  const atMs = Date.parse(text);
  if (atMs > Date.now()) return new Date(atMs).toISOString();
  const errors = [{ path: '/until', message: 'must be a time to come' }];
  throw appError('invalid_body', '/until must be a time to come', { errors });
}
