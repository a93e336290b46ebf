import type { Idempotency, Principal } from '@coffer/contracts';
import { appError, type CallOptions, isAppError, newId } from '@coffer/service-kit';
import type { Static } from 'typebox';
import { type Action, can } from '../domain/access.ts';
import { derivedId } from '../domain/derived-id.ts';
import { checkName } from '../domain/names.ts';
import { type Chain, type ContentDoc, type Fill, fromPairs, type NodeDoc, newNode } from '../domain/node.ts';
import { type Outcome, weightOf } from '../domain/quota.ts';
import { nodeEvent } from '../events/node-events.ts';
import { untilDone } from './attempts.ts';
import { idemOf, insertNode, nameTaken, replayOf, withFreeName } from './create.ts';
import { isThere } from './finder.ts';
import { type Caller, find, folderOnly, type Tree } from './tree.ts';

const PAGE = 200;
/** Folders with more below them are filled in the background. */
const AT_ONCE = 500;
/** What is counted before, so that a copy that cannot fit is refused at once; larger ones find out as they go. */
const COUNT_AT_MOST = 20_000;
const REQUEST_MS = 10_000;
const CLAIM_MS = 15_000;
const NO_SPACE_RETRY_MS = 60_000;

export interface Copy {
  parentId: string;
  /** Without it the source's name, or the next free one like it. */
  name?: string | undefined;
  idempotency?: Static<typeof Idempotency> | undefined;
}

/**
 * A copy without bytes: new nodes with the same lists of chunks. Older versions are not copied. A folder is made first and
 * filled then, each folder remembering in its own document what it has yet to copy (`fill`), so that any instance goes on
 * after a crash. It copies what it finds on its way, not a snapshot, and nothing that is younger than the copy itself.
 */
export async function copyNode(
  tree: Tree,
  caller: Caller,
  id: string,
  o: Copy,
): Promise<{ chain: Chain; pending: boolean }> {
  if (o.name !== undefined) checkName(o.name, '/name');
  const idem = idemOf(caller, o.idempotency);
  const replay = await replayOf(tree, caller, idem);
  if (replay !== null) return { chain: replay, pending: replay.node.fill !== undefined };
  const [source, to] = await Promise.all([
    find(tree, caller, { id }, 'read'),
    find(tree, caller, { id: o.parentId === 'root' ? 'root' : o.parentId }, 'change'),
  ]);
  folderOnly(to);
  if ([to.node, ...to.ancestors].some(({ _id }) => _id === source.node._id)) {
    throw appError('would_cycle', 'A folder cannot be copied into itself');
  }
  const content = source.node.content;
  if (content !== undefined) await renew(tree, caller.call, [content]);
  const large = source.node.kind === 'folder' && !(await fits(tree, source.node, to.node.ownerId));
  const { kind } = source.node;
  const by = caller.principal.accountId;
  const insert = (name: string): ReturnType<typeof insertNode> => {
    const at = new Date();
    return insertNode(tree, caller, {
      id: newId(),
      parent: to.node,
      name,
      kind,
      by,
      at,
      idem,
      properties: fromPairs(source.node.properties),
      ...(content === undefined ? {} : { content: { ...content, vid: newId(), at, by } }),
      ...(kind === 'folder' ? { fillFrom: source.node } : {}),
    });
  };
  const top = await untilDone(async () => {
    const made =
      o.name === undefined
        ? await withFreeName(tree, to.node, { kind, name: source.node.name || 'Copy' }, insert)
        : await insert(o.name);
    if (typeof made !== 'string') return { node: made, ancestors: [to.node, ...to.ancestors] };
    const again = await replayOf(tree, caller, idem);
    if (again !== null) return again;
    if (made === 'name' && o.name !== undefined) throw nameTaken();
    return undefined;
  });
  if (top.node.fill === undefined) return { chain: top, pending: false };
  const done = !large && (await fillAtOnce(tree, top.node, caller.call));
  if (!done) {
    await tree.graveyard.lookAgain([top.node._id], new Date());
    tree.wake();
  }
  return { chain: top, pending: !done };
}

/** True where all below is few enough to be copied while the caller waits. Throws 507 `quota_exceeded`. */
async function fits(tree: Tree, source: NodeDoc, payerId: string): Promise<boolean> {
  const below = await tree.figures.below(source.ownerId, source._id, COUNT_AT_MOST);
  const usage = await tree.usage.get(payerId);
  const freeBytes = (usage?.limitBytes ?? tree.usage.freeLimitBytes) - (usage?.usedBytes ?? 0);
  const bytes = below.bytes - below.versionBytes;
  if (bytes > 0 && bytes > freeBytes) {
    throw appError('quota_exceeded', 'There is not enough space left in the account');
  }
  return below.visited <= AT_ONCE;
}

async function fillAtOnce(tree: Tree, top: NodeDoc, call: CallOptions): Promise<boolean> {
  const until = Date.now() + REQUEST_MS;
  const queue: NodeDoc[] = [top];
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    for (let next: NodeDoc | null = folder; next !== null; ) {
      if (Date.now() > until) return false;
      const { folders, rest } = await fillPage(tree, next, call);
      queue.push(...folders);
      next = rest;
    }
  }
  return true;
}

