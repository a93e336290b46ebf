import { consumeFacts, type ServiceContext } from '@coffer/service-kit';
import { removeAccount } from '../operations/removal.ts';
import type { Tree } from '../operations/tree.ts';

/** Removes the trees of accounts that are gone for good. Repeating it does no harm. */
export function watchDeletedAccounts(ctx: ServiceContext, tree: Tree, isPrepared: () => boolean): void {
  consumeFacts(ctx, 'accountDeleted', {
    durable: 'metadata-account-deleted',
    isPrepared,
    handle: async ({ accountId }) => {
      await removeAccount(tree, accountId);
      ctx.logger.info({ accountId }, 'the tree of a deleted account is being removed');
    },
  });
}
