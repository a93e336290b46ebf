import type { Idempotency, NewContent, NodeRef, Preconditions, WriteTarget } from '@coffer/contracts';
import { appError, isAppError, newId } from '@coffer/service-kit';
import type { Static } from 'typebox';
import { checkName, sortKey } from '../domain/names.ts';
import { type Chain, type NodeDoc, toContentDoc } from '../domain/node.ts';
import { demandPreconditions, hasPreconditions } from '../domain/preconditions.ts';
import type { Reservation } from '../store/ledger.ts';
import { untilDone } from './attempts.ts';
import { idemOf, insertNode, nameTaken, parentFor, replayOf } from './create.ts';
import { replaceContent } from './replace.ts';
import { type Caller, fileOnly, find, type Tree } from './tree.ts';

/** Of an unknown size it is supposed that it is large, so that its limit is not out of date. */
const LARGE_BYTES = Number.MAX_SAFE_INTEGER / 2;

type ByName = Extract<WriteTarget, { name: string }>;

/** How many bytes new content may have; throws what `commitWrite` would, as far as it can be known before. */
export async function prepareWrite(
  tree: Tree,
  caller: Caller,
  target: WriteTarget,
  sizeBytes: number | undefined,
  preconditions: Preconditions | undefined,
): Promise<number> {
  // Both in flight at once: today the tree that a caller can write to is the caller's own.
  const reading = freeBytes(tree, caller.principal.accountId, sizeBytes ?? LARGE_BYTES);
  reading.catch(() => undefined);
  await prepareTarget(tree, caller, target, preconditions);
  const availableBytes = await reading;
  if ((sizeBytes ?? 0) > availableBytes) {
    throw appError('quota_exceeded', 'There is not enough space left in the account');
  }
  return availableBytes;
}

/** What was left a moment ago, if that is more than enough; else what is left. */
async function freeBytes(tree: Tree, accountId: string, sizeBytes: number): Promise<number> {
  const recent = tree.recentSpace.get(accountId);
  if (recent !== undefined && recent > 2 * sizeBytes) return recent;
  const usage = await tree.usage.get(accountId);
  const limitBytes = usage?.limitBytes ?? tree.usage.freeLimitBytes;
  const bytes = Math.max(0, limitBytes - (usage?.usedBytes ?? 0));
  tree.recentSpace.saw(accountId, bytes);
  return bytes;
}

async function prepareTarget(
  tree: Tree,
  caller: Caller,
  target: WriteTarget,
  preconditions: Preconditions | undefined,
): Promise<void> {
  if ('node' in target) {
    const { node } = fileOnly(await find(tree, caller, target.node, 'change'));
    demandPreconditions(preconditions, node);
    return;
  }
  checkName(target.name, '/target/name');
  // Only these need to know what is there; a new name is not looked up twice.
  const look = hasPreconditions(preconditions) || target.ifExists === 'fail';
  const place = folderKey(caller, target.parent);
  if (!look && !caller.principal.readOnly && tree.recentFolders.get(place)) return;
  const parent = await parentToBe(tree, caller, target);
  if (parent !== null) tree.recentFolders.saw(place, true);
  if (!look) return;
  const existing = parent === null ? null : await tree.finder.child(parent.node, sortKey(target.name, 'file'));
  demandPreconditions(preconditions, existing);
  if (existing !== null && target.ifExists === 'fail') throw nameTaken();
}

/** Names a folder as the caller does; where it leads to is not said by that. */
function folderKey(caller: Caller, ref: NodeRef): string {
  return `${caller.principal.accountId}/${'id' in ref ? `:${ref.id}` : `/${ref.path.join('/')}`}`;
}

/** The folder, or null where the commit is going to make it. */
async function parentToBe(tree: Tree, caller: Caller, target: ByName): Promise<Chain | null> {
  try {
    return await parentFor(tree, caller, target.parent, false);
  } catch (error) {
    const willBeMade = target.makeFolders === true && 'path' in target.parent;
    if (willBeMade && isAppError(error, 'not_found')) return null;
    throw error;
  }
}

export interface Commit {
  target: WriteTarget;
  content: NewContent;
  properties: Readonly<Record<string, string>>;
  preconditions?: Preconditions | undefined;
  idempotency?: Static<typeof Idempotency> | undefined;
}

