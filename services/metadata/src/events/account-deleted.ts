import { events } from '@coffer/contracts';
import type { ServiceContext } from '@coffer/service-kit';
import { appError } from '@coffer/service-kit';
import { Value } from 'typebox/value';
import { removeAccount } from '../operations/removal.ts';
import type { Tree } from '../operations/tree.ts';

const { type, data: Deleted } = events.accountDeleted;

/** Removes the trees of accounts that are gone for good. Repeating it does no harm. */
export function watchDeletedAccounts(ctx: ServiceContext, tree: Tree, isPrepared: () => boolean): void {
  ctx.bus.consume({
    durable: 'metadata-account-deleted',
    subject: type,
    // Never given up: what is not removed now would stay for ever.
    maxDeliver: Number.MAX_SAFE_INTEGER,
    handler: async ({ id, data }) => {
      if (!Value.Check(Deleted, data)) {
        ctx.logger.error({ eventId: id, type }, 'an event does not fit its schema and is passed over');
        return;
      }
      if (!isPrepared()) throw appError('unavailable', 'The database does not answer at present');
      await removeAccount(tree, data.accountId);
      ctx.logger.info({ accountId: data.accountId }, 'the tree of a deleted account is being removed');
    },
  });
}
