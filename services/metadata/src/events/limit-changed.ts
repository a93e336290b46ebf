import { consumeFacts, type ServiceContext } from '@coffer/service-kit';
import { applyPlanLimit } from '../operations/limits.ts';
import type { Tree } from '../operations/tree.ts';

/** Takes over the limits that plans give: somebody paid for them. Repeats and latecomers change nothing. */
export function watchLimits(ctx: ServiceContext, tree: Tree, isPrepared: () => boolean): void {
  consumeFacts(ctx, 'limitChanged', {
    durable: 'metadata-limit-changed',
    isPrepared,
    handle: async (limit) => {
      const { accountId, limitBytes } = limit;
      if (await applyPlanLimit(tree, limit)) ctx.logger.info({ accountId, limitBytes }, 'a limit was changed');
    },
  });
}