/** Points a node to content whose bytes are durable. */
export async function commitWrite(tree: Tree, caller: Caller, o: Commit): Promise<{ chain: Chain; created: boolean }> {
  const listed = o.content.chunks.reduce((sum, { length }) => sum + length, 0);
  if (listed !== o.content.sizeBytes) {
    throw appError('invalid_body', 'The chunks do not add up to the size', {
      errors: [{ path: '/content/chunks', message: 'must add up to sizeBytes' }],
    });
  }
  if ('node' in o.target) {
    const chain = fileOnly(await find(tree, caller, o.target.node, 'change'));
    const replaced = await replaceContent(tree, caller, chain, o.content, o.preconditions, o.properties);
    if (replaced === 'gone') throw appError('not_found', 'There is no such node');
    return { chain: replaced, created: false };
  }
  return await commitByName(tree, caller, o, o.target);
}

async function commitByName(
  tree: Tree,
  caller: Caller,
  o: Commit,
  target: ByName,
): Promise<{ chain: Chain; created: boolean }> {
  checkName(target.name, '/target/name');
  const idem = idemOf(caller, o.idempotency);
  const replay = await replayOf(tree, caller, idem);
  if (replay !== null) return { chain: replay, created: true };
  const sort = sortKey(target.name, 'file');
  return await untilDone(async (n) => {
    // A new name is written at once, without a look: the unique index says if it was none. A hint of an old one costs
    // nothing, as it is fetched together with the folder.
    const look = n > 0 || hasPreconditions(o.preconditions);
    const id = newId();
    const guess = look ? undefined : guessParent(tree, caller, target.parent);
    const hinted = guess !== undefined && tree.hints.childOf(guess, sort) !== undefined;
    // The space is taken while the folder is fetched: of the two, one round trip is waited for.
    const reserved = guess === undefined || hinted ? undefined : reserveEarly(tree, caller, id, o.content.sizeBytes);
    let parent: Chain;
    let existing: NodeDoc | null;
    try {
      const finding = parentFor(tree, caller, target.parent, target.makeFolders ?? false);
      const child = tree.finder.hintedChild(
        finding.then(({ node }) => node),
        guess,
        sort,
      );
      const [folder, there] = await Promise.all([finding, child]);
      parent = folder;
      existing = there ?? null;
      if (existing === null && look) existing = await tree.finder.child(parent.node, sort);
    } catch (error) {
      reserved?.then((reservation) => reservation.settle(['failed'])).catch(() => undefined);
      throw error;
    }
    if (existing !== null) {
      reserved?.then((reservation) => reservation.settle(['failed'])).catch(() => undefined);
      demandPreconditions(o.preconditions, existing);
      if (target.ifExists === 'fail') throw nameTaken();
      const there = { node: existing, ancestors: [parent.node, ...parent.ancestors] };
      const replaced = await replaceContent(tree, caller, there, o.content, o.preconditions, o.properties);
      return replaced === 'gone' ? undefined : { chain: replaced, created: false };
    }
    tree.recentFolders.saw(folderKey(caller, target.parent), true);
    demandPreconditions(o.preconditions, null);
    const by = caller.principal.accountId;
    const at = new Date();
    const content = toContentDoc(o.content, newId(), by, at);
    const made = await insertNode(
      tree,
      caller,
      { id, parent: parent.node, name: target.name, kind: 'file', by, at, properties: o.properties, content, idem },
      reserved,
    );
    if (typeof made !== 'string') {
      return { chain: { node: made, ancestors: [parent.node, ...parent.ancestors] }, created: true };
    }
    const again = await replayOf(tree, caller, idem);
    if (again !== null) return { chain: again, created: true };
    if (made === 'name' && target.ifExists === 'fail') throw nameTaken();
    return undefined;
  });
}

/** The folder's id where it is known or hinted, in the caller's own tree. */
function guessParent(tree: Tree, caller: Caller, ref: NodeRef): string | undefined {
  const { accountId } = caller.principal;
  if ('path' in ref) return tree.finder.guessFolder(accountId, ref.path);
  return ref.id === 'root' || ref.id === accountId ? accountId : undefined;
}

function reserveEarly(tree: Tree, caller: Caller, nodeId: string, sizeBytes: number): Promise<Reservation> {
  const taken = { bytes: sizeBytes, files: 1 };
  const reserved = tree.ledger.reserve(caller.principal.accountId, [{ nodeId, taken }]);
  // Where the folder is not there, that is the answer, whatever became of this.
  reserved.catch(() => undefined);
  return reserved;
}
