import { events } from '@coffer/contracts';
import { appError, type ServiceContext } from '@coffer/service-kit';
import { Value } from 'typebox/value';
import type { Money } from '../operations/money.ts';
import { removeAccount } from '../operations/subscriptions.ts';

const { type, data: Deleted } = events.accountDeleted;

/** Takes accounts that are gone for good out of payments and subscriptions. Repeating it does no harm. */
export function watchDeletedAccounts(ctx: ServiceContext, money: Money, isPrepared: () => boolean): void {
  ctx.bus.consume({
    durable: 'payment-account-deleted',
    subject: type,
    // Never given up: what is not removed now would stay for ever.
    maxDeliver: Number.MAX_SAFE_INTEGER,
    handler: async ({ id, data }) => {
      if (!Value.Check(Deleted, data)) {
        ctx.logger.error({ eventId: id, type }, 'an event does not fit its schema and is passed over');
        return;
      }
      if (!isPrepared()) throw appError('unavailable', 'The database does not answer at present');
      await removeAccount(money, data.accountId);
      ctx.logger.info({ accountId: data.accountId }, 'a deleted account was taken out of the payments');
    },
  });
}
