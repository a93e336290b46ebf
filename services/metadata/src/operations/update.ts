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
import { nameTaken, withFreeName } from './create.ts';
import { isThere } from './finder.ts';
import { type Caller, causeOf, find, folderOnly, type Tree } from './tree.ts';

export interface NodeChanges {
  name?: string | undefined;
  /** Take the next free name like it instead of 409. */
  rename?: boolean | undefined;
  parentId?: string | undefined;
  /** Null removes a key. */
  properties?: Readonly<Record<string, string | null>> | undefined;
  generalAccess?: NodeDoc['generalAccess'] | undefined;
}

/** Renames, moves, sets properties and general access, together in one update of the node itself, whatever lies below it. */
export async function updateNode(
  tree: Tree,
  caller: Caller,
  id: string,
  changes: NodeChanges,
  preconditions: Preconditions | undefined,
): Promise<Chain> {
  if (changes.name !== undefined) checkName(changes.name, '/name');
  const places = changes.name !== undefined || changes.parentId !== undefined;
  const action = changes.generalAccess !== undefined ? 'share' : places ? 'place' : 'change';
  const target = changes.parentId === 'root' ? caller.principal.accountId : changes.parentId;
  return await untilDone(async (n) => {
    const chain = await find(tree, caller, { id }, action);
    const { node } = chain;
    demandPreconditions(preconditions, node);
    const moves = target !== undefined && target !== node.parentId;
    if (!moves) return await writeNamed(tree, caller, chain, changes, n);
    const move = async (): Promise<Chain | undefined> => {
      const to = await targetOf(tree, caller, node, target);
      return to === undefined ? undefined : await writeNamed(tree, caller, chain, changes, n, to);
    };
    // A file has nothing below it, so it cannot be part of a cycle. For a folder, what was read before the lock counts
    // only as the rev that the update is conditional on: the chain is looked at again under the lock.
    return node.kind === 'file' ? await move() : await tree.locks.hold(node.ownerId, node, move);
  });
}

/** The chain of the new parent, fresh; undefined where it lies elsewhere than it seemed. */
async function targetOf(tree: Tree, caller: Caller, node: NodeDoc, targetId: string): Promise<Chain | undefined> {
  const to = folderOnly(await find(tree, caller, { id: targetId }, 'change'));
  if (to.node.ownerId !== node.ownerId) throw appError('conflict', 'Nodes do not move between accounts');
  if ([to.node, ...to.ancestors].some(({ _id }) => _id === node._id)) {
    throw appError('would_cycle', 'A folder cannot be moved into itself');
  }
  return isThere(to) ? to : undefined;
}

/** Under the name that is wanted; from the second attempt on under the next free one, where that is allowed. */
async function writeNamed(
  tree: Tree,
  caller: Caller,
  chain: Chain,
  changes: NodeChanges,
  n: number,
  to?: Chain,
): Promise<Chain | undefined> {
  const { name, kind } = chain.node;
  const wanted = changes.name ?? name;
  const parent = to?.node ?? chain.ancestors[0];
  const renames = changes.rename === true && n > 0 && parent !== undefined && (to !== undefined || wanted !== name);
  if (!renames) return await write(tree, caller, chain, changes, wanted, to);
  return await withFreeName(tree, parent, { name: wanted, kind }, (free) =>
    write(tree, caller, chain, changes, free, to),
  );
}

async function write(
  tree: Tree,
  caller: Caller,
  chain: Chain,
  changes: NodeChanges,
  name: string,
  to?: Chain,
): Promise<Chain | undefined> {
  const { node } = chain;
  demand(caller.principal, 'change', chain);
  const properties =
    changes.properties === undefined ? node.properties : changeProperties(node.properties, changes.properties);
  const made: Change[] = [];
  if (to !== undefined) made.push('parent');
  if (name !== node.name) made.push('name');
  if (JSON.stringify(properties) !== JSON.stringify(node.properties)) made.push('properties');
  // Who may see it is not what it is: its time of change stays.
  const isTouched = made.length > 0;
  const generalAccess = changes.generalAccess ?? node.generalAccess;
  if (generalAccess !== node.generalAccess) made.push('access');
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
    generalAccess,
    modifiedAt: isTouched ? notBefore(at, node.modifiedAt) : node.modifiedAt,
    rev: node.rev + 1,
  };
  const events = changeEvents(tree.outbox, after, after.rev, made, causeOf(caller));
  const { $push, outboxAt } = withEvents(events, at);
  const { nameFold, sort, modifiedAt, rev } = after;
  const $set = { parentId, name, nameFold, sort, properties, generalAccess, modifiedAt, rev, outboxAt };
  const written = await tree.nodes.update(node._id, node.rev, { $set, $push }, { live: true });
  if (written === 'name' && changes.rename === true) return undefined;
  if (written === 'name') throw nameTaken();
  if (!written) return undefined;
  tree.recentFolders.forgetAll();
  tree.hints.saw(after);
  tree.outbox.announce(node._id, events);
  return { node: after, ancestors: to === undefined ? chain.ancestors : [to.node, ...to.ancestors] };
}
