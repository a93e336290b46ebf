import { type Account, ByteCount } from '@coffer/contracts';
import { appError, type CallOptions, isAppError } from '@coffer/service-kit';
import Type from 'typebox';
import type { App, Gateway } from '../../../gateway.ts';
import { AdminAccount, AdminAccountPage, NoQuery, problems, Strict } from '../../schemas.ts';
import { publicSubscription } from '../money-schemas.ts';
import { audited } from './audited.ts';
import { AdminAccountDetails, IdParams, shortPageQuery } from './schemas.ts';

const tags = ['operators'];
const Query = Strict({
  ...shortPageQuery,
  query: Type.Optional(Type.String({ maxLength: 254, description: 'Part of a user name or e-mail, or an id' })),
});
const Changes = Strict(
  {
    limitBytes: Type.Optional(Type.Union([ByteCount, Type.Null()], { description: 'Null: what the plan gives' })),
    suspended: Type.Optional(Type.Boolean()),
  },
  { minProperties: 1, title: 'AdminAccountChanges' },
);
/** A payment service that is away must not keep operators from looking at an account. */
const SUBSCRIPTION_TIMEOUT_MS = 2_000;

export function accountRoutes(app: App, gateway: Gateway): void {
  const { auth, metadata, payment } = gateway;

  const withUsage = async (account: Account, call: CallOptions) => {
    const usage = await metadata.call('getUsage', { params: { accountId: account.id } }, call);
    return { ...account, usage };
  };
  const subscriptionOf = async (accountId: string, call: CallOptions) => {
    try {
      const options = { ...call, timeoutMs: SUBSCRIPTION_TIMEOUT_MS };
      return publicSubscription(await payment.call('getSubscription', { params: { accountId } }, options));
    } catch (error) {
      if (isAppError(error, 'unavailable') || isAppError(error, 'timeout')) return null;
      throw error;
    }
  };

  app.get(
    '/v1/admin/accounts',
    {
      config: { op: 'admin.findAccounts' },
      schema: { summary: 'Find accounts', tags, querystring: Query, response: { 200: AdminAccountPage, ...problems } },
    },
    async (request) => {
      const query = { limit: 50, ...request.query };
      const page = await auth.call('findAccounts', { query }, request.call);
      const items = await Promise.all(page.items.map((account) => withUsage(account, request.call)));
      return { items, nextCursor: page.nextCursor };
    },
  );

  app.get(
    '/v1/admin/accounts/:id',
    {
      config: { op: 'admin.getAccount' },
      schema: {
        summary: 'An account, what it uses and what it pays for',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: AdminAccountDetails, ...problems },
      },
    },
    async (request) => {
      const accountId = request.params.id;
      const account = await auth.call('getAccount', { params: { accountId } }, request.call);
      const [details, subscription] = await Promise.all([
        withUsage(account, request.call),
        subscriptionOf(accountId, request.call),
      ]);
      return { ...details, subscription };
    },
  );

  app.patch(
    '/v1/admin/accounts/:id',
    {
      config: { op: 'admin.updateAccount' },
      schema: {
        summary: "Set an account's limit, suspend it or let it in again",
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: Changes,
        response: { 200: AdminAccount, ...problems },
      },
    },
    async (request) => {
      const { limitBytes, suspended } = request.body;
      const params = { accountId: request.params.id };
      return await audited(gateway, request, { targetId: params.accountId, details: request.body }, async (call) => {
        if (suspended === true && params.accountId === request.principal().accountId) {
          throw appError('forbidden', 'Operators cannot suspend themselves');
        }
        // Asked first in any case: the metadata service makes usage for whatever id it is given.
        let account = await auth.call('getAccount', { params }, call);
        if (suspended !== undefined) {
          account = await auth.call('setAccountStatus', { params, body: { suspended } }, call);
        }
        if (limitBytes !== undefined) await metadata.call('setLimit', { params, body: { limitBytes } }, call);
        gateway.leave.forget(account.id);
        return await withUsage(account, call);
      });
    },
  );
}
