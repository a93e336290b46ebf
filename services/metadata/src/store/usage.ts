import { type Batcher, createBatcher, newId } from '@coffer/service-kit';
import type { UpdateFilter } from 'mongodb';
import type { Delta, PendingEntry } from '../domain/quota.ts';
import type { Figures, UsageDoc } from '../domain/usage.ts';
import { type Database, isDuplicate, run } from './mongo.ts';

/** `$inc` of a change of figures; `seq` rises with every one. */
export function increments(delta: Delta): Record<string, number> {
  return {
    seq: 1,
    ...(delta.bytes === undefined ? {} : { usedBytes: delta.bytes }),
    ...(delta.versionBytes === undefined ? {} : { versionBytes: delta.versionBytes }),
    ...(delta.files === undefined ? {} : { files: delta.files }),
    ...(delta.folders === undefined ? {} : { folders: delta.folders }),
  };
}

export type Reserved = Pick<UsageDoc, 'usedBytes' | 'limitBytes'> & Partial<Pick<UsageDoc, 'pending' | 'warnedAt'>>;

/** The accounts' usage documents: figures, limit, and what else must be one document with them. */
export class UsageStore {
  readonly #usage: Database['usage'];
  readonly #freeLimitBytes: number;
  readonly #reads: Batcher<string, UsageDoc | null>;

  constructor(database: Database, freeLimitBytes: number) {
    this.#usage = database.usage;
    this.#freeLimitBytes = freeLimitBytes;
    this.#reads = createBatcher({ run: (ids) => this.#runReads(ids), maxItems: 256, concurrency: 2 });
  }

  get freeLimitBytes(): number {
    return this.#freeLimitBytes;
  }

  get(accountId: string): Promise<UsageDoc | null> {
    return this.#reads.add(accountId);
  }

  async #runReads(ids: string[]): Promise<(UsageDoc | null)[]> {
    const docs = await run(() => this.#usage.find({ _id: { $in: [...new Set(ids)] } }).toArray());
    const found = new Map(docs.map((doc) => [doc._id, doc]));
    return ids.map((id) => found.get(id) ?? null);
  }

  async ensure(accountId: string): Promise<void> {
    const fresh: Omit<UsageDoc, '_id'> = {
      usedBytes: 0,
      limitBytes: this.#freeLimitBytes,
      versionBytes: 0,
      files: 0,
      folders: 0,
      seq: 0,
      pending: {},
      trashRev: 0,
    };
    try {
      await run(() => this.#usage.updateOne({ _id: accountId }, { $setOnInsert: fresh }, { upsert: true }));
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }

  /**
   * Adds a batch and takes its sum, if the limit allows, in one update; forgets `settled` batches on the way. Answers
   * the figures after it (and what is pending, if asked for), or null where the limit (or the account) is not there for
   * it any more or yet.
   */
  async reserve(
    accountId: string,
    batchId: string,
    entry: PendingEntry,
    taken: Delta,
    o: { settled: readonly string[]; withPending: boolean },
  ): Promise<Reserved | null> {
    const bytes = taken.bytes ?? 0;
    // What takes no space is allowed in an account that is over its (lowered) limit.
    const withinLimit = bytes > 0 ? { $expr: { $lte: [{ $add: ['$usedBytes', bytes] }, '$limitBytes'] } } : {};
    return await run(() =>
      this.#usage.findOneAndUpdate(
        { _id: accountId, deletedAt: { $exists: false }, ...withinLimit },
        {
          $inc: increments(taken),
          $set: { [`pending.${batchId}`]: entry },
          $min: { pendingAt: entry.at },
          ...(o.settled.length === 0 ? {} : { $unset: unsetOf(o.settled) }),
        },
        {
          returnDocument: 'after',
          projection: { usedBytes: 1, limitBytes: 1, warnedAt: 1, ...(o.withPending ? { pending: 1 } : {}) },
        },
      ),
    );
  }

  /** Forgets batches that leave the figures as they are. May be repeated. */
  async forget(accountId: string, batchIds: readonly string[]): Promise<void> {
    if (batchIds.length === 0) return;
    await run(() => this.#usage.updateOne({ _id: accountId }, { $inc: { seq: 1 }, $unset: unsetOf(batchIds) }));
  }

  /** Ends a batch and applies its settlement, both or neither, once however often it is tried. */
  async settle(accountId: string, batchId: string, delta: Delta, also: UpdateFilter<UsageDoc> = {}): Promise<boolean> {
    const result = await run(() =>
      this.#usage.updateOne(
        { _id: accountId, [`pending.${batchId}`]: { $exists: true } },
        { ...also, $inc: { ...increments(delta), ...also.$inc }, $unset: unsetOf([batchId]) },
      ),
    );
    return result.matchedCount === 1;
  }

  async update(
    accountId: string,
    update: UpdateFilter<UsageDoc>,
    condition: Record<string, unknown> = {},
  ): Promise<boolean> {
    const result = await run(() => this.#usage.updateOne({ ...condition, _id: accountId }, update));
    return result.matchedCount === 1;
  }

  async findAndUpdate(
    accountId: string,
    update: UpdateFilter<UsageDoc>,
    condition: Record<string, unknown> = {},
  ): Promise<UsageDoc | null> {
    return await run(() =>
      this.#usage.findOneAndUpdate({ ...condition, _id: accountId }, update, { returnDocument: 'after' }),
    );
  }

  /** Called before a change of what is in the trash, so that no count from before it is believed after it. */
  async trashChanges(accountId: string): Promise<void> {
    await this.update(accountId, { $inc: { trashRev: 1 }, $set: { trashAt: new Date() } });
  }

  async rememberTrash(accountId: string, rev: number, at: Date, figures: Figures): Promise<void> {
    await this.update(accountId, { $set: { trash: { ...figures, rev, at } } }, { trashRev: rev });
  }

  /** Accounts with batches that may be older than `before`. */
  async withPendingBefore(before: Date, limit: number): Promise<UsageDoc[]> {
    return await run(() =>
      this.#usage
        .find({ pendingAt: { $lt: before } })
        .sort({ pendingAt: 1 })
        .limit(limit)
        .toArray(),
    );
  }

  /** From now on nothing can be written to the account's tree. May be repeated. */
  async markDeleted(accountId: string): Promise<void> {
    await this.ensure(accountId);
    const marks = { deletedAt: new Date(), removing: true } as const;
    await this.update(accountId, { $set: marks }, { deletedAt: { $exists: false } });
  }

  /** Accounts whose trees are being removed. */
  async removing(limit: number): Promise<UsageDoc[]> {
    return await run(() => this.#usage.find({ removing: true }).limit(limit).toArray());
  }

  /** Accounts whose trash is being emptied. */
  async emptying(limit: number): Promise<UsageDoc[]> {
    return await run(() =>
      this.#usage
        .find({ emptyBefore: { $exists: true } })
        .limit(limit)
        .toArray(),
    );
  }
}

export const newBatchId = (): string => newId();

function unsetOf(batchIds: readonly string[]): Record<string, ''> {
  return Object.fromEntries(batchIds.map((id) => [`pending.${id}`, '']));
}
