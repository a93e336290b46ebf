import { appError } from '@coffer/service-kit';
import type { NodeKind } from './node.ts';

/** The longest name, in bytes of UTF-8: what every file system that people sync with can hold. */
export const MAX_NAME_BYTES = 255;
const MAX_FOLD_UNITS = 512;

/** Why `name` is not a legal name, or null. Legal names are kept exactly as given: nothing is normalised. */
export function nameProblem(name: string): string | null {
  if (name === '') return 'must not be empty';
  if (name === '.' || name === '..') return 'must not be "." or ".."';
  if (name.includes('/')) return 'must not hold "/"';
  if (name.includes('\0')) return 'must not hold NUL';
  // A lone surrogate is no Unicode text: it would be stored as U+FFFD and so be another name than the one given.
  if (!name.isWellFormed()) return 'must be well-formed Unicode';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `must be at most ${MAX_NAME_BYTES} bytes of UTF-8`;
  return null;
}

/** Throws 400 `invalid_name` that points to `path` within the request. */
export function checkName(name: string, path: string): void {
  const problem = nameProblem(name);
  if (problem === null) return;
  throw appError('invalid_name', `The name ${problem}`, { errors: [{ path, message: problem }] });
}

export function checkPath(names: readonly string[], path: string): void {
  for (const [i, name] of names.entries()) checkName(name, `${path}/${i}`);
}

/**
 * The key that orders and makes unique the children of a folder. The slash lets a file and a folder of one name stand
 * side by side and puts each where an object-key view of the tree needs it (`a`, `a-b`, `a/`).
 */
export function sortKey(name: string, kind: NodeKind): string {
  return kind === 'folder' ? `${name}/` : name;
}

/** What search compares: width and case variants are one. Cut, since some characters unfold to eighteen. */
export function foldName(text: string): string {
  return text.normalize('NFKC').toLowerCase().slice(0, MAX_FOLD_UNITS).toWellFormed();
}

/** The `n`-th free-name candidate: `photo (1).jpg`, `folder.d (1)`; n = 0 is the name itself. Never longer than allowed. */
export function freeName(name: string, kind: NodeKind, n: number): string {
  if (n === 0) return name;
  const dot = kind === 'file' ? name.lastIndexOf('.') : -1;
  let extension = dot > 0 ? name.slice(dot) : '';
  // A "name" that is nearly all extension would leave no room for the stem.
  if (Buffer.byteLength(extension) > MAX_NAME_BYTES / 2) extension = '';
  const stem = name.slice(0, name.length - extension.length);
  const tail = ` (${n})${extension}`;
  return cutToBytes(stem, MAX_NAME_BYTES - Buffer.byteLength(tail)) + tail;
}

function cutToBytes(text: string, maxBytes: number): string {
  let bytes = 0;
  let cut = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}
