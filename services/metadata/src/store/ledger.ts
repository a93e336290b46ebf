import { appError, type Logger } from '@coffer/service-kit';
import { addDeltas, type Delta, isZero, type Outcome, type PendingItem, settlement } from '../domain/quota.ts';
import type { SpaceSeen } from '../domain/space.ts';
import type { UsageDoc } from '../domain/usage.ts';
import { newBatchId, type UsageStore } from './usage.ts';

/** Space that is taken for writes that have not happened yet. It must be settled, whatever becomes of them. */
export interface Reservation {
  /** Ids of versions whose own reservations stand at this moment (this one's excluded). */
  readonly unsettled: ReadonlySet<string>;
  /** One outcome per item. Returns at once; what is left open by a crash is settled by the sweeper. */
  settle(outcomes: readonly Outcome[]): void;
}

export interface LedgerOptions {
  /** How long settled batches wait for a reservation to go along with. */
  idleMs?: number;
  /** Per update. */
  maxItems?: number;
  /** Hears how much space was left after each reservation. */
  sawFree?: (accountId: string, freeBytes: number) => void;
  /** Hears of space that was taken and used. Must not throw; shutdown and `flush` wait for it. */
  onTaken?: (accountId: string, seen: SpaceSeen) => Promise<void> | undefined;
}

interface Waiting {
  items: PendingItem[];
  resolve: (reservation: Reservation) => void;
  reject: (error: unknown) => void;
}

interface Lane {
  waiting: Waiting[];
  /** Batches that are over and change no figure: they go along with the next update, or after a short idle time. */
  settled: Set<string>;
  running: boolean;
  idle?: NodeJS.Timeout;
}

/**
 * Takes and settles space. An account's document is hot, and one document takes hundreds of updates a second, so all
 * that wait for one account go together: one conditional update for their sum, and one by one only if that fails.
 *
 * The update that takes the space also writes down what for (`pending`). So a crash at any later point leaves a record
 * from which any instance can tell, by asking the nodes, whether to keep the space or to give it back (see sweeper.ts).
 */
export class Ledger {
  readonly #usage: UsageStore;
  readonly #logger: Logger;
  readonly #idleMs: number;
  readonly #maxItems: number;
  readonly #sawFree: (accountId: string, freeBytes: number) => void;
  readonly #onTaken: LedgerOptions['onTaken'];
  readonly #lanes = new Map<string, Lane>();
  readonly #settling = new Set<Promise<void>>();

  constructor(usage: UsageStore, logger: Logger, o: LedgerOptions = {}) {
    this.#usage = usage;
    this.#logger = logger;
    this.#idleMs = o.idleMs ?? 50;
    this.#maxItems = o.maxItems ?? 256;
    this.#sawFree = o.sawFree ?? (() => {});
    this.#onTaken = o.onTaken;
  }

  /** All items or none. Throws 507 `quota_exceeded`, 404 for an account that is gone; on any other error the sweeper finds what may have been taken. */
  reserve(accountId: string, items: PendingItem[]): Promise<Reservation> {
    return new Promise((resolve, reject) => {
      const lane = this.#lane(accountId);
      lane.waiting.push({ items, resolve, reject });
      this.#start(accountId, lane);
    });
  }

