import type { Logger } from '@coffer/service-kit';
import { type PendingEntry, type PendingItem, settlement } from '../domain/quota.ts';
import type { UsageDoc } from '../domain/usage.ts';
import type { Graveyard } from './graveyard.ts';
import { type Database, isDuplicate, run } from './mongo.ts';
import type { UsageStore } from './usage.ts';

type Evidence = {
  _id: string;
  ownerId?: string;
  husk?: true;
  rev?: number;
  birth?: string;
  content?: { vid: string; size: number };
  versions?: { vid: string; size: number }[];
};

/**
 * Settles what a crash, a lost connection or a stalled instance left open. For each pending write it asks the node
 * whether the write happened. Where it did not, it first makes sure that it never will: a node that was to be created
 * gets its id taken by a fence, one that was to be replaced gets its rev raised. So no clock decides anything: an
 * instance that wakes up late finds its write refused, and the worst that a wrong threshold does is to refuse a write.
 *
 * Proof that a write happened never vanishes while its entry stands: versions named by an entry are not dropped
 * (`planReplace`), and nodes named by one are not removed (`Graveyard`). The settlement is conditional on the entry, so
 * two sweepers, or a sweeper and the writer, never settle twice.
 */
export class Sweeper {
  readonly #database: Database;
  readonly #usage: UsageStore;
  readonly #graveyard: Graveyard;
  readonly #logger: Logger;
  readonly #afterMs: number;

  /** `afterMs`: how old an entry must be before it is taken for abandoned. */
  constructor(
    database: Database,
    usage: UsageStore,
    graveyard: Graveyard,
    logger: Logger,
    o: { afterMs?: number } = {},
  ) {
    this.#database = database;
    this.#usage = usage;
    this.#graveyard = graveyard;
    this.#logger = logger;
    this.#afterMs = o.afterMs ?? 10_000;
  }

  /** One pass over all accounts. Safe on any number of instances at once. */
  async sweep(signal?: AbortSignal): Promise<void> {
    const before = new Date(Date.now() - this.#afterMs);
    for (const doc of await this.#usage.withPendingBefore(before, 100)) {
      if (signal?.aborted) return;
      await this.#sweepAccount(doc, before);
    }
  }

  async #sweepAccount(doc: UsageDoc, before: Date): Promise<void> {
    let oldest: Date | undefined;
    for (const [batchId, entry] of Object.entries(doc.pending)) {
      if (entry.at < before) {
        await this.#end(doc._id, batchId, entry);
        this.#logger.info({ accountId: doc._id, batchId, kind: entry.kind }, 'settled an abandoned batch');
      } else if (oldest === undefined || entry.at < oldest) oldest = entry.at;
    }
    // An entry added meanwhile is not older than this pass, so the mark never comes to lie behind one.
    if (oldest !== undefined) await this.#usage.update(doc._id, { $set: { pendingAt: oldest } });
    else await this.#usage.update(doc._id, { $unset: { pendingAt: '' } }, { pending: {} });
  }

  async #end(accountId: string, batchId: string, entry: PendingEntry): Promise<void> {
    if (entry.kind === 'purge') {
      await this.#graveyard.resume(accountId, batchId, entry);
      return;
    }
    const found = await this.#evidence(entry.items.map(({ nodeId }) => nodeId));
    const outcomes: ('written' | 'failed')[] = [];
    for (const item of entry.items) outcomes.push(await this.#judge(item, found.get(item.nodeId)));
    await this.#usage.settle(accountId, batchId, settlement(entry.items, outcomes));
  }

  async #evidence(ids: string[]): Promise<Map<string, Evidence>> {
    const fields = { husk: 1, ownerId: 1, rev: 1, birth: 1, 'content.vid': 1, 'versions.vid': 1 };
    const docs = await run(() =>
      this.#database.nodes.find<Evidence>({ _id: { $in: ids } }, { projection: fields }).toArray(),
    );
    return new Map(docs.map((doc) => [doc._id, doc]));
  }

  async #judge(item: PendingItem, first: Evidence | undefined): Promise<'written' | 'failed'> {
    let found = first;
    for (;;) {
      const verdict = judge(item, found);
      if (verdict !== 'open') return verdict;
      if (await this.#fence(item, found)) return 'failed';
      // It changed between the look and the fence: look again.
      found = (await this.#evidence([item.nodeId])).get(item.nodeId);
    }
  }

  async #fence(item: PendingItem, found: Evidence | undefined): Promise<boolean> {
    const { nodes } = this.#database;
    if (found !== undefined) {
      const filter = { _id: item.nodeId, rev: found.rev ?? 0 };
      return (await run(() => nodes.updateOne(filter, { $inc: { rev: 1 } }))).matchedCount === 1;
    }
    try {
      await run(() => this.#database.husks.insertOne({ _id: item.nodeId, husk: true, huskedAt: new Date() }));
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }
}

/** `open`: it was not written, but still could be. */
export function judge(item: PendingItem, found: Evidence | undefined): 'written' | 'failed' | 'open' {
  if (item.vid === undefined) {
    if (found === undefined) return 'open';
    if (found.husk) return 'failed';
    return item.birth === undefined || found.birth === item.birth ? 'written' : 'failed';
  }
  // A node that is gone for good takes no new content any more.
  if (found === undefined || found.husk) return 'failed';
  if (found.content?.vid === item.vid || (found.versions ?? []).some(({ vid }) => vid === item.vid)) return 'written';
  return (found.rev ?? 0) > (item.rev ?? 0) ? 'failed' : 'open';
}
