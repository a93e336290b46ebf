import { events } from '@coffer/contracts';
import { appError, type ServiceContext } from '@coffer/service-kit';
import { Value } from 'typebox/value';
import { applyPlanLimit } from '../operations/limits.ts';
import type { Tree } from '../operations/tree.ts';

const { type, data: Limit } = events.limitChanged;

/** Takes over the limits that plans give. Repeats and latecomers change nothing. */
export function watchLimits(ctx: ServiceContext, tree: Tree, isPrepared: () => boolean): void {
  ctx.bus.consume({
    durable: 'metadata-limit-changed',
    subject: type,
    // Never given up: somebody paid for it.
    maxDeliver: Number.MAX_SAFE_INTEGER,
    handler: async ({ id, data }) => {
      if (!Value.Check(Limit, data)) {
        ctx.logger.error({ eventId: id, type }, 'an event does not fit its schema and is passed over');
        return;
      }
      if (!isPrepared()) throw appError('unavailable', 'The database does not answer at present');
      const isNew = await applyPlanLimit(tree, data);
      if (isNew) ctx.logger.info({ accountId: data.accountId, limitBytes: data.limitBytes }, 'a limit was changed');
    },
  });
}
