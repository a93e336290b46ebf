import { appError } from '@coffer/service-kit';

export const DEFAULT_PAGE = 100;

/** Says which list it belongs to and the id of the last item. Only where to go on, within what the caller may see anyway: not signed. */
export function makeCursor(list: string, lastId: string): string {
  return Buffer.from(`${list}\n${lastId}`).toString('base64url');
}

/** The last id; undefined without a cursor. Throws 400 `invalid_cursor`. */
export function readCursor(cursor: string | undefined, list: string): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString();
  const id = text.startsWith(`${list}\n`) ? text.slice(list.length + 1) : '';
  if (/^[0-9a-f-]{36}$/.test(id)) return id;
  throw appError('invalid_cursor', 'This cursor belongs to another list', {
    errors: [{ path: '/cursor', message: 'not a cursor of this list' }],
  });
}

/** A page from one item more than it holds, which only tells that there is more. */
export function toPage<T>(
  found: readonly T[],
  limit: number,
  cursorOf: (last: T) => string,
): { items: T[]; nextCursor: string | null } {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last !== undefined ? cursorOf(last) : null };
}
