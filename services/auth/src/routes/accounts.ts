import { authContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import type { Accounts } from '../domain/accounts.ts';
import { publicAccount } from '../domain/model.ts';
import { contextOf, logAccount, requireOperator, requireSelf, requireWritingSelf } from './guards.ts';

export default function routes(app: App, { accounts }: { accounts: Accounts }): void {
  serve(app, authContract, 'createAccount', async ({ body: { address: _address, ...input } }, request, reply) => {
    reply.code(201);
    const account = await accounts.create(input, contextOf(request));
    logAccount(request, account.id);
    return publicAccount(account);
  });

  serve(app, authContract, 'getAccount', async ({ params: { accountId } }, request) => {
    if (request.principal().role !== 'operator') requireSelf(request, accountId);
    return publicAccount(await accounts.get(accountId));
  });

  serve(app, authContract, 'updateAccount', async ({ params: { accountId }, body }, request) => {
    requireWritingSelf(request, accountId);
    return publicAccount(await accounts.rename(accountId, body));
  });

  serve(app, authContract, 'changePassword', async ({ params: { accountId }, body }, request): Promise<undefined> => {
    requireWritingSelf(request, accountId);
    await accounts.changePassword(accountId, body, contextOf(request));
  });

  serve(app, authContract, 'findAccounts', async ({ query }, request) => {
    const operator = requireOperator(request);
    const { items, nextCursor } = await accounts.find(query);
    request.log.info({ operatorId: operator.accountId, found: items.length }, 'operator searched accounts');
    return { items: items.map(publicAccount), nextCursor };
  });

  serve(app, authContract, 'setAccountStatus', async ({ params: { accountId }, body: { suspended } }, request) => {
    const operator = requireOperator(request);
    if (operator.readOnly) throw appError('read_only');
    // The last operator could not undo it.
    if (suspended && operator.accountId === accountId) throw appError('conflict', 'Nobody can suspend themselves');
    const account = await accounts.setSuspended(accountId, suspended, contextOf(request));
    request.log.info({ operatorId: operator.accountId, targetId: accountId, suspended }, 'operator set account status');
    return publicAccount(account);
  });
}
