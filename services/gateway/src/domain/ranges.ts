/** Half-open: bytes `[start, end)`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type RangeOutcome =
  | { readonly kind: 'whole' }
  | { readonly kind: 'unsatisfiable' }
  | ({ readonly kind: 'part' } & ByteRange);

const WHOLE: RangeOutcome = { kind: 'whole' };
const UNSATISFIABLE: RangeOutcome = { kind: 'unsatisfiable' };
/** More digits than any size that stays exact as a number. */
const SPECIFIER = /^(\d{0,15})-(\d{0,15})$/;

/**
 * What of `sizeBytes` bytes a `Range` header asks for (RFC 9110, 14.1 and 14.2).
 *
 * Units other than `bytes` are ignored, and so are several ranges at once: the whole is a legal answer to both. A malformed specifier is
 * refused as unsatisfiable, which 14.2 allows: an answer with other bytes than meant would go unnoticed.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RangeOutcome {
  if (header === undefined) return WHOLE;
  const equals = header.indexOf('=');
  if (equals === -1) return UNSATISFIABLE;
  if (header.slice(0, equals).trim().toLowerCase() !== 'bytes') return WHOLE;
  const specifiers = header
    .slice(equals + 1)
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const [only] = specifiers;
  if (only === undefined) return UNSATISFIABLE;
  if (specifiers.length > 1) return specifiers.every((one) => SPECIFIER.test(one)) ? WHOLE : UNSATISFIABLE;
  return single(only, sizeBytes);
}

function single(specifier: string, sizeBytes: number): RangeOutcome {
  const match = SPECIFIER.exec(specifier);
  const first = match?.[1] ?? '';
  const last = match?.[2] ?? '';
  if (first === '' && last === '') return UNSATISFIABLE;
  if (first === '') {
    const suffixBytes = Number(last);
    if (suffixBytes === 0 || sizeBytes === 0) return UNSATISFIABLE;
    return { kind: 'part', start: Math.max(0, sizeBytes - suffixBytes), end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (start >= sizeBytes || (last !== '' && Number(last) < start)) return UNSATISFIABLE;
  return { kind: 'part', start, end };
}

/** A slice of a stored blob. */
export interface Slice {
  readonly digest: string;
  readonly offset: number;
  readonly length: number;
}

/** The slices that hold bytes `[start, end)` of a file whose content is `chunks`, in order. */
export function slicesOf(chunks: readonly Slice[], { start, end }: ByteRange): Slice[] {
  const slices: Slice[] = [];
  let position = 0;
  for (const chunk of chunks) {
    const from = Math.max(start, position);
    const to = Math.min(end, position + chunk.length);
    if (from < to) slices.push({ digest: chunk.digest, offset: chunk.offset + (from - position), length: to - from });
    position += chunk.length;
    if (position >= end) break;
  }
  return slices;
}
