/**
 * Where the scrub stands, and when each blob is due. Digests are spread evenly, so a digest's place among all possible
 * ones is how far a pass has come: no counting is needed, and blobs that come and go do not disturb the pace.
 */
export interface ScrubState {
  /** ISO times throughout. */
  readonly passStartedAt: string;
  /** The last digest this pass has checked, or ''. */
  readonly cursor: string;
  /** Per first byte of the digest: since when every blob there was checked or written (null: not known). */
  readonly checkedAt: readonly (string | null)[];
  /** When this pass came to the bucket it is in. */
  readonly bucketStartedAt: string;
  readonly damaged: number;
  /** Which instance checks, and when it last said so: of several sharing one store, one is enough. */
  readonly holder: string;
  readonly heldAt: string;
}

const BUCKETS = 256;
/** A pass aims at a part of the period, so that a rest or a slow disk does not break the promise. */
const PASS_SHARE = 0.8;

/** Of a store that is empty now, every later blob is checked when it is written; of another, nothing is known yet. */
export function firstState(now: Date, isEmpty: boolean, holder: string): ScrubState {
  const at = now.toISOString();
  return {
    passStartedAt: at,
    cursor: '',
    checkedAt: Array.from({ length: BUCKETS }, () => (isEmpty ? at : null)),
    bucketStartedAt: at,
    damaged: 0,
    holder,
    heldAt: at,
  };
}

/** When a blob's turn comes in the running pass. */
export function dueAt(state: ScrubState, digest: string, periodMs: number): Date {
  const share = Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48;
  return new Date(Date.parse(state.passStartedAt) + share * periodMs * PASS_SHARE);
}

/** After `digest` was looked at: buckets left behind count as checked since the pass entered them. */
export function advance(state: ScrubState, digest: string, now: Date): ScrubState {
  const from = bucketOf(state.cursor);
  const to = bucketOf(digest);
  if (from === to) return { ...state, cursor: digest };
  return { ...finishBuckets(state, from, to), cursor: digest, bucketStartedAt: now.toISOString() };
}

/** The end of a pass; the next begins at once, at its own pace. */
export function finishPass(state: ScrubState, now: Date): ScrubState {
  const at = now.toISOString();
  return {
    ...finishBuckets(state, bucketOf(state.cursor), BUCKETS),
    passStartedAt: at,
    bucketStartedAt: at,
    cursor: '',
  };
}

/** No blob's last check is older than this; null as long as a part was never checked. */
export function oldestCheck(state: ScrubState): Date | null {
  let oldest = Number.POSITIVE_INFINITY;
  for (const at of state.checkedAt) {
    if (at === null) return null;
    oldest = Math.min(oldest, Date.parse(at));
  }
  return new Date(oldest);
}

/** Text from the store, or null if it is not a state: then the scrub begins anew, which is never wrong. */
export function parseState(text: string | null): ScrubState | null {
  try {
    const value: Partial<ScrubState> | null = JSON.parse(text ?? 'null');
    if (value === null || typeof value !== 'object') return null;
    const { passStartedAt, cursor, checkedAt, bucketStartedAt, damaged, holder, heldAt } = value;
    const isTime = (one: unknown): one is string => typeof one === 'string' && !Number.isNaN(Date.parse(one));
    if (!isTime(passStartedAt) || !isTime(bucketStartedAt) || !isTime(heldAt)) return null;
    if (typeof cursor !== 'string' || !/^([0-9a-f]{64})?$/.test(cursor)) return null;
    if (typeof damaged !== 'number' || typeof holder !== 'string') return null;
    if (!Array.isArray(checkedAt) || checkedAt.length !== BUCKETS) return null;
    if (!checkedAt.every((one) => one === null || isTime(one))) return null;
    return { passStartedAt, cursor, checkedAt, bucketStartedAt, damaged, holder, heldAt };
  } catch {
    return null;
  }
}

function finishBuckets(state: ScrubState, from: number, to: number): ScrubState {
  const checkedAt = state.checkedAt.map((at, bucket) => {
    if (bucket === from) return state.bucketStartedAt;
    // Empty ones on the way: whatever comes into them is checked when it is written.
    return bucket > from && bucket < to ? state.bucketStartedAt : at;
  });
  return { ...state, checkedAt };
}

function bucketOf(digest: string): number {
  return digest === '' ? 0 : Number.parseInt(digest.slice(0, 2), 16);
}
