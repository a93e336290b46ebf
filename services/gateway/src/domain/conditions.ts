import { appError } from '@coffer/service-kit';

/** Header names in lower case, as Node gives them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface EntityTag {
  /** Without quotes and without the weakness mark. */
  readonly tag: string;
  readonly weak: boolean;
}

const MAX_TAGS = 32;
// RFC 9110, 8.8.3: any visible character but the quote, and anything above ASCII.
const TAG = /\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)/y;

/** `If-Match` and `If-None-Match`: a list of tags, or `*`. Throws `invalid_header`. */
export function parseEntityTags(name: string, header: string): readonly EntityTag[] | '*' {
  if (header.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  TAG.lastIndex = 0;
  while (TAG.lastIndex < header.length) {
    const match = TAG.exec(header);
    if (match === null || tags.length === MAX_TAGS) {
      throw appError('invalid_header', `${name} is * or a list of at most ${MAX_TAGS} quoted entity tags`);
    }
    tags.push({ weak: match[1] !== undefined, tag: match[2] ?? '' });
  }
  if (tags.length === 0) throw appError('invalid_header', `${name} is empty`);
  return tags;
}

/** Milliseconds since the epoch, or undefined where the text is no date (which RFC 9110 has us ignore). */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/GMT$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

export interface Representation {
  /** Strong, without quotes. */
  readonly etag: string;
  /** Whole seconds are compared: the header has no finer ones. */
  readonly modifiedAtMs: number;
}

const secondsOf = (ms: number): number => Math.floor(ms / 1000);

function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** What a GET or HEAD answers, by the order of RFC 9110, 13.2.2. `range` tells whether a `Range` header counts (13.1.5). */
export type ReadOutcome =
  | { readonly status: 200; readonly range: boolean }
  | { readonly status: 304; readonly range?: never }
  | { readonly status: 412; readonly range?: never };

/** Throws `invalid_header` for malformed entity tags. */
export function judgeRead(headers: Headers, { etag, modifiedAtMs }: Representation): ReadOutcome {
  const ifMatch = header(headers, 'if-match');
  if (ifMatch !== undefined) {
    const tags = parseEntityTags('If-Match', ifMatch);
    if (tags !== '*' && !tags.some((one) => !one.weak && one.tag === etag)) return { status: 412 };
  } else {
    const since = parseHttpDate(header(headers, 'if-unmodified-since'));
    if (since !== undefined && secondsOf(modifiedAtMs) > secondsOf(since)) return { status: 412 };
  }
  const ifNoneMatch = header(headers, 'if-none-match');
  if (ifNoneMatch !== undefined) {
    const tags = parseEntityTags('If-None-Match', ifNoneMatch);
    if (tags === '*' || tags.some((one) => one.tag === etag)) return { status: 304 };
  } else {
    const since = parseHttpDate(header(headers, 'if-modified-since'));
    if (since !== undefined && secondsOf(modifiedAtMs) <= secondsOf(since)) return { status: 304 };
  }
  return { status: 200, range: ifRangeHolds(header(headers, 'if-range'), etag, modifiedAtMs) };
}

/** RFC 9110, 13.1.5: a strong tag that is the same, or the very date; anything else means "send the whole". */
function ifRangeHolds(value: string | undefined, etag: string, modifiedAtMs: number): boolean {
  if (value === undefined) return true;
  const text = value.trim();
  if (text.startsWith('"')) return text === `"${etag}"`;
  const at = parseHttpDate(text);
  return at !== undefined && secondsOf(at) === secondsOf(modifiedAtMs);
}

/** Conditions on a write, in the form that the metadata service judges in the update itself. */
export interface WriteConditions {
  readonly ifMatch?: string[];
  readonly ifNoneMatch?: string[];
  readonly ifRev?: number[];
}

/**
 * `If-Match` and `If-None-Match` on content. A weak tag never matches strongly (RFC 9110, 8.8.3.2): it keeps its mark, which no stored tag
 * has, so that a list of weak tags alone fails as it must. Throws `invalid_header`.
 */
export function contentConditions(headers: Headers): WriteConditions | undefined {
  const ifMatch = header(headers, 'if-match');
  const ifNoneMatch = header(headers, 'if-none-match');
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: strongTags(parseEntityTags('If-Match', ifMatch)) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: weakTags(parseEntityTags('If-None-Match', ifNoneMatch)) }),
  };
}

const strongTags = (tags: readonly EntityTag[] | '*'): string[] =>
  tags === '*' ? ['*'] : tags.map(({ tag, weak }) => (weak ? `W/"${tag}"` : tag));
const weakTags = (tags: readonly EntityTag[] | '*'): string[] => (tags === '*' ? ['*'] : tags.map(({ tag }) => tag));

/** A node's own tag, as opposed to its content's: it changes with every change of the node. */
export const revTag = (rev: number): string => `r${rev}`;

/** No node has it: what a tag that is no node's tag is compared as. */
const NO_REV = -1;

/** `If-Match` on a node. Tags that are no node tags match nothing. Throws `invalid_header`. */
export function nodeConditions(headers: Headers): WriteConditions | undefined {
  if (header(headers, 'if-none-match') !== undefined) {
    throw appError('invalid_header', 'If-None-Match has no meaning here');
  }
  const ifMatch = header(headers, 'if-match');
  if (ifMatch === undefined) return undefined;
  const tags = parseEntityTags('If-Match', ifMatch);
  // What the request names is there or answers 404 anyway.
  if (tags === '*') return undefined;
  return { ifRev: tags.map(({ tag, weak }) => (!weak && /^r\d{1,15}$/.test(tag) ? Number(tag.slice(1)) : NO_REV)) };
}
