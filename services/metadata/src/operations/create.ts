import type { Idempotency, NodeRef } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import type { Static } from 'typebox';
import { demand, demandAccount, isDepositor } from '../domain/access.ts';
import { checkName, checkPath, freeName, sortKey } from '../domain/names.ts';
import { type Chain, type Idem, type NewNode, type NodeDoc, newNode } from '../domain/node.ts';
import { weightOf } from '../domain/quota.ts';
import { nodeEvent } from '../events/node-events.ts';
import type { Reservation } from '../store/ledger.ts';
import type { Inserted } from '../store/nodes.ts';
import { untilDone } from './attempts.ts';
import { isThere } from './finder.ts';
import { type Caller, causeOf, find, folderOnly, type Tree } from './tree.ts';

const MAX_DEPTH = 1_000;
const IDEMPOTENCY_MS = 24 * 3_600_000;

/**
 * Inserts a node: space first (`reserved` where that was begun already), then the document, then the settlement, which
 * nobody waits for. Answers what was taken instead where a unique key was. An error leaves the settlement to the sweeper.
 */
export async function insertNode(
  tree: Tree,
  caller: Caller,
  node: NewNode,
  reserved?: Promise<Reservation>,
): Promise<NodeDoc | Exclude<Inserted, 'inserted'>> {
  const doc = newNode(node);
  const reservation = await (reserved ?? tree.ledger.reserve(doc.ownerId, [{ nodeId: doc._id, taken: weightOf(doc) }]));
  const event = nodeEvent(tree.outbox, 'nodeCreated', doc, doc.rev, causeOf(caller));
  let outcome: Inserted;
  try {
    outcome = await tree.nodes.insert({ ...doc, outbox: [event], outboxAt: node.at });
  } catch (error) {
    reservation.settle(['unknown']);
    throw error;
  }
  reservation.settle([outcome === 'inserted' ? 'written' : 'failed']);
  if (outcome !== 'inserted') return outcome;
  tree.hints.saw(doc);
  tree.outbox.announce(doc._id, [event]);
  return doc;
}

/** The folder that is meant, open to changes by the caller. With `makeFolders`, missing folders of a path are made. */
export async function parentFor(
  tree: Tree,
  caller: Caller,
  ref: NodeRef,
  makeFolders: boolean,
  action: 'change' | 'deposit' = 'change',
): Promise<Chain> {
  if ('id' in ref) return checkDepth(folderOnly(await find(tree, caller, ref, action)));
  demandAccount(caller.principal.accountId);
  checkPath(ref.path, '/parent/path');
  const { chain, missing } = await tree.finder.byPath(caller.principal.accountId, ref.path, 'folder');
  if (!isThere(chain)) throw appError('not_found', 'There is no such folder');
  demand(caller.principal, 'change', chain);
  if (missing.length > 0 && !makeFolders) throw appError('not_found', 'There is no such folder');
  let deepest = chain;
  for (const name of missing) deepest = (await ensureFolder(tree, caller, deepest, name)).chain;
  return checkDepth(deepest);
}

function checkDepth(chain: Chain): Chain {
  if (chain.ancestors.length >= MAX_DEPTH) throw appError('conflict', 'The folders are nested too deeply');
  return chain;
}

