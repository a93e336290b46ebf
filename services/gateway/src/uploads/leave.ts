/**
 * Leave to write into a place, remembered for a moment. An upload is asked about before its bytes are taken, so that what will be refused
 * stores nothing; a program that uploads many small files would pay for the same answer each time. The write itself is judged again in full
 * when it is committed: what is remembered here can only spare a question, and at worst a refused upload leaves bytes for collection.
 */
export interface LeaveBook {
  /** Whether there is leave for `sizeBytes` more here; they are counted at once. */
  take(accountId: string, place: string, sizeBytes: number): boolean;
  grant(accountId: string, place: string, availableBytes: number): void;
  /** After anything that may change what this account may write: a refusal, a deletion, a move. */
  forget(accountId: string): void;
}

const VALID_MS = 1_000;
const MAX_ACCOUNTS = 10_000;
const MAX_PLACES = 256;

interface Entry {
  readonly untilMs: number;
  leftBytes: number;
}

export function createLeaveBook(now: () => number = () => performance.now()): LeaveBook {
  const accounts = new Map<string, Map<string, Entry>>();
  return {
    take(accountId, place, sizeBytes) {
      const entry = accounts.get(accountId)?.get(place);
      if (entry === undefined || entry.untilMs < now() || entry.leftBytes < sizeBytes) return false;
      entry.leftBytes -= sizeBytes;
      return true;
    },
    grant(accountId, place, availableBytes) {
      let places = accounts.get(accountId);
      if (places === undefined) {
        if (accounts.size >= MAX_ACCOUNTS) accounts.clear();
        places = new Map();
        accounts.set(accountId, places);
      }
      if (places.size >= MAX_PLACES) places.clear();
      places.set(place, { untilMs: now() + VALID_MS, leftBytes: availableBytes });
    },
    forget(accountId) {
      accounts.delete(accountId);
    },
  };
}
