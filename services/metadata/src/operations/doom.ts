import type { NodeDoc } from '../domain/node.ts';
import { nodeEvent } from '../events/node-events.ts';
import { doomUpdate } from '../store/graveyard.ts';
import type { Tree } from './tree.ts';

/** Makes nodes be gone for good, as a consequence of something that their owner did; the purge removes them then. */
export async function doom(tree: Tree, nodes: readonly NodeDoc[]): Promise<void> {
  const at = new Date();
  const work = nodes.map((node) => {
    const event = nodeEvent(tree.outbox, 'nodeDeleted', node, node.rev + 1, { by: node.ownerId });
    // Only where it still stands: what was moved away meanwhile is not deleted with the folder that it was in.
    const also = { parentId: node.parentId };
    return { id: node._id, rev: node.rev, update: doomUpdate(node, [event], at), also, event };
  });
  await tree.nodes.updateMany(work);
  // An event of an update that did not happen has nobody who waits for it: it is in no document, so it is not sent.
  const doomed = await tree.nodes.load(work.map(({ id }) => id));
  for (const { id, rev, event } of work) {
    const node = doomed.get(id);
    if (node?.doomedAt !== undefined && node.rev === rev + 1) tree.outbox.announce(id, [event]);
  }
}
