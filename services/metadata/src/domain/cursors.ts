import { appError } from '@coffer/service-kit';

/** Which list a cursor belongs to; one of another list is refused. */
export type ListName = 'children' | 'trash' | 'search' | 'files' | 'published' | 'shared';

/**
 * An opaque cursor: the list, what it is a list of (a folder, a query), and the key of the last item. It needs no
 * signature: it only says where to go on within what the caller may see anyway.
 */
export function makeCursor(list: ListName, scope: string, lastKey: string): string {
  // Plain text, not JSON: escapes would make a legal name of control characters too long for a cursor.
  return Buffer.from(`${list}\n${scope}\n${lastKey}`).toString('base64url');
}

/** The last key, null without a cursor. `scope` must hold no line break. Throws 400 `invalid_cursor`. */
export function readCursor(cursor: string | undefined, list: ListName, scope: string): string | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const head = `${list}\n${scope}\n`;
  if (text.startsWith(head)) return text.slice(head.length);
  throw appError('invalid_cursor', 'This cursor belongs to another list', {
    errors: [{ path: '/cursor', message: 'not a cursor of this list' }],
  });
}

/** A place in a list that is ordered by something and, among equals, by id. */
export interface Place<K> {
  key: K;
  id: string;
}

/** The key of an item in a list that is ordered by a time. */
export const timeKey = (at: Date | undefined, id: string): string => `${at?.getTime()}.${id}`;

/** The place that `timeKey` names. Throws 400 `invalid_cursor`. */
export function timePlaceOf(key: string | null): Place<Date> | null {
  if (key === null) return null;
  const [ms = '', id = ''] = key.split('.');
  const at = new Date(Number(ms));
  if (ms === '' || id === '' || Number.isNaN(at.getTime())) throw appError('invalid_cursor');
  return { key: at, id };
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** A page from one item more than it holds, which only tells that there is more. */
export function toPage<T>(found: readonly T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last !== undefined ? cursorOf(last) : null };
}
