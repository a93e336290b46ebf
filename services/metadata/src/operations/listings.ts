import { NOBODY, type NodeRecord } from '@coffer/contracts';
import { demandAccount, roleOf } from '../domain/access.ts';
import { makeCursor, type Page, readCursor, timeKey, timePlaceOf } from '../domain/cursors.ts';
import type { Chain, NodeDoc } from '../domain/node.ts';
import { isThere } from './finder.ts';
import { sift } from './sift.ts';
import { type Caller, pathOf, record, type Tree } from './tree.ts';

export interface PageOf {
  limit: number;
  cursor: string | undefined;
}

/** What `make` makes of each node that is there, chains and all; null for those that are not. */
async function picked<T>(
  tree: Tree,
  nodes: readonly NodeDoc[],
  make: (chain: Chain) => T | null,
): Promise<(T | null)[]> {
  const chains = await tree.finder.byIds(nodes.map(({ _id }) => _id));
  return nodes.map(({ _id }) => {
    const chain = chains.get(_id);
    return chain === undefined || !isThere(chain) ? null : make(chain);
  });
}

/** Every file of the caller's tree with its path, in the order of their making. */
export async function listFiles(
  tree: Tree,
  { principal }: Caller,
  o: PageOf,
): Promise<Page<{ node: NodeRecord; path: string[] }>> {
  const { accountId } = principal;
  demandAccount(accountId);
  const begin = timePlaceOf(readCursor(o.cursor, 'files', accountId));
  const { items, last } = await sift(
    o.limit,
    (after, count) =>
      tree.lists.files(accountId, after === null ? begin : { key: after.createdAt, id: after._id }, count),
    (nodes) => picked(tree, nodes, (chain) => ({ node: record(principal, chain), path: pathOf(chain) })),
  );
  return { items, nextCursor: last && makeCursor('files', accountId, timeKey(last.createdAt, last._id)) };
}

/** Published files of everyone or of one account that anyone may see at this moment, the latest first. */
export async function listPublished(
  tree: Tree,
  { principal }: Caller,
  o: PageOf & { ownerId?: string | undefined },
): Promise<Page<NodeRecord>> {
  const scope = o.ownerId ?? '';
  const begin = timePlaceOf(readCursor(o.cursor, 'published', scope));
  const { items, last } = await sift(
    o.limit,
    (after, count) => tree.lists.published(o.ownerId, after === null ? begin : publishedPlace(after), count),
    (nodes) =>
      picked(tree, nodes, (chain) =>
        roleOf(NOBODY, chain.node, chain.ancestors) === null ? null : record(principal, chain),
      ),
  );
  return { items, nextCursor: last && makeCursor('published', scope, timeKey(last.publishedAt, last._id)) };
}

function publishedPlace(node: NodeDoc) {
  return { key: node.publishedAt ?? new Date(0), id: node._id };
}

/** What others granted to the caller by name, the latest grant first. */
export async function listShared(tree: Tree, { principal }: Caller, o: PageOf): Promise<Page<NodeRecord>> {
  const { accountId } = principal;
  demandAccount(accountId);
  const begin = timePlaceOf(readCursor(o.cursor, 'shared', accountId));
  const grantedAt = (node: NodeDoc): Date =>
    node.grants.find((grant) => grant.accountId === accountId)?.at ?? new Date(0);
  const { items, last } = await sift(
    o.limit,
    (after, count) =>
      tree.lists.shared(accountId, after === null ? begin : { key: grantedAt(after), id: after._id }, count),
    (nodes) => picked(tree, nodes, (chain) => (isGranted(chain) ? record(principal, chain) : null)),
  );
  return { items, nextCursor: last && makeCursor('shared', accountId, timeKey(grantedAt(last), last._id)) };

  /** It may have been taken back since the list was read. */
  function isGranted({ node }: Chain): boolean {
    return node.grants.some((grant) => grant.accountId === accountId);
  }
}
