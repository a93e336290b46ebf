import type { NewContent, Preconditions } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { demand } from '../domain/access.ts';
import { type Chain, notBefore, toContentDoc } from '../domain/node.ts';
import { demandPreconditions } from '../domain/preconditions.ts';
import { changeProperties } from '../domain/properties.ts';
import { planReplace } from '../domain/quota.ts';
import { changeEvents } from '../events/node-events.ts';
import { untilDone } from './attempts.ts';
import { isThere } from './finder.ts';
import { type Caller, causeOf, type Tree } from './tree.ts';

/** How far above the bound the versions may go while reservations of the oldest are not settled. */
const VERSIONS_SLACK = 50;

/**
 * Puts new content in place of a file's; the old becomes a version. The update is conditional on the rev that everything
 * was judged at, and is tried again where only something else changed. `gone` where the file is not there any more.
 */
export async function replaceContent(
  tree: Tree,
  caller: Caller,
  first: Chain,
  content: NewContent,
  preconditions: Preconditions | undefined,
  properties: Readonly<Record<string, string>> = {},
): Promise<Chain | 'gone'> {
  const { _id: id } = first.node;
  let unsettled: ReadonlySet<string> = new Set();
  return await tree.turns.take(id, (waited) =>
    untilDone(async (n) => {
      const chain = n === 0 && !waited ? first : await tree.finder.byId(id);
      if (chain === null || !isThere(chain) || chain.node.content === undefined) return 'gone';
      demand(caller.principal, 'change', chain);
      const { node } = chain;
      demandPreconditions(preconditions, node);
      const replaced = chain.node.content;
      const versions = node.versions ?? [];
      const plan = planReplace(content.sizeBytes, replaced, versions, tree.maxVersions, unsettled);
      if (plan.keep > tree.maxVersions + VERSIONS_SLACK) throw appError('busy', 'Too many writes are not settled yet');

      const vid = newId();
      const { taken, onWrite } = plan;
      const item = { nodeId: id, vid, rev: node.rev, taken, onWrite };
      const reservation = await tree.ledger.reserve(node.ownerId, [item]);
      if (plan.droppedVids.some((dropped) => reservation.unsettled.has(dropped))) {
        // They would be dropped with the only proof that they were written: plan again, and keep them this time.
        unsettled = reservation.unsettled;
        reservation.settle(['failed']);
        return undefined;
      }
      const at = new Date();
      const modifiedAt = notBefore(at, node.modifiedAt);
      const next = toContentDoc(content, vid, caller.principal.accountId, at);
      const rev = node.rev + 1;
      const events = changeEvents(tree.outbox, node, rev, ['content'], causeOf(caller));
      const changed = Object.keys(properties).length > 0;
      const pairs = changed ? changeProperties(node.properties, properties) : node.properties;
      let written: boolean;
      try {
        written = await tree.nodes.replaceContent({
          id,
          rev: node.rev,
          content: next,
          keep: plan.keep,
          modifiedAt,
          events,
          ...(changed ? { properties: pairs } : {}),
        });
      } catch (error) {
        reservation.settle(['unknown']);
        throw error;
      }
      reservation.settle([written ? 'written' : 'failed']);
      if (!written) return undefined;
      tree.outbox.announce(id, events);
      const kept = [replaced, ...versions].slice(0, plan.keep);
      const after = { ...node, content: next, versions: kept, modifiedAt, rev, properties: pairs };
      return { node: after, ancestors: chain.ancestors };
    }),
  );
}
