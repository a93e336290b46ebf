import type { EventEnvelope, PlanLimit } from '@coffer/contracts';
import type { Database } from './mongo.ts';
import { run } from './mongo.ts';
import type { UsageStore } from './usage.ts';

export interface Totals {
  accounts: number;
  usedBytes: number;
  limitBytes: number;
  files: number;
  folders: number;
}

/**
 * Where an account's limit comes from. Whichever part changes, the limit that counts is written by the same update, so
 * that a write is judged by one number and no moment has a wrong one.
 */
export class LimitStore {
  readonly #usage: Database['usage'];
  readonly #store: UsageStore;

  constructor(database: Database, store: UsageStore) {
    this.#usage = database.usage;
    this.#store = store;
  }

  /** What the plan gives, unless a later one is known; may be repeated. A plan that gives something else ends an operator's limit. */
  async applyPlan({ accountId, limitBytes, seq }: PlanLimit): Promise<boolean> {
    const before = { $ifNull: ['$planLimit.bytes', this.#store.freeLimitBytes] };
    const stays = { $and: [{ $eq: [before, limitBytes] }, { $gte: ['$operatorLimitBytes', 0] }] };
    const older = { $or: [{ planLimit: { $exists: false } }, { 'planLimit.seq': { $lt: seq } }] };
    const update = [
      {
        $set: {
          planLimit: { bytes: limitBytes, seq },
          limitBytes: { $cond: [stays, '$operatorLimitBytes', limitBytes] },
          operatorLimitBytes: { $cond: [stays, '$operatorLimitBytes', '$$REMOVE'] },
        },
      },
    ];
    const apply = async (): Promise<boolean> =>
      (await run(() => this.#usage.updateOne({ _id: accountId, ...older }, update))).matchedCount === 1;
    if (await apply()) return true;
    if ((await this.#store.get(accountId)) !== null) return false;
    await this.#store.ensure(accountId);
    return await apply();
  }

  /** An operator's limit; null takes it back, and what the plan gives counts again. */
  async setByOperator(accountId: string, limitBytes: number | null): Promise<void> {
    await this.#store.ensure(accountId);
    if (limitBytes !== null) {
      await this.#store.update(accountId, { $set: { operatorLimitBytes: limitBytes, limitBytes } });
      return;
    }
    const byPlan = { $ifNull: ['$planLimit.bytes', this.#store.freeLimitBytes] };
    const update = [{ $set: { limitBytes: byPlan, operatorLimitBytes: '$$REMOVE' } }];
    await run(() => this.#usage.updateOne({ _id: accountId }, update));
  }

  /** Notes that the owner is told of space that runs out. `seen` is the mark that it was decided by: false where another was faster. */
  async warn(accountId: string, seen: Date | undefined, event: EventEnvelope): Promise<boolean> {
    const at = new Date();
    const result = await run(() =>
      this.#usage.updateOne(
        { _id: accountId, deletedAt: { $exists: false }, warnedAt: seen ?? { $exists: false } },
        { $set: { warnedAt: at, outboxAt: at }, $push: { outbox: event } },
      ),
    );
    return result.matchedCount === 1;
  }

  /** There is enough space again. */
  async unwarn(accountId: string, seen: Date): Promise<void> {
    await run(() => this.#usage.updateOne({ _id: accountId, warnedAt: seen }, { $unset: { warnedAt: '' } }));
  }

  /** Over all accounts that are not deleted. */
  async totals(): Promise<Totals> {
    const sums = await run(() =>
      this.#usage
        .aggregate<Totals>([
          { $match: { deletedAt: { $exists: false } } },
          {
            $group: {
              _id: null,
              accounts: { $sum: 1 },
              usedBytes: { $sum: '$usedBytes' },
              limitBytes: { $sum: '$limitBytes' },
              files: { $sum: '$files' },
              folders: { $sum: '$folders' },
            },
          },
          { $project: { _id: 0 } },
        ])
        .toArray(),
    );
    return sums[0] ?? { accounts: 0, usedBytes: 0, limitBytes: 0, files: 0, folders: 0 };
  }
}
