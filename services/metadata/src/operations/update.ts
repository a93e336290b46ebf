import type { Preconditions } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { demand } from '../domain/access.ts';
import { checkName, foldName, sortKey } from '../domain/names.ts';
import { type Chain, type NodeDoc, notBefore } from '../domain/node.ts';
import { demandPreconditions } from '../domain/preconditions.ts';
import { changeProperties } from '../domain/properties.ts';
import { type Change, changeEvents } from '../events/node-events.ts';
import { withEvents } from '../store/nodes.ts';
import { untilDone } from './attempts.ts';
import { nameTaken } from './create.ts';
import { isThere } from './finder.ts';
import { type Caller, causeOf, find, folderOnly, type Tree } from './tree.ts';

export interface NodeChanges {
  name?: string | undefined;
  parentId?: string | undefined;
  /** Null removes a key. */
  properties?: Readonly<Record<string, string | null>> | undefined;
}

/** Renames, moves and sets properties, together in one update of the node itself, whatever lies below it. */
export async function updateNode(
  tree: Tree,
  caller: Caller,
  id: string,
  changes: NodeChanges,
  preconditions: Preconditions | undefined,
): Promise<Chain> {
  if (changes.name !== undefined) checkName(changes.name, '/name');
  const action = changes.name !== undefined || changes.parentId !== undefined ? 'place' : 'change';
  const target = changes.parentId === 'root' ? caller.principal.accountId : changes.parentId;
  return await untilDone(async () => {
    const chain = await find(tree, caller, { id }, action);
    const { node } = chain;
    demandPreconditions(preconditions, node);
    const moves = target !== undefined && target !== node.parentId;
    if (!moves) return await write(tree, caller, chain, changes);
    const move = async (): Promise<Chain | undefined> => {
      const to = await targetOf(tree, caller, node, target);
      return to === undefined ? undefined : await write(tree, caller, chain, changes, to);
    };
    // A file has nothing below it, so it cannot be part of a cycle. For a folder, what was read before the lock counts
    // only as the rev that the update is conditional on: the chain is looked at again under the lock.
    return node.kind === 'file' ? await move() : await tree.locks.hold(node.ownerId, node, move);
  });
}

/** The chain of the new parent, fresh; undefined where it lies elsewhere than it seemed. */
async function targetOf(tree: Tree, caller: Caller, node: NodeDoc, targetId: string): Promise<Chain | undefined> {
  const to = folderOnly(await find(tree, caller, { id: targetId }, 'change'));
  if (to.node.ownerId !== node.ownerId) throw appError('forbidden', 'Nodes do not move between accounts');
  if ([to.node, ...to.ancestors].some(({ _id }) => _id === node._id)) {
    throw appError('would_cycle', 'A folder cannot be moved into itself');
  }
  return isThere(to) ? to : undefined;
}

async function write(
  tree: Tree,
  caller: Caller,
  chain: Chain,
  changes: NodeChanges,
  to?: Chain,
): Promise<Chain | undefined> {
  const { node } = chain;
  demand(caller.principal, 'change', chain);
  const name = changes.name ?? node.name;
  const properties =
    changes.properties === undefined ? node.properties : changeProperties(node.properties, changes.properties);
  const made: Change[] = [];
  if (to !== undefined) made.push('parent');
  if (name !== node.name) made.push('name');
  if (JSON.stringify(properties) !== JSON.stringify(node.properties)) made.push('properties');
  if (made.length === 0) return chain;

  const at = new Date();
  const parentId = to?.node._id ?? node.parentId;
  const after: NodeDoc = {
    ...node,
    parentId,
    name,
    nameFold: foldName(name),
    // The root alone has no name and an empty key.
    sort: node.parentId === null ? node.sort : sortKey(name, node.kind),
    properties,
    modifiedAt: notBefore(at, node.modifiedAt),
    rev: node.rev + 1,
  };
  const events = changeEvents(tree.outbox, after, after.rev, made, causeOf(caller));
  const { $push, outboxAt } = withEvents(events, at);
  const { nameFold, sort, modifiedAt, rev } = after;
  const $set = { parentId, name, nameFold, sort, properties, modifiedAt, rev, outboxAt };
  const written = await tree.nodes.update(node._id, node.rev, { $set, $push }, { live: true });
  if (written === 'name') throw nameTaken();
  if (!written) return undefined;
  tree.recentFolders.forgetAll();
  tree.hints.saw(after);
  tree.outbox.announce(node._id, events);
  return { node: after, ancestors: to === undefined ? chain.ancestors : [to.node, ...to.ancestors] };
}