  /** Settles what can be settled now: for shutdown, and before a count. */
  async flush(accountId?: string): Promise<void> {
    await Promise.allSettled([...this.#settling]);
    const ids = accountId === undefined ? [...this.#lanes.keys()] : [accountId];
    await Promise.all(ids.map((id) => this.#forgetSettled(id)));
  }

  #lane(accountId: string): Lane {
    let lane = this.#lanes.get(accountId);
    if (lane === undefined) {
      lane = { waiting: [], settled: new Set(), running: false };
      this.#lanes.set(accountId, lane);
    }
    return lane;
  }

  #start(accountId: string, lane: Lane): void {
    if (lane.running) return;
    lane.running = true;
    clearTimeout(lane.idle);
    // After the current turn, so that what the same turn asks for goes along.
    queueMicrotask(() => void this.#run(accountId, lane));
  }

  async #run(accountId: string, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) {
      const group: Waiting[] = [];
      let size = 0;
      for (let next = lane.waiting[0]; next !== undefined; next = lane.waiting[0]) {
        if (group.length > 0 && size + next.items.length > this.#maxItems) break;
        group.push(next);
        size += next.items.length;
        lane.waiting.shift();
      }
      await this.#take(accountId, lane, group);
    }
    lane.running = false;
    this.#whenIdle(accountId, lane);
  }

  async #take(accountId: string, lane: Lane, group: Waiting[]): Promise<void> {
    try {
      if (await this.#tryTake(accountId, lane, group)) return;
      // Either there is no space, or no account yet; and what stood in the way may be gone by now.
      const doc = await this.#usage.get(accountId);
      if (doc === null) await this.#usage.ensure(accountId);
      if (doc?.deletedAt !== undefined) throw appError('not_found', 'There is no such account');
      const bytes = addDeltas(group.flatMap(({ items }) => items.map(({ taken }) => taken))).bytes ?? 0;
      const fits = doc === null || doc.usedBytes + bytes <= doc.limitBytes;
      if (fits && (await this.#tryTake(accountId, lane, group))) return;
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    if (group.length > 1) {
      for (const one of group) await this.#take(accountId, lane, [one]);
      return;
    }
    group[0]?.reject(appError('quota_exceeded', 'There is not enough space left in the account'));
  }

  async #tryTake(accountId: string, lane: Lane, group: Waiting[]): Promise<boolean> {
    const batchId = newBatchId();
    const items = group.flatMap((one) => one.items);
    const settled = [...lane.settled];
    const entry = { at: new Date(), kind: 'write' as const, items };
    const taken = addDeltas(items.map((item) => item.taken));
    // Only who drops versions must know what else is pending; else the answer stays small.
    const drops = items.some(({ onWrite }) => onWrite !== undefined && !isZero(onWrite));
    const doc = await this.#usage.reserve(accountId, batchId, entry, taken, { settled, withPending: drops });
    if (doc === null) return false;
    this.#sawFree(accountId, doc.limitBytes - doc.usedBytes);
    for (const id of settled) lane.settled.delete(id);
    const unsettled = unsettledVids({ pending: doc.pending ?? {} }, batchId);
    let open = group.length;
    const outcomes = new Map<PendingItem, Outcome>();
    for (const one of group) {
      one.resolve({
        unsettled,
        settle: (results) => {
          one.items.forEach((item, i) => {
            outcomes.set(item, results[i] ?? 'unknown');
          });
          open--;
          if (open > 0) return;
          this.#settle(accountId, batchId, items, outcomes);
          // Only what was written counts: what is given back at once was never used.
          const isUsed = items.some((item) => outcomes.get(item) === 'written' && (item.taken.bytes ?? 0) > 0);
          if (isUsed) this.#tell(accountId, { ...doc, beforeBytes: doc.usedBytes - (taken.bytes ?? 0) });
        },
      });
    }
    return true;
  }

  #settle(accountId: string, batchId: string, items: PendingItem[], outcomes: Map<PendingItem, Outcome>): void {
    const results: ('written' | 'failed')[] = [];
    for (const item of items) {
      const outcome = outcomes.get(item) ?? 'unknown';
      // One unknown outcome leaves the whole batch to the sweeper, which asks the nodes.
      if (outcome === 'unknown') return;
      results.push(outcome);
    }
    const delta = settlement(items, results);
    if (isZero(delta)) {
      const lane = this.#lane(accountId);
      lane.settled.add(batchId);
      this.#whenIdle(accountId, lane);
      return;
    }
    const work = this.#settleNow(accountId, batchId, delta).finally(() => this.#settling.delete(work));
    this.#settling.add(work);
  }

  #tell(accountId: string, seen: SpaceSeen): void {
    const telling = this.#onTaken?.(accountId, seen);
    if (telling === undefined) return;
    const work = telling.finally(() => this.#settling.delete(work));
    this.#settling.add(work);
  }

  async #settleNow(accountId: string, batchId: string, delta: Delta): Promise<void> {
    try {
      await this.#usage.settle(accountId, batchId, delta);
    } catch (error) {
      this.#logger.warn({ err: error, accountId }, 'a batch could not be settled; the sweeper will');
    }
  }

  #whenIdle(accountId: string, lane: Lane): void {
    if (lane.running) return;
    if (lane.settled.size === 0) {
      this.#lanes.delete(accountId);
      return;
    }
    clearTimeout(lane.idle);
    lane.idle = setTimeout(() => void this.#forgetSettled(accountId), this.#idleMs).unref();
  }

  async #forgetSettled(accountId: string): Promise<void> {
    const lane = this.#lanes.get(accountId);
    if (lane === undefined || lane.settled.size === 0) return;
    clearTimeout(lane.idle);
    const ids = [...lane.settled];
    try {
      await this.#usage.forget(accountId, ids);
      for (const id of ids) lane.settled.delete(id);
    } catch (error) {
      this.#logger.warn({ err: error, accountId }, 'settled batches could not be removed; the sweeper will');
      lane.settled.clear();
    }
    if (!lane.running && lane.waiting.length === 0 && lane.settled.size === 0) this.#lanes.delete(accountId);
  }
}

function unsettledVids(doc: Pick<UsageDoc, 'pending'>, ownBatchId: string): ReadonlySet<string> {
  const vids = new Set<string>();
  for (const [batchId, entry] of Object.entries(doc.pending)) {
    if (batchId === ownBatchId || entry.kind !== 'write') continue;
    for (const { vid } of entry.items) if (vid !== undefined) vids.add(vid);
  }
  return vids;
}
