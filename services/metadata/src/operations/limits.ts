import type { PlanLimit, paymentContract } from '@coffer/contracts';
import { type CallOptions, type Client, isAppError } from '@coffer/service-kit';
import { judgeSpace, type SpaceSeen, WARN_PERCENT } from '../domain/space.ts';
import { usageOutboxId } from '../store/outbox.ts';
import type { Tree } from './tree.ts';

const PAGE = 500;

/** True where it was news. An older one than is known changes nothing. */
export async function applyPlanLimit(tree: Tree, limit: PlanLimit): Promise<boolean> {
  const isNew = await tree.limits.applyPlan(limit);
  if (isNew) tree.recentSpace.forget(limit.accountId);
  return isNew;
}

/**
 * Asks the payment service for all limits and applies those that no event brought. Answers how many those were, or null
 * where it does not answer: then the next time will do.
 */
export async function reconcileLimits(
  tree: Tree,
  payment: Client<typeof paymentContract>,
  call: CallOptions,
): Promise<number | null> {
  let applied = 0;
  for (let cursor: string | undefined; ; ) {
    let page: { items: PlanLimit[]; nextCursor: string | null };
    try {
      page = await payment.call('listLimits', { query: { limit: PAGE, cursor } }, call);
    } catch (error) {
      if (!isAppError(error)) throw error;
      tree.logger.debug({ err: error }, 'the limits that plans give could not be asked for; later');
      return null;
    }
    for (const limit of page.items) if (await applyPlanLimit(tree, limit)) applied++;
    if (page.nextCursor === null) return applied;
    cursor = page.nextCursor;
  }
}

/**
 * Tells the owner, once, that space runs out. It costs the writes that stay below the mark nothing, and the write that
 * passes it an update that it does not wait for: a crash before that leaves no mark, so the next write tells.
 */
export function watchSpace(tree: Pick<Tree, 'limits' | 'outbox' | 'logger'>, accountId: string, seen: SpaceSeen) {
  const verdict = judgeSpace(seen);
  if (verdict === null) return undefined;
  return act(tree, accountId, seen, verdict).catch((error: unknown) => {
    tree.logger.warn({ err: error, accountId }, 'the account could not be marked; the next write will try again');
  });
}

async function act(
  tree: Pick<Tree, 'limits' | 'outbox'>,
  accountId: string,
  { warnedAt }: SpaceSeen,
  verdict: 'warn' | 'calm',
): Promise<void> {
  if (verdict === 'warn') {
    const event = tree.outbox.makeEvent('spaceRunningOut', { accountId, percent: WARN_PERCENT });
    if (await tree.limits.warn(accountId, warnedAt, event)) tree.outbox.announce(usageOutboxId(accountId), [event]);
  } else if (warnedAt !== undefined) await tree.limits.unwarn(accountId, warnedAt);
}
