import type { NodeRef, Preconditions } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { demand, demandAccount, demandWriter } from '../domain/access.ts';
import { makeCursor, type Page, readCursor, timeKey, timePlaceOf, toPage } from '../domain/cursors.ts';
import { foldName, sortKey } from '../domain/names.ts';
import type { Chain, NodeDoc } from '../domain/node.ts';
import { demandPreconditions } from '../domain/preconditions.ts';
import type { UsageDoc } from '../domain/usage.ts';
import { changeEvents, nodeEvent } from '../events/node-events.ts';
import { doomUpdate } from '../store/graveyard.ts';
import { withEvents } from '../store/nodes.ts';
import { untilDone } from './attempts.ts';
import { emptySome } from './background.ts';
import { withFreeName } from './create.ts';
import { isThere } from './finder.ts';
import { type Caller, causeOf, find, lookUp, type Tree } from './tree.ts';

/** Into the trash, or (also out of it) gone for good: one update of the node itself, whatever lies below it. */
export async function deleteNode(
  tree: Tree,
  caller: Caller,
  ref: NodeRef,
  permanent: boolean,
  preconditions: Preconditions | undefined,
): Promise<void> {
  await untilDone(async () => {
    const { node } = permanent ? await findEvenTrashed(tree, caller, ref) : await find(tree, caller, ref, 'place');
    demandPreconditions(preconditions, node);
    const at = new Date();
    const name = permanent ? 'nodeDeleted' : 'nodeTrashed';
    const event = nodeEvent(tree.outbox, name, node, node.rev + 1, causeOf(caller));
    // Before the update: a count of the trash that comes between is not believed for long.
    await tree.usage.trashChanges(node.ownerId);
    const { $push, outboxAt } = withEvents([event], at);
    const update = permanent
      ? doomUpdate(node, [event], at)
      : { $set: { rev: node.rev + 1, trashedAt: at, outboxAt }, $unset: { live: '' as const }, $push };
    const done = await tree.nodes.update(node._id, node.rev, update);
    if (done !== true) return undefined;
    tree.recentFolders.forgetAll();
    tree.outbox.announce(node._id, [event]);
    if (permanent) tree.wake();
    return true;
  });
}

/** What is there, or was trashed by itself (then by id only). */
async function findEvenTrashed(tree: Tree, caller: Caller, ref: NodeRef): Promise<Chain> {
  const chain = await lookUp(tree, caller.principal.accountId, ref);
  if (chain === null) throw appError('not_found', 'There is no such node');
  if (!isThere(chain)) await demandInTrash(tree, chain.node);
  demand(caller.principal, 'place', chain);
  return chain;
}

async function demandInTrash(tree: Tree, node: NodeDoc): Promise<void> {
  const emptyBefore = (await tree.usage.get(node.ownerId))?.emptyBefore;
  const isInTrash = node.trashedAt !== undefined && (emptyBefore === undefined || node.trashedAt > emptyBefore);
  if (!isInTrash) throw appError('not_found', 'There is no such node in the trash');
}

/**
 * Out of the trash: where it was, or at the root where that folder is not there any more; under its name, or the next
 * free one like it.
 */
export async function restoreNode(tree: Tree, caller: Caller, id: string): Promise<Chain> {
  const restore = async (): Promise<Chain | undefined> => {
    const chain = await lookUp(tree, caller.principal.accountId, { id });
    if (chain === null) throw appError('not_found', 'There is no such node in the trash');
    demand(caller.principal, 'place', chain);
    const { node } = chain;
    await demandInTrash(tree, node);
    const [parent, ...above] = chain.ancestors;
    const stands = parent !== undefined && isThere({ node: parent, ancestors: above });
    const to = stands ? { node: parent, ancestors: above } : await tree.finder.root(node.ownerId);
    if (!isThere(to)) throw appError('not_found', 'There is no such node in the trash');
    // What others may do here may come from the folder that is gone: they would lose sight of what they restore.
    if (!stands && node.ownerId !== caller.principal.accountId) {
      throw appError('conflict', 'Its folder is not there any more: only the owner can restore it');
    }
    return await withFreeName(tree, to.node, node, (name) => restoreAs(tree, caller, node, to, name));
  };
  return await untilDone(restore);
}

/** Undefined where it was changed meanwhile, or somebody took the name: the next attempt finds the next one. */
async function restoreAs(
  tree: Tree,
  caller: Caller,
  node: NodeDoc,
  to: Chain,
  name: string,
): Promise<Chain | undefined> {
  const at = new Date();
  const { trashedAt: _, ...rest } = node;
  const after: NodeDoc = {
    ...rest,
    parentId: to.node._id,
    name,
    nameFold: foldName(name),
    sort: sortKey(name, node.kind),
    live: true,
    rev: node.rev + 1,
  };
  const events = changeEvents(tree.outbox, after, after.rev, ['restored'], causeOf(caller));
  const { $push, outboxAt } = withEvents(events, at);
  const { parentId, nameFold, sort, rev } = after;
  await tree.usage.trashChanges(node.ownerId);
  const written = await tree.nodes.update(node._id, node.rev, {
    $set: { parentId, name, nameFold, sort, live: true, rev, outboxAt },
    $unset: { trashedAt: '' },
    $push,
  });
  if (written !== true) return undefined;
  tree.hints.saw(after);
  tree.outbox.announce(node._id, events);
  return { node: after, ancestors: [to.node, ...to.ancestors] };
}

export async function listTrash(
  tree: Tree,
  caller: Caller,
  limit: number,
  cursor: string | undefined,
): Promise<Page<NodeDoc>> {
  const { accountId } = caller.principal;
  demandAccount(accountId);
  const after = timePlaceOf(readCursor(cursor, 'trash', accountId));
  const usage = await tree.usage.get(accountId);
  const found = await tree.lists.trash(accountId, usage?.emptyBefore, after, limit + 1);
  return toPage(found, limit, ({ _id, trashedAt }) => makeCursor('trash', accountId, timeKey(trashedAt, _id)));
}

/**
 * One update makes everything in the trash be gone: the time until which it is empty. The nodes follow in the background,
 * and are found there again after a crash.
 */
export async function emptyTrash(tree: Tree, caller: Caller): Promise<void> {
  demandWriter(caller.principal);
  const { accountId } = caller.principal;
  // $max, for two at once with clocks that differ.
  const usage: UsageDoc | null = await tree.usage.findAndUpdate(accountId, {
    $max: { emptyBefore: new Date() },
    $inc: { trashRev: 1 },
    $set: { trashAt: new Date() },
  });
  if (usage === null) return;
  await emptySome(tree, usage, 2);
  tree.wake();
}
