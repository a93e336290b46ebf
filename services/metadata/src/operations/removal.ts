import { nodeEvent } from '../events/node-events.ts';
import { doomUpdate } from '../store/graveyard.ts';
import { untilDone } from './attempts.ts';
import { doom } from './doom.ts';
import { endLinksOf } from './links.ts';
import type { Tree } from './tree.ts';

const PAGE = 500;
/** Later than any time that a node was trashed at. */
const EVER = new Date(8.64e15);

/**
 * Removes the tree of an account that is gone for good. First the mark, from which on no space is given for any write to
 * the tree, then its root, from which on nothing in it is there. The rest follows in the background, and is found
 * there again after a crash at any point. Mark and root stay, so that a token that is still good makes no new tree.
 */
export async function removeAccount(tree: Tree, accountId: string): Promise<void> {
  await tree.usage.markDeleted(accountId);
  await doomRoot(tree, accountId);
  await endLinksOf(tree, accountId);
  tree.wake();
}

async function doomRoot(tree: Tree, accountId: string): Promise<Date> {
  return await untilDone(async () => {
    const { node } = await tree.finder.root(accountId);
    if (node.doomedAt !== undefined) return node.doomedAt;
    const at = new Date();
    const event = nodeEvent(tree.outbox, 'nodeDeleted', node, node.rev + 1, { by: accountId });
    const done = await tree.nodes.update(accountId, node.rev, doomUpdate(node, [event], at));
    if (done !== true) return undefined;
    tree.recentFolders.forgetAll();
    tree.outbox.announce(accountId, [event]);
    return at;
  });
}

/** Dooms up to `pages` of what is left of the tree, also what hangs on nothing any more; the mark goes when nothing is. */
export async function removeSome(tree: Tree, accountId: string, pages: number): Promise<void> {
  const doomedAt = await doomRoot(tree, accountId);
  for (let i = 0; i < pages; i++) {
    const live = await tree.graveyard.liveNodes(accountId, PAGE);
    const trashed = live.length > 0 ? [] : await tree.lists.trashedUntil(accountId, EVER, PAGE);
    if (live.length + trashed.length === 0) {
      // Writes that had their space before the mark have come in by then, or never will.
      const isOver =
        Date.now() - doomedAt.getTime() >= tree.lateChildMs && !(await tree.graveyard.hasDoomed(accountId));
      // What the sweeper has yet to judge may still turn out to have been written.
      if (isOver) await tree.usage.update(accountId, { $unset: { removing: '' } }, { pending: {} });
      return;
    }
    await doom(tree, [...live, ...trashed]);
  }
}
