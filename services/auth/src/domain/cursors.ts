import { appError } from '@coffer/service-kit';

export const idShape = /^[0-9a-f-]{36}$/;

/** Where a list in order of id goes on: at this id. */
export function encodeIdCursor(id: string): string {
  return Buffer.from(id).toString('base64url');
}

/** Throws 400 `invalid_cursor`. */
export function decodeIdCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!idShape.test(id)) throw appError('invalid_cursor');
  return id;
}
