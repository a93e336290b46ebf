import { type Database, isDuplicate, run } from './mongo.ts';

const COUNTER = 'node-numbers';

/** The integers that stand for nodes. One document counts them up, so that none is given twice; gaps do no harm. */
export class NumberStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Gives each of these nodes a number, in this order, unless it has one by now or is gone for good. */
  async give(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const first = (await this.#take(ids.length)) - ids.length + 1;
    const operations = ids.map((_id, i) => ({
      updateOne: {
        // Two at once: the later finds the number of the earlier, and its own stays a gap.
        filter: { _id, ownerId: { $exists: true }, number: { $exists: false }, doomedAt: { $exists: false } },
        update: { $set: { number: first + i } },
      },
    }));
    await run(() => this.#database.nodes.bulkWrite(operations, { ordered: false }));
  }

  /** The id of the node that has the number. */
  async find(number: number): Promise<string | null> {
    const found = await run(() => this.#database.nodes.findOne({ number }, { projection: { _id: 1 } }));
    return found?._id ?? null;
  }

  /** The last of so many new ones. */
  async #take(count: number): Promise<number> {
    for (;;) {
      try {
        const counter = await run(() =>
          this.#database.counters.findOneAndUpdate(
            { _id: COUNTER },
            { $inc: { last: count } },
            { upsert: true, returnDocument: 'after' },
          ),
        );
        if (counter !== null) return counter.last;
      } catch (error) {
        // Two made the document at once: it is there now.
        if (!isDuplicate(error)) throw error;
      }
    }
  }
}
