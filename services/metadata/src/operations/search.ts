import { createHash } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import { demandAccount } from '../domain/access.ts';
import { makeCursor, type Page, type Place, readCursor } from '../domain/cursors.ts';
import { foldName } from '../domain/names.ts';
import type { NodeDoc } from '../domain/node.ts';
import { isThere } from './finder.ts';
import type { Caller, Tree } from './tree.ts';

/** How much one request looks through when nearly all that is found lies in the trash. */
const MAX_ROUNDS = 10;
const ID_LENGTH = 36;

/** Names in the caller's tree that begin with or hold the text, case and width ignored, in the order of the folded names. */
export async function searchByName(
  tree: Tree,
  caller: Caller,
  o: { q: string; match: 'prefix' | 'substring'; limit: number; cursor: string | undefined },
): Promise<Page<NodeDoc>> {
  const { accountId } = caller.principal;
  demandAccount(accountId);
  const text = foldName(o.q);
  if (text === '' || text.includes('\0')) return { items: [], nextCursor: null };
  const scope = `${accountId}.${o.match}.${createHash('sha256').update(text).digest('base64url')}`;
  let after = placeOf(readCursor(o.cursor, 'search', scope));
  const items: NodeDoc[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const wanted = o.limit + 1 - items.length;
    const found = await tree.lists.byName(accountId, text, o.match, after, wanted);
    // Live itself, but perhaps below a folder that is not.
    const chains = await tree.finder.byIds(found.map(({ _id }) => _id));
    for (const node of found) {
      const chain = chains.get(node._id);
      if (chain === undefined || !isThere(chain)) continue;
      if (items.length === o.limit) return { items, nextCursor: cursorAt(scope, items.at(-1)) };
      items.push(node);
    }
    const last = found.at(-1);
    if (found.length < wanted || last === undefined) return { items, nextCursor: null };
    after = { key: last.nameFold, id: last._id };
    if (items.length === o.limit) continue;
    if (round === MAX_ROUNDS - 1) return { items, nextCursor: cursorAt(scope, last) };
  }
  return { items, nextCursor: cursorAt(scope, items.at(-1)) };
}

function cursorAt(scope: string, node: NodeDoc | undefined): string | null {
  return node === undefined ? null : makeCursor('search', scope, node._id + node.nameFold);
}

function placeOf(key: string | null): Place<string> | null {
  if (key === null) return null;
  if (key.length <= ID_LENGTH) throw appError('invalid_cursor');
  return { id: key.slice(0, ID_LENGTH), key: key.slice(ID_LENGTH) };
}
