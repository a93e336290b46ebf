import type { Access, Preconditions } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { demandWriter, isNobody, rankOf, roleOf } from '../domain/access.ts';
import { changeGrantList, type GrantChanges, MAX_GRANTS } from '../domain/grants.ts';
import type { Chain, NodeDoc } from '../domain/node.ts';
import { demandPreconditions } from '../domain/preconditions.ts';
import { changeEvents, sharedEvent } from '../events/node-events.ts';
import { withEvents } from '../store/nodes.ts';
import { untilDone } from './attempts.ts';
import { type Caller, causeOf, find, type Tree } from './tree.ts';

/** Who has what on a node, and from where. Who may not change the node sees the owner and their own entries only. */
export async function getAccess(tree: Tree, caller: Caller, id: string): Promise<Access> {
  const { principal } = caller;
  const { node, ancestors } = await find(tree, caller, { id }, 'read');
  const places = [node, ...ancestors];
  const seesAll = rankOf(roleOf(principal, node, ancestors)) >= rankOf('editor');
  const isSeen = (accountId: string): boolean => seesAll || (accountId === principal.accountId && !isNobody(principal));
  return {
    ownerId: node.ownerId,
    generalAccess: node.generalAccess,
    effectiveGeneralAccess: widest(places),
    grants: places.flatMap((place) =>
      place.grants
        .filter(({ accountId }) => isSeen(accountId))
        .map(({ accountId, role }) => ({ accountId, role, nodeId: place._id })),
    ),
  };
}

/** Of several that are as wide, the nearest. */
function widest(places: readonly NodeDoc[]): Access['effectiveGeneralAccess'] {
  const rank = ({ generalAccess }: NodeDoc): number => (generalAccess === 'restricted' ? 0 : rankOf(generalAccess));
  const [first, ...above] = places;
  if (first === undefined) throw new Error('a chain has at least its node');
  const place = above.reduce((most, next) => (rank(next) > rank(most) ? next : most), first);
  return { access: place.generalAccess, nodeId: place._id };
}

/** Whether all of it is that the caller gives up what is their own, which needs no right but that one. */
function givesUp({ principal }: Caller, { give, take }: GrantChanges): boolean {
  if (give.length > 0 || take.length === 0 || take.some(({ accountId }) => accountId !== principal.accountId))
    return false;
  demandWriter(principal);
  return true;
}

/**
 * Takes and gives rights on one node in one update that is conditional on what it was judged by. Where nothing changes,
 * nothing is written and nobody is told.
 */
export async function changeGrants(
  tree: Tree,
  caller: Caller,
  id: string,
  o: GrantChanges & { notify: boolean },
  preconditions: Preconditions | undefined,
): Promise<{ chain: Chain; changed: string[] }> {
  return await tree.turns.take(`grants/${id}`, () =>
    untilDone(async () => {
      const chain = await find(tree, caller, { id }, givesUp(caller, o) ? 'read' : 'share');
      const { node } = chain;
      demandPreconditions(preconditions, node);
      const at = new Date();
      const { grants, changed, gained } = changeGrantList(node.grants, o, node.ownerId, at);
      if (changed.length === 0) return { chain, changed };
      if (grants.length > MAX_GRANTS && grants.length > node.grants.length) {
        throw appError('conflict', `A node can be shared with at most ${MAX_GRANTS} accounts by name`);
      }
      const rev = node.rev + 1;
      const events = changeEvents(tree.outbox, node, rev, ['access'], causeOf(caller));
      for (const role of ['editor', 'viewer'] as const) {
        const accountIds = gained.filter((one) => one.role === role).map(({ accountId }) => accountId);
        if (accountIds.length === 0) continue;
        events.push(sharedEvent(tree.outbox, node, rev, { accountIds, role, notify: o.notify }, causeOf(caller)));
      }
      const { $push, outboxAt } = withEvents(events, at);
      const update = { $set: { grants, rev, outboxAt }, $push };
      if ((await tree.nodes.update(node._id, node.rev, update, { live: true })) !== true) return undefined;
      tree.recentFolders.forgetAll();
      tree.outbox.announce(node._id, events);
      return { chain: { node: { ...node, grants, rev }, ancestors: chain.ancestors }, changed };
    }),
  );
}
