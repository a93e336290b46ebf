import { consumeFacts, type ServiceContext } from '@coffer/service-kit';
import type { Money } from '../operations/money.ts';
import { removeAccount } from '../operations/subscriptions.ts';

/** Takes accounts that are gone for good out of payments and subscriptions. Repeating it does no harm. */
export function watchDeletedAccounts(ctx: ServiceContext, money: Money, isPrepared: () => boolean): void {
  consumeFacts(ctx, 'accountDeleted', {
    durable: 'payment-account-deleted',
    isPrepared,
    handle: async ({ accountId }) => {
      await removeAccount(money, accountId);
      ctx.logger.info({ accountId }, 'a deleted account was taken out of the payments');
    },
  });
}
