import type { NodeRecord, NodeRef, Principal } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import { makeCursor, type Page, readCursor, toPage } from '../domain/cursors.ts';
import { type Caller, find, folderOnly, record, type Tree } from './tree.ts';

export interface Question {
  accountId: string;
  ref: NodeRef;
  link?: Principal['link'];
}
export type Answer = { node: NodeRecord } | { error: { code: string; detail: string } };

/** Each question on behalf of its own account; all that are asked in one turn are fetched together. */
export async function resolveMany(tree: Tree, questions: readonly Question[]): Promise<Answer[]> {
  return await Promise.all(
    questions.map(async ({ accountId, ref, link }): Promise<Answer> => {
      const principal: Principal = { accountId, role: 'user', readOnly: true, ...(link && { link }) };
      try {
        const caller = { principal, traceparent: undefined, call: {} };
        return { node: record(principal, await find(tree, caller, ref, 'read')) };
      } catch (error) {
        if (!isAppError(error)) throw error;
        return { error: { code: error.code, detail: error.detail } };
      }
    }),
  );
}

export async function listChildren(
  tree: Tree,
  caller: Caller,
  id: string,
  limit: number,
  cursor: string | undefined,
): Promise<Page<NodeRecord>> {
  const { node, ancestors } = folderOnly(await find(tree, caller, { id }, 'read'));
  const after = readCursor(cursor, 'children', node._id);
  if (after === '') throw appError('invalid_cursor');
  const found = await tree.lists.children(node.ownerId, node._id, after, limit + 1);
  for (const child of found) tree.hints.saw(child);
  const page = toPage(found, limit, ({ sort }) => makeCursor('children', node._id, sort));
  // Each may be open to the caller for more than its folder is.
  const items = page.items.map((child) => record(caller.principal, { node: child, ancestors: [node, ...ancestors] }));
  return { items, nextCursor: page.nextCursor };
}
