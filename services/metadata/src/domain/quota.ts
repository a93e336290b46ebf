import type { VersionSize } from './node.ts';

/** A change of an account's figures. Absent means zero. `files` and `folders` do not count the root. */
export interface Delta {
  bytes?: number;
  versionBytes?: number;
  files?: number;
  folders?: number;
}

/**
 * What a reservation is for, written into the usage document by the update that takes the space. Whoever finds it later
 * can tell from the node whether the write happened: a created node exists (with this `birth`, if there is one); a
 * replaced one has `vid` among its contents.
 */
export interface PendingItem {
  nodeId: string;
  /** Set for a replacement: the new content's id, and the rev that its update is conditional on. */
  vid?: string;
  rev?: number;
  birth?: string;
  /** Taken with the reservation, given back if the write did not happen. */
  taken: Delta;
  /** Applied when the write has happened: what the replacement let go. */
  onWrite?: Delta;
}

/** A batch of writes, or a batch of doomed nodes whose bytes are given back (`total` once that is decided). */
export type PendingEntry =
  | { at: Date; kind: 'write'; items: PendingItem[] }
  | { at: Date; kind: 'purge'; nodeIds: string[]; total?: Delta };

/** `unknown`: the connection was lost, so the node must be asked. */
export type Outcome = 'written' | 'failed' | 'unknown';

const fields = ['bytes', 'versionBytes', 'files', 'folders'] as const;

export function addDeltas(deltas: readonly Delta[]): Delta {
  const sum: Delta = {};
  for (const delta of deltas) {
    for (const field of fields) {
      const value = (sum[field] ?? 0) + (delta[field] ?? 0);
      if (value === 0) delete sum[field];
      else sum[field] = value;
    }
  }
  return sum;
}

export function negate(delta: Delta): Delta {
  return Object.fromEntries(Object.entries(delta).map(([field, value]: [string, number]) => [field, -value]));
}

/** What settling adds to the figures, once each item's fate is known. */
export function settlement(items: readonly PendingItem[], outcomes: readonly Exclude<Outcome, 'unknown'>[]): Delta {
  return addDeltas(items.map((item, i) => (outcomes[i] === 'written' ? (item.onWrite ?? {}) : negate(item.taken))));
}

export const isZero = (delta: Delta): boolean => Object.keys(addDeltas([delta])).length === 0;

export interface ReplacePlan {
  /** How many of the older versions stay, counting the one just replaced. */
  keep: number;
  droppedVids: string[];
  taken: Delta;
  onWrite: Delta;
}

/**
 * A replacement's arithmetic: the new content is taken, what is replaced becomes a version, and the oldest beyond
 * `maxVersions` go. Space that they free is given back only after the write, so that a full account cannot go over its
 * limit between the two. `unsettled` are versions whose own reservation still stands: dropping one would remove the
 * proof that it was written, so they and all newer ones stay a while longer.
 */
export function planReplace(
  sizeBytes: number,
  current: VersionSize,
  versions: readonly VersionSize[],
  maxVersions: number,
  unsettled: ReadonlySet<string>,
): ReplacePlan {
  const all = [current, ...versions];
  let keep = all.length;
  for (let i = all.length - 1; i >= maxVersions; i--) {
    const version = all[i];
    if (version === undefined || unsettled.has(version.vid)) break;
    keep = i;
  }
  const dropped = all.slice(keep);
  const droppedBytes = dropped.reduce((sum, { size }) => sum + size, 0);
  return {
    keep,
    droppedVids: dropped.map(({ vid }) => vid),
    taken: addDeltas([{ bytes: sizeBytes, versionBytes: current.size }]),
    onWrite: addDeltas([{ bytes: -droppedBytes, versionBytes: -droppedBytes }]),
  };
}

/** What one node weighs in its owner's figures. */
export function weightOf(node: {
  kind: 'file' | 'folder';
  parentId: string | null;
  content?: { size: number };
  versions?: readonly { size: number }[];
}): Delta {
  if (node.kind === 'folder') return node.parentId === null ? {} : { folders: 1 };
  const versionBytes = (node.versions ?? []).reduce((sum, { size }) => sum + size, 0);
  return { bytes: (node.content?.size ?? 0) + versionBytes, versionBytes, files: 1 };
}
