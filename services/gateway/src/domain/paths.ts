import { appError } from '@coffer/service-kit';

/** Names as the tree keeps them, from the root on; `folder` where the path ends with a slash (or is the root). */
export interface FilePath {
  readonly names: string[];
  readonly folder: boolean;
}

const MAX_DEPTH = 256;
const MAX_NAME_BYTES = 255;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The part of a request target after `prefix`, undecoded, without the query; undefined where the target does not begin with `prefix`
 * literally. Nothing is normalised: what a router or a URL parser makes of dots and slashes must not decide which file is meant.
 */
export function rawTail(target: string, prefix: string): string | undefined {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const origin = path.startsWith('/') ? 0 : path.indexOf('/', path.indexOf('://') + 3);
  return path.startsWith(prefix, origin) ? path.slice(origin + prefix.length) : undefined;
}

/** Splits and decodes a raw path. Throws `invalid_name` or `bad_request`, saying which name is at fault. */
export function parsePath(raw: string): FilePath {
  if (raw === '') return { names: [], folder: true };
  const folder = raw.endsWith('/');
  const segments = (folder ? raw.slice(0, -1) : raw).split('/');
  if (segments.length > MAX_DEPTH) throw appError('invalid_name', `A path has at most ${MAX_DEPTH} names`);
  return { names: segments.map(decodeName), folder };
}

/** One percent-encoded name. */
export function decodeName(segment: string): string {
  const name = decodeText(segment);
  checkName(name);
  return name;
}

/** Percent-encoded UTF-8, once decoded. Throws `bad_request` for what is not. */
export function decodeText(text: string): string {
  return isPlain(text) ? text : decodeBytes(text);
}

const OWN_REFUSALS = /^\/(?:api|data|users)\//;

/**
 * A request target as the router is to see it. It refuses what it cannot decode before any route is asked, in no dialect's shape: below their
 * prefixes such a target goes on with its percent signs escaped, to a route that judges the original.
 */
export function routableTarget(target: string): string {
  if (!target.includes('%') || !OWN_REFUSALS.test(target)) return target;
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  try {
    decodeURIComponent(path);
    return target;
  } catch {
    return path.replaceAll('%', '%25') + target.slice(path.length);
  }
}

function isPlain(segment: string): boolean {
  return /^[\x21-\x24\x26-\x7e]*$/.test(segment);
}

function decodeBytes(segment: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(segment)) throw appError('bad_request', 'The path is not well percent-encoded');
  const latin1 = segment.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    throw appError('bad_request', 'The path is not UTF-8');
  }
}

/** Throws `invalid_name` for what no file or folder may be called; the metadata service has the last word. */
export function checkName(name: string): void {
  if (name === '') throw appError('invalid_name', 'A name is empty');
  if (name === '.' || name === '..') throw appError('invalid_name', `A name must not be ${name}`);
  if (name.includes('/') || name.includes('\0')) throw appError('invalid_name', 'A name holds neither a slash nor NUL');
  if (!name.isWellFormed()) throw appError('invalid_name', 'A name is not well-formed Unicode');
  if (name.length > MAX_NAME_BYTES || (name.length > 85 && Buffer.byteLength(name) > MAX_NAME_BYTES)) {
    throw appError('invalid_name', `A name has at most ${MAX_NAME_BYTES} bytes of UTF-8`);
  }
}

/** The path of a URL for these names. */
export const encodePath = (names: readonly string[]): string => names.map(encodeURIComponent).join('/');
