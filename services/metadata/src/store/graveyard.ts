import type { EventEnvelope } from '@coffer/contracts';
import type { UpdateFilter } from 'mongodb';
import type { NodeDoc } from '../domain/node.ts';
import { addDeltas, type Delta, negate, type PendingEntry, weightOf } from '../domain/quota.ts';
import { type Database, run } from './mongo.ts';
import { NODE_FIELDS, withEvents } from './nodes.ts';
import { newBatchId, type UsageStore } from './usage.ts';

/** The update that makes a node be gone for good, at once and for everyone; what is below it is no more reachable. */
export function doomUpdate(node: NodeDoc, events: EventEnvelope[], at: Date): UpdateFilter<NodeDoc> {
  const { $push, outboxAt } = withEvents(events, at);
  return {
    // What it was known by is free again (a number is not: the counter never gives one twice).
    $set: { rev: node.rev + 1, doomedAt: at, workAt: at, outboxAt, grants: [] },
    $unset: { live: '', trashedAt: '', idem: '', fill: '', identifier: '', number: '', publishedAt: '' },
    $push,
  };
}

/**
 * Removes doomed nodes and gives their bytes back, exactly once, whatever crashes between and however many do it.
 *
 *  1. An entry in the owner's usage document names the nodes (`want`). Nodes that another entry names are left out: a
 *     write to them is not settled yet, or another instance removes them. Updates of one document have an order, so of
 *     two entries for one node the later sees the earlier.
 *  2. The nodes are read and their sum is set in the entry (`total`), if it is still there without one. From here on the
 *     entry is carried out by whoever finds it; before, it is simply dropped when found abandoned.
 *  3. The documents are removed. (Repeatable: the sum is known.)
 *  4. The sum is given back and the entry removed, in one update.
 *
 * The sum is read between gaining the nodes and removing them, when nothing else can change or remove them: they are
 * doomed, which raised their rev, so no write that is still under way can reach them.
 */
export class Graveyard {
  readonly #database: Database;
  readonly #usage: UsageStore;

  constructor(database: Database, usage: UsageStore) {
    this.#database = database;
    this.#usage = usage;
  }

  /** Nodes whose time for background work has come, the longest waiting first. */
  async due(limit: number): Promise<NodeDoc[]> {
    return await run(() =>
      this.#database.nodes
        .find({ workAt: { $lte: new Date() } }, { projection: NODE_FIELDS })
        .sort({ workAt: 1 })
        .limit(limit)
        .toArray(),
    );
  }

  async lookAgain(ids: string[], at: Date): Promise<void> {
    if (ids.length === 0) return;
    await run(() =>
      this.#database.nodes.updateMany({ _id: { $in: ids }, workAt: { $exists: true } }, { $set: { workAt: at } }),
    );
  }

  /** No more work on a doomed node that is to stay as it is. */
  async rest(id: string): Promise<void> {
    await run(() =>
      this.#database.nodes.updateOne({ _id: id, doomedAt: { $exists: true } }, { $unset: { workAt: '' } }),
    );
  }