/** The folder of that name, made if it is not there. */
async function ensureFolder(
  tree: Tree,
  caller: Caller,
  parent: Chain,
  name: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<{ chain: Chain; created: boolean }> {
  const sort = sortKey(name, 'folder');
  const below = (node: NodeDoc): Chain => ({ node, ancestors: [parent.node, ...parent.ancestors] });
  return await tree.turns.take(`${parent.node._id}/${sort}`, (waited) =>
    untilDone(async (n) => {
      // Whoever waited finds that the one before made it; and a hint saves the attempt.
      const look = waited || n > 0 || tree.hints.childOf(parent.node._id, sort) !== undefined;
      const there = look ? await tree.finder.child(parent.node, sort) : null;
      if (there !== null) return { chain: below(there), created: false };
      const by = caller.principal.accountId;
      const made = await insertNode(tree, caller, {
        id: newId(),
        parent: parent.node,
        name,
        kind: 'folder',
        by,
        at: new Date(),
        properties,
      });
      return typeof made === 'string' ? undefined : { chain: below(made), created: true };
    }),
  );
}

export interface NewFolder {
  parent: NodeRef;
  name: string;
  properties: Readonly<Record<string, string>>;
  makeFolders: boolean;
  /** Answer the folder that is there instead of 409. */
  existing: boolean;
  /** Take the next free name like it instead of 409. */
  rename: boolean;
  idempotency?: Static<typeof Idempotency> | undefined;
}

export async function createFolder(
  tree: Tree,
  caller: Caller,
  o: NewFolder,
): Promise<{ chain: Chain; created: boolean }> {
  checkName(o.name, '/name');
  const idem = idemOf(caller, o.idempotency);
  const replay = await replayOf(tree, caller, idem);
  if (replay !== null) return { chain: replay, created: true };
  const parent = await parentFor(tree, caller, o.parent, o.makeFolders);
  if (o.existing && idem === undefined) return await ensureFolder(tree, caller, parent, o.name, o.properties);
  return await untilDone(async (n) => {
    const by = caller.principal.accountId;
    const insert = (name: string) => {
      const folder = { id: newId(), parent: parent.node, name, kind: 'folder', by, at: new Date() } as const;
      return insertNode(tree, caller, { ...folder, properties: o.properties, idem });
    };
    const made =
      o.rename && n > 0
        ? await withFreeName(tree, parent.node, { name: o.name, kind: 'folder' }, insert)
        : await insert(o.name);
    if (typeof made !== 'string') {
      return { chain: { node: made, ancestors: [parent.node, ...parent.ancestors] }, created: true };
    }
    // The replay of a request has the name against it as well as the key: the key says whose name it is.
    const again = await replayOf(tree, caller, idem);
    if (again !== null) return { chain: again, created: true };
    if (made !== 'name' || (o.rename && !o.existing)) return undefined;
    if (!o.existing) throw nameTaken();
    const there = await tree.finder.child(parent.node, sortKey(o.name, 'folder'));
    return there === null
      ? undefined
      : { chain: { node: there, ancestors: [parent.node, ...parent.ancestors] }, created: false };
  });
}

const NAMES_AT_ONCE = 20;

/**
 * Runs `use` with the first of the names like the node's that is free in the folder at this moment. Those who ask at once
 * get different names, so that they need not go one by one; where another instance was faster, ask again.
 */
export async function withFreeName<T>(
  tree: Tree,
  parent: NodeDoc,
  node: Pick<NodeDoc, 'name' | 'kind'>,
  use: (name: string) => Promise<T>,
): Promise<T> {
  const keyOf = (name: string): string => `${parent._id}/${sortKey(name, node.kind)}`;
  // Twice as many each time, so that the thousandth of a name does not cost fifty looks.
  for (let first = 0, count = NAMES_AT_ONCE; ; first += count, count *= 2) {
    const names = Array.from({ length: count }, (_, i) => freeName(node.name, node.kind, first + i));
    const sorts = names.map((name) => sortKey(name, node.kind));
    const taken = new Set((await tree.nodes.lookup(parent.ownerId, parent._id, sorts)).map(({ sort }) => sort));
    const free = names.filter((name) => !taken.has(sortKey(name, node.kind)));
    const key = tree.claims.take(free.map(keyOf));
    if (key === undefined) continue;
    try {
      return await use(free.find((name) => keyOf(name) === key) ?? node.name);
    } finally {
      tree.claims.release(key);
    }
  }
}

export const nameTaken = () => appError('name_taken', 'There is something of this name already');

export function idemOf(caller: Caller, given: Static<typeof Idempotency> | undefined): Idem | undefined {
  if (given === undefined) return undefined;
  const { accountId, link } = caller.principal;
  // Those who come by links have no account of their own to keep their keys apart by.
  const whose = link === undefined ? accountId : `${accountId}/${link.linkId}`;
  return { key: `${whose}:${given.key}`, fingerprint: given.fingerprint, at: new Date() };
}

/**
 * The node that the same request made before, null if it is new. Throws 422 `idempotency_key_reused` for another request
 * under the same key. Keys are remembered for a day, and as long as the node is not deleted for good.
 */
export async function replayOf(tree: Tree, caller: Caller, idem: Idem | undefined): Promise<Chain | null> {
  if (idem === undefined) return null;
  const node = await tree.nodes.byIdempotencyKey(idem.key);
  if (node?.idem === undefined) return null;
  if (node.idem.at.getTime() < Date.now() - IDEMPOTENCY_MS) {
    await tree.nodes.forgetIdempotencyKey(idem.key);
    return null;
  }
  if (node.idem.fingerprint !== idem.fingerprint) {
    throw appError('idempotency_key_reused', 'This key was used for another request');
  }
  const chain = await tree.finder.byId(node._id);
  if (chain === null) return null;
  const [folder, ...above] = chain.ancestors;
  if (folder !== undefined && isDepositor(caller.principal, folder._id)) {
    demand(caller.principal, 'deposit', { node: folder, ancestors: above });
  } else demand(caller.principal, 'change', chain);
  return chain;
}