/** One page of a folder's copying, in the background; puts it off where there is no space. */
export async function fillFolder(tree: Tree, folder: NodeDoc): Promise<void> {
  // Others leave it alone for as long; two at once would only do the same work twice.
  await tree.graveyard.lookAgain([folder._id], new Date(Date.now() + CLAIM_MS));
  try {
    const { folders, rest } = await fillPage(tree, folder, {});
    const due = [...folders, ...(rest === null ? [] : [rest])].map(({ _id }) => _id);
    await tree.graveyard.lookAgain(due, new Date());
  } catch (error) {
    // Also where the payer's account is gone: the copy will be, in a moment.
    if (!isAppError(error, 'quota_exceeded') && !isAppError(error, 'not_found')) throw error;
    await tree.graveyard.lookAgain([folder._id], new Date(Date.now() + NO_SPACE_RETRY_MS));
  }
}

/** Copies the next children. Answers the folders that are to be filled now, and this one if there are more children. */
async function fillPage(
  tree: Tree,
  folder: NodeDoc,
  call: CallOptions,
): Promise<{ folders: NodeDoc[]; rest: NodeDoc | null }> {
  const { fill } = folder;
  if (fill === undefined) return { folders: [], rest: null };
  if (!(await mayStillFill(tree, folder, fill))) {
    await tree.graveyard.filled(folder._id, fill.after, null);
    return { folders: [], rest: null };
  }
  const sources = await tree.lists.children(
    fill.owner ?? folder.ownerId,
    fill.from,
    fill.after === '' ? null : fill.after,
    PAGE,
  );
  const wanted = await readable(
    tree,
    sources.filter(({ createdAt }) => createdAt <= fill.at),
    call,
  );
  const copies = wanted.map((source) => copyOf(source, folder, fill));
  // A page may be repeated after a crash: what is there has been counted.
  const there = await tree.nodes.load(copies.map(({ _id }) => _id));
  const fresh = copies.filter(({ _id }) => !there.has(_id));
  if (fresh.length > 0) await insertCopies(tree, folder, fill, fresh);
  const after = sources.at(-1)?.sort;
  const more = sources.length === PAGE && after !== undefined;
  await tree.graveyard.filled(folder._id, fill.after, more ? after : null);
  const folders = copies.filter((copy) => copy.fill !== undefined);
  return { folders, rest: more ? { ...folder, fill: { ...fill, after } } : null };
}

/**
 * Between the trees of several, each page asks again: a right that was taken away copies nothing more. In the copier's
 * own tree there is nothing that could be.
 */
async function mayStillFill(tree: Tree, folder: NodeDoc, fill: Fill): Promise<boolean> {
  if (folder.ownerId === fill.by && fill.owner === undefined) return true;
  const principal: Principal = { accountId: fill.by, role: 'user', readOnly: false };
  const chains = await tree.finder.byIds([folder._id, fill.from]);
  const may = (id: string, action: Action): boolean => {
    const chain = chains.get(id);
    return chain !== undefined && isThere(chain) && can(principal, action, chain.node, chain.ancestors) === 'yes';
  };
  return may(folder._id, 'change') && may(fill.from, 'read');
}

function copyOf(source: NodeDoc, folder: NodeDoc, fill: Fill): NodeDoc {
  const at = new Date();
  const content = source.content && { ...source.content, vid: newId(), at, by: fill.by };
  const copy = newNode({
    id: derivedId(fill.root, source._id),
    parent: folder,
    name: source.name,
    kind: source.kind,
    by: fill.by,
    at,
    properties: fromPairs(source.properties),
    content,
  });
  copy.birth = newId();
  if (source.kind === 'folder') {
    copy.fill = { ...fill, from: source._id, after: '' };
    copy.workAt = new Date(at.getTime() + CLAIM_MS);
  }
  return copy;
}

async function insertCopies(tree: Tree, folder: NodeDoc, fill: Fill, copies: NodeDoc[]): Promise<void> {
  const items = copies.map((copy) => ({
    nodeId: copy._id,
    taken: weightOf(copy),
    ...(copy.birth === undefined ? {} : { birth: copy.birth }),
  }));
  const reservation = await tree.ledger.reserve(folder.ownerId, items);
  const results = await Promise.allSettled(
    copies.map(async (copy): Promise<Outcome> => {
      const event = nodeEvent(tree.outbox, 'nodeCreated', copy, copy.rev, { by: fill.by });
      const outcome = await tree.nodes.insert({ ...copy, outbox: [event], outboxAt: copy.createdAt });
      // A name that somebody else took in the copy meanwhile stays theirs.
      if (outcome !== 'inserted') return 'failed';
      tree.outbox.announce(copy._id, [event]);
      return 'written';
    }),
  );
  reservation.settle(results.map((result) => (result.status === 'fulfilled' ? result.value : 'unknown')));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Those whose bytes are there; their blobs' time is renewed, so that no collection takes them before the copy names them. */
async function readable(tree: Tree, sources: NodeDoc[], call: CallOptions): Promise<NodeDoc[]> {
  const digests = new Set(sources.flatMap(({ content }) => content?.chunks.map(({ digest }) => digest) ?? []));
  if (digests.size === 0) return sources;
  const missing = new Set(await tree.renewBlobs([...digests], call));
  if (missing.size === 0) return sources;
  tree.logger.error({ missing: [...missing].slice(0, 20) }, 'files were not copied: their blobs are missing');
  return sources.filter(({ content }) => !content?.chunks.some(({ digest }) => missing.has(digest)));
}

/** Throws 500 `blob_missing`. */
export async function renew(tree: Tree, call: CallOptions, contents: ContentDoc[]): Promise<void> {
  const digests = new Set(contents.flatMap(({ chunks }) => chunks.map(({ digest }) => digest)));
  if (digests.size === 0) return;
  const missing = await tree.renewBlobs([...digests], call);
  if (missing.length > 0) throw appError('blob_missing', undefined, { cause: new Error(`missing: ${missing[0]}`) });
}