  /** Nodes of a tree that are live themselves wherever they hang, without the root. */
  async liveNodes(ownerId: string, limit: number): Promise<NodeDoc[]> {
    const filter = { ownerId, parentId: { $ne: null }, live: true } as const;
    return await run(() => this.#database.nodes.find(filter, { projection: NODE_FIELDS }).limit(limit).toArray());
  }

  /** Whether doomed nodes of a tree, other than the root, wait to be removed. */
  async hasDoomed(ownerId: string): Promise<boolean> {
    const filter = { ownerId, parentId: { $ne: null }, workAt: { $exists: true }, doomedAt: { $exists: true } };
    return (await run(() => this.#database.nodes.findOne(filter, { projection: { _id: 1 } }))) !== null;
  }

  /** Notes how far a folder's copying has come: behind which sort key it goes on, null when it is complete. */
  async filled(id: string, before: string, after: string | null): Promise<void> {
    const update: UpdateFilter<NodeDoc> =
      after === null ? { $unset: { fill: '', workAt: '' } } : { $set: { 'fill.after': after } };
    await run(() => this.#database.nodes.updateOne({ _id: id, 'fill.after': before }, update));
  }

  /** Children that are live themselves. */
  async liveChildren(ownerId: string, parentId: string, limit: number): Promise<NodeDoc[]> {
    const filter = { ownerId, parentId, live: true } as const;
    return await run(() => this.#database.nodes.find(filter, { projection: NODE_FIELDS }).limit(limit).toArray());
  }

  /** Removes doomed nodes of one owner. Those that cannot be removed yet are left for another time; answers how many went. */
  async remove(ownerId: string, nodeIds: string[]): Promise<number> {
    const batchId = newBatchId();
    const at = new Date();
    const doc = await this.#usage.findAndUpdate(ownerId, {
      $set: { [`pending.${batchId}`]: { at, kind: 'purge', nodeIds } },
      $min: { pendingAt: at },
      $inc: { seq: 1 },
    });
    if (doc === null) return 0;
    const named = namedBy(doc.pending, batchId);
    const free = nodeIds.filter((id) => !named.has(id));
    const found = await this.#weigh(free);
    if (found.length === 0) {
      await this.#usage.settle(ownerId, batchId, {});
      return 0;
    }
    const entry = {
      at,
      kind: 'purge' as const,
      nodeIds: found.map(({ id }) => id),
      total: addDeltas(found.map(({ weight }) => weight)),
    };
    const decided = await this.#usage.update(
      ownerId,
      { $set: { [`pending.${batchId}`]: entry } },
      { [`pending.${batchId}`]: { $exists: true }, [`pending.${batchId}.total`]: { $exists: false } },
    );
    if (decided) await this.#finish(ownerId, batchId, entry.nodeIds, entry.total);
    return decided ? found.length : 0;
  }

  /** Ends an entry that was found abandoned. */
  async resume(ownerId: string, batchId: string, entry: PendingEntry & { kind: 'purge' }): Promise<void> {
    if (entry.total === undefined) {
      // Undecided: dropped, if it is still so. Its maker, should it wake up, finds the entry gone and does nothing.
      await this.#usage.update(
        ownerId,
        { $unset: { [`pending.${batchId}`]: '' }, $inc: { seq: 1 } },
        { [`pending.${batchId}.total`]: { $exists: false } },
      );
    } else await this.#finish(ownerId, batchId, entry.nodeIds, entry.total);
  }

  async #weigh(ids: string[]): Promise<{ id: string; weight: Delta }[]> {
    if (ids.length === 0) return [];
    const fields = { kind: 1, parentId: 1, 'content.size': 1, 'versions.size': 1 };
    const docs = await run(() =>
      this.#database.nodes
        .find<NodeDoc>({ _id: { $in: ids }, doomedAt: { $exists: true } }, { projection: fields })
        .toArray(),
    );
    return docs.map((doc) => ({ id: doc._id, weight: weightOf(doc) }));
  }

  async #finish(ownerId: string, batchId: string, nodeIds: string[], total: Delta): Promise<void> {
    // What still has an event to send stays as a husk of it. In this order, since an event may go out between the two.
    const doomed = { _id: { $in: nodeIds }, doomedAt: { $exists: true } };
    await run(() =>
      this.#database.nodes.updateMany({ ...doomed, outboxAt: { $exists: true } }, [
        { $replaceWith: { _id: '$_id', husk: true, outbox: '$outbox', outboxAt: '$outboxAt' } },
      ]),
    );
    await run(() => this.#database.nodes.deleteMany({ ...doomed, outboxAt: { $exists: false } }));
    await this.#usage.settle(ownerId, batchId, negate(total), {
      $inc: { trashRev: 1 },
      $set: { trashAt: new Date() },
    });
  }
}

function namedBy(pending: Readonly<Record<string, PendingEntry>>, ownBatchId: string): Set<string> {
  const named = new Set<string>();
  for (const [batchId, entry] of Object.entries(pending)) {
    if (batchId === ownBatchId) continue;
    if (entry.kind === 'purge') for (const id of entry.nodeIds) named.add(id);
    else for (const { nodeId } of entry.items) named.add(nodeId);
  }
  return named;
}
