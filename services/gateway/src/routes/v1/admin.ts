import { type Account, ByteCount, Id } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { App, Gateway } from '../../gateway.ts';
import { AdminAccount, AdminAccountPage, NoQuery, pageQuery, problems, Strict } from '../schemas.ts';

const Query = Strict({
  ...pageQuery,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Items on a page; 50 if not given' })),
  query: Type.Optional(Type.String({ maxLength: 254, description: 'Part of a user name or e-mail, or an id' })),
});
const Changes = Strict(
  { limitBytes: Type.Optional(ByteCount), suspended: Type.Optional(Type.Boolean()) },
  { minProperties: 1, title: 'AdminAccountChanges' },
);

/** A scope of its own: no route in it can be reached without being an operator. */
export function adminRoutes(app: App, gateway: Gateway): void {
  const { auth, metadata } = gateway;

  app.addHook('onRequest', async (request) => {
    if (request.principal().role !== 'operator') throw appError('forbidden', 'This is for operators');
  });

  const withUsage = async (request: FastifyRequest, account: Account) => {
    const usage = await metadata.call('getUsage', { params: { accountId: account.id } }, request.call);
    return { ...account, usage };
  };

  app.get(
    '/v1/admin/accounts',
    {
      config: { op: 'admin.findAccounts' },
      schema: {
        summary: 'Find accounts',
        tags: ['operators'],
        querystring: Query,
        response: { 200: AdminAccountPage, ...problems },
      },
    },
    async (request) => {
      const query = { limit: 50, ...request.query };
      const page = await auth.call('findAccounts', { query }, request.call);
      const items = await Promise.all(page.items.map((account) => withUsage(request, account)));
      return { items, nextCursor: page.nextCursor };
    },
  );

  app.patch(
    '/v1/admin/accounts/:id',
    {
      config: { op: 'admin.updateAccount' },
      schema: {
        summary: "Set an account's limit, suspend it or let it in again",
        tags: ['operators'],
        params: Strict({ id: Id }),
        querystring: NoQuery,
        body: Changes,
        response: { 200: AdminAccount, ...problems },
      },
    },
    async (request) => {
      const { limitBytes, suspended } = request.body;
      const params = { accountId: request.params.id };
      const call = request.call;
      if (suspended === true && params.accountId === request.principal().accountId) {
        throw appError('forbidden', 'Operators cannot suspend themselves');
      }
      // Asked first in any case: the metadata service makes usage for whatever id it is given.
      let account = await auth.call('getAccount', { params }, call);
      request.log.info(
        { by: request.principal().accountId, accountId: account.id, limitBytes, suspended },
        'admin action',
      );
      if (suspended !== undefined) account = await auth.call('setAccountStatus', { params, body: { suspended } }, call);
      if (limitBytes !== undefined) await metadata.call('setLimit', { params, body: { limitBytes } }, call);
      gateway.leave.forget(account.id);
      return await withUsage(request, account);
    },
  );
}
