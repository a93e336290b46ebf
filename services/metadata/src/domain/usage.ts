import type { EventEnvelope, Usage } from '@coffer/contracts';
import type { Delta, PendingEntry } from './quota.ts';

/** Figures of a part of the tree. */
export interface Figures {
  bytes: number;
  versionBytes: number;
  files: number;
  folders: number;
}

/** A move that is being decided: no other folder of the tree moves meanwhile. */
export interface MoveLease {
  token: string;
  at: Date;
  nodeId: string;
  /** The rev that the holder's update is conditional on. Whoever takes the lease over raises it first. */
  rev: number;
}

/** One per account: the figures that the quota is judged by, and what must be one document with them. */
export interface UsageDoc {
  _id: string;
  usedBytes: number;
  /** What counts: the operator's where there is one, else the plan's, else that of new accounts. */
  limitBytes: number;
  /** The latest that the account's plan gave, by `seq`. */
  planLimit?: { bytes: number; seq: number };
  /** Set by an operator in place of what the plan gives, until the plan gives something else. */
  operatorLimitBytes?: number;
  /** When its owner was told that space runs out; absent while there is enough. */
  warnedAt?: Date;
  outbox?: EventEnvelope[];
  outboxAt?: Date;
  versionBytes: number;
  files: number;
  folders: number;
  /** Raised by every change of the figures, so that a count can tell whether anything happened meanwhile. */
  seq: number;
  pending: Record<string, PendingEntry>;
  /** Not later than the oldest pending entry; absent when there may be none. */
  pendingAt?: Date;
  trashRev: number;
  trashAt?: Date;
  trash?: Figures & { rev: number; at: Date };
  /** Everything trashed until then is gone; the doom of each is under way. */
  emptyBefore?: Date;
  move?: MoveLease;
  /** The account is gone for good: nothing is taken here any more, and this document stays to say so. */
  deletedAt?: Date;
  /** Its tree is being removed. */
  removing?: true;
}

export const noFigures: Figures = { bytes: 0, versionBytes: 0, files: 0, folders: 0 };

export function addFigures(figures: Figures, delta: Delta): Figures {
  return {
    bytes: figures.bytes + (delta.bytes ?? 0),
    versionBytes: figures.versionBytes + (delta.versionBytes ?? 0),
    files: figures.files + (delta.files ?? 0),
    folders: figures.folders + (delta.folders ?? 0),
  };
}

export const figuresOf = (doc: UsageDoc): Figures => ({
  bytes: doc.usedBytes,
  versionBytes: doc.versionBytes,
  files: doc.files,
  folders: doc.folders,
});

/**
 * The public figures. Trash counts with its versions; `versionBytes` are those of live files; files and folders are the
 * live ones, without the root. Never below zero, since the two inputs are not read at one instant.
 */
export function toUsage(total: Figures, trash: Figures, limitBytes: number): Usage {
  const versionBytes = Math.max(0, total.versionBytes - trash.versionBytes);
  return {
    usedBytes: total.bytes,
    limitBytes,
    liveBytes: Math.max(0, total.bytes - trash.bytes - versionBytes),
    trashBytes: trash.bytes,
    versionBytes,
    files: Math.max(0, total.files - trash.files),
    folders: Math.max(0, total.folders - trash.folders),
  };
}
