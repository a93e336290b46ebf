import { isUtf8 } from 'node:buffer';

/** What clients send when they were told nothing: worth less than a look at the bytes. */
const UNTOLD = new Set(['application/octet-stream', 'application/x-www-form-urlencoded', 'binary/octet-stream']);
/** RFC 9110, 8.3.1: type/subtype, then parameters. */
const MEDIA_TYPE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)((?:\s*;[\x20-\x7e]*)?)$/;

/** A media type, normalised but for its parameters; null for what is none, undefined for nothing. */
export function mediaType(header: string | undefined): string | undefined | null {
  if (header === undefined || header.trim() === '') return undefined;
  if (header.length > 255) return null;
  const match = MEDIA_TYPE.exec(header.trim());
  return match === null ? null : `${(match[1] ?? '').toLowerCase()}${match[2] ?? ''}`;
}

/** The type that a sender states, or undefined where it states none to rely on; null where what it states is no media type. */
export function statedType(header: string | undefined): string | undefined | null {
  const type = mediaType(header);
  if (type === undefined || type === null) return type;
  return UNTOLD.has(/^[^;\s]*/.exec(type)?.[0] ?? '') ? undefined : type;
}

const INLINE =
  /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|(?:audio|video)\/[\w.+-]+|text\/plain)(?:\s*;|$)/;

/** Types that a browser only shows and never runs or follows. Everything else is for saving. */
export const isSafeInline = (mime: string): boolean => INLINE.test(mime);

/** Users' bytes come from the service's own origin: this keeps a document among them from acting in it. */
export const CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells text from the rest
const NOT_TEXT = /[\x00-\x08\x0b\x0e-\x1f\x7f]/;

/** Whether `bytes`, the beginning of a file (all of it if `whole`), read as UTF-8 text. */
export function looksLikeText(bytes: Buffer, whole: boolean): boolean {
  if (NOT_TEXT.test(bytes.toString('latin1'))) return false;
  if (whole) return isUtf8(bytes);
  // A character of up to four bytes may be cut where the beginning ends.
  return [0, 1, 2, 3].some((cut) => isUtf8(bytes.subarray(0, bytes.length - cut)));
}
