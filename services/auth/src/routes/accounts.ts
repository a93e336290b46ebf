import { authContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import type { ResetAccount } from '../domain/account-reset.ts';
import type { Accounts } from '../domain/accounts.ts';
import type { Deletion } from '../domain/deletion.ts';
import { publicAccount } from '../domain/model.ts';
import type { ChangePassword } from '../domain/password-change.ts';
import type { Profiles } from '../domain/profiles.ts';
import {
  contextOf,
  logAccount,
  requireOperator,
  requireSelfOrOperator,
  requireWritingOperator,
  requireWritingSelf,
} from './guards.ts';

export interface AccountDeps {
  accounts: Accounts;
  profiles: Profiles;
  changePassword: ChangePassword;
  deletion: Deletion;
  resetAccount: ResetAccount;
}

export default function routes(app: App, deps: AccountDeps): void {
  const { accounts, profiles, changePassword, deletion, resetAccount } = deps;

  serve(app, authContract, 'createAccount', async ({ body: { address: _address, ...input } }, request, reply) => {
    reply.code(201);
    const account = await accounts.create(input, contextOf(request));
    logAccount(request, account.id);
    return publicAccount(account);
  });

  serve(app, authContract, 'getAccount', async ({ params: { accountId } }, request) => {
    requireSelfOrOperator(request, accountId);
    return publicAccount(await accounts.get(accountId));
  });

  // Asked by services, on behalf of nobody.
  serve(app, authContract, 'lookUpAccounts', async ({ body: { logins } }) => {
    const found = await accounts.lookUp(logins);
    return { accounts: found.map((account) => (account ? publicAccount(account) : null)) };
  });

  serve(app, authContract, 'getProfile', async ({ params: { accountId } }, request) => {
    requireSelfOrOperator(request, accountId);
    return await profiles.get(accountId);
  });

  serve(app, authContract, 'updateProfile', async ({ params: { accountId }, body }, request) => {
    requireWritingSelf(request, accountId);
    return await profiles.update(accountId, body);
  });

  serve(app, authContract, 'deleteAccount', async ({ params: { accountId }, body }, request): Promise<undefined> => {
    requireWritingSelf(request, accountId);
    await deletion.byOwner(accountId, body, contextOf(request));
  });

  serve(app, authContract, 'updateAccount', async ({ params: { accountId }, body }, request) => {
    requireWritingSelf(request, accountId);
    return publicAccount(await accounts.rename(accountId, body));
  });

  serve(app, authContract, 'changePassword', async ({ params: { accountId }, body }, request): Promise<undefined> => {
    requireWritingSelf(request, accountId);
    await changePassword(accountId, body, contextOf(request));
  });

  serve(app, authContract, 'findAccounts', async ({ query }, request) => {
    const operator = requireOperator(request);
    const { items, nextCursor } = await accounts.find(query);
    request.log.info({ operatorId: operator.accountId, found: items.length }, 'operator searched accounts');
    return { items: items.map(publicAccount), nextCursor };
  });

  serve(app, authContract, 'setAccountStatus', async ({ params: { accountId }, body: { suspended } }, request) => {
    const operator = requireWritingOperator(request);
    // The last operator could not undo it.
    if (suspended && operator.accountId === accountId) throw appError('conflict', 'Nobody can suspend themselves');
    const account = await accounts.setSuspended(accountId, suspended, contextOf(request));
    request.log.info({ operatorId: operator.accountId, targetId: accountId, suspended }, 'operator set account status');
    return publicAccount(account);
  });

  serve(app, authContract, 'removeAccount', async ({ params: { accountId } }, request): Promise<undefined> => {
    const operator = requireWritingOperator(request);
    await deletion.byOperator(accountId, contextOf(request));
    request.log.info({ operatorId: operator.accountId, targetId: accountId }, 'operator deleted an account');
  });

  serve(app, authContract, 'resetAccount', async ({ params: { accountId } }, request) => {
    const operator = requireWritingOperator(request);
    const { mailed } = await resetAccount(accountId, contextOf(request));
    request.log.info({ operatorId: operator.accountId, targetId: accountId, mailed }, 'operator reset an account');
    return { mailed };
  });
}
