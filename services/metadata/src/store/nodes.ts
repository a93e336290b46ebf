import { setTimeout as sleep } from 'node:timers/promises';
import type { EventEnvelope } from '@coffer/contracts';
import { appError, type Batcher, createBatcher } from '@coffer/service-kit';
import type { Filter, UpdateFilter } from 'mongodb';
import type { ContentDoc, NodeDoc, Pair } from '../domain/node.ts';
import { bulkErrors, type Database, duplicateOf, isDuplicate, run, type Taken } from './mongo.ts';

/** All of a node but its event queue and, of its older versions, all but identity and size: lists of chunks may be long. */
export const NODE_FIELDS = {
  ownerId: 1,
  parentId: 1,
  name: 1,
  nameFold: 1,
  sort: 1,
  live: 1,
  kind: 1,
  content: 1,
  'versions.vid': 1,
  'versions.size': 1,
  createdBy: 1,
  createdAt: 1,
  modifiedAt: 1,
  rev: 1,
  grants: 1,
  generalAccess: 1,
  properties: 1,
  number: 1,
  identifier: 1,
  publishedAt: 1,
  linkEpoch: 1,
  trashedAt: 1,
  doomedAt: 1,
  fill: 1,
  birth: 1,
  idem: 1,
} as const;

/** All but the first say which unique key was taken; nothing was written then. */
export type Inserted = 'inserted' | Taken;

export interface ContentUpdate {
  id: string;
  /** The rev that the node must have; it gets the next one. */
  rev: number;
  content: ContentDoc;
  /** How many older versions to keep, with the one replaced now. */
  keep: number;
  modifiedAt: Date;
  events: EventEnvelope[];
  /** Absent: as they were. */
  properties?: Pair[];
}

interface Lookup {
  ownerId: string;
  parentId: string;
  sorts: string[];
}

/** Reading and writing nodes, what arrives together going together. Every write is conditional on a `rev` or a unique key. */
export class NodeStore {
  readonly #nodes: Database['nodes'];
  readonly #loads: Batcher<readonly string[], Map<string, NodeDoc>>;
  readonly #lookups: Batcher<Lookup, NodeDoc[]>;
  readonly #inserts: Batcher<NodeDoc, Inserted>;
  readonly #contents: Batcher<ContentUpdate, boolean>;

  constructor(database: Database) {
    this.#nodes = database.nodes;
    this.#loads = createBatcher({ run: (lists) => this.#runLoads(lists), maxItems: 256, concurrency: 2 });
    this.#lookups = createBatcher({ run: (items) => this.#runLookups(items), maxItems: 64, concurrency: 2 });
    this.#inserts = createBatcher({ run: (docs) => this.#runInserts(docs), maxItems: 256, concurrency: 2 });
    this.#contents = createBatcher({ run: (items) => this.#runContents(items), maxItems: 128, concurrency: 2 });
  }

  /** The nodes that exist among `ids`, in whatever state; at least those, possibly others too. */
  load(ids: readonly string[]): Promise<ReadonlyMap<string, NodeDoc>> {
    return ids.length === 0 ? Promise.resolve(new Map()) : this.#loads.add(ids);
  }

  async #runLoads(lists: (readonly string[])[]): Promise<Map<string, NodeDoc>[]> {
    const ids = [...new Set(lists.flat())];
    const docs = await run(() => this.#nodes.find({ _id: { $in: ids } }, { projection: NODE_FIELDS }).toArray());
    // A husk has no owner: it is not a node any more.
    const found = new Map(docs.filter((doc) => doc.ownerId !== undefined).map((doc) => [doc._id, doc]));
    return lists.map(() => found);
  }

  /** The nodes of `ids` with everything above them, in one round trip whatever the depth. */
  async loadWithAncestors(ids: readonly string[]): Promise<NodeDoc[]> {
    const found = await run(() =>
      this.#nodes
        .aggregate<NodeDoc & { above: NodeDoc[] }>([
          { $match: { _id: { $in: ids } } },
          {
            $graphLookup: {
              from: this.#nodes.collectionName,
              startWith: '$parentId',
              connectFromField: 'parentId',
              connectToField: '_id',
              as: 'above',
            },
          },
        ])
        .toArray(),
    );
    return found.flatMap(({ above, ...node }) => [node, ...above]).filter((doc) => doc.ownerId !== undefined);
  }

  /** The live children of a folder that have one of these sort keys. */
  lookup(ownerId: string, parentId: string, sorts: string[]): Promise<NodeDoc[]> {
    return this.#lookups.add({ ownerId, parentId, sorts });
  }

  async #runLookups(items: Lookup[]): Promise<NodeDoc[][]> {
    const groups = new Map<string, Lookup>();
    for (const item of items) {
      const group = groups.get(item.parentId);
      if (group === undefined) groups.set(item.parentId, { ...item, sorts: [...item.sorts] });
      else group.sorts.push(...item.sorts);
    }
    const found = new Map<string, NodeDoc>();
    await Promise.all(
      [...groups.values()].map(async ({ ownerId, parentId, sorts }) => {
        const filter = { ownerId, parentId, live: true, sort: { $in: [...new Set(sorts)] } } as const;
        const docs = await run(() => this.#nodes.find(filter, { projection: NODE_FIELDS }).toArray());
        for (const doc of docs) found.set(`${parentId}/${doc.sort}`, doc);
      }),
    );
    return items.map(({ parentId, sorts }) => sorts.flatMap((sort) => found.get(`${parentId}/${sort}`) ?? []));
  }

  /** Rejects with `unavailable` where it is not known whether the node was written. */
  insert(doc: NodeDoc): Promise<Inserted> {
    return this.#inserts.add(doc);
  }

  async #runInserts(docs: NodeDoc[]): Promise<(Inserted | Error)[]> {
    const outcomes = docs.map((): Inserted | Error => 'inserted');
    let rest = docs.map((doc, i) => ({ doc, i }));
    for (let attempt = 0; rest.length > 0; attempt++) {
      const errors = await this.#insertMany(rest.map(({ doc }) => doc));
      const again: typeof rest = [];
      for (const [at, error] of errors) {
        const item = rest[at];
        if (item === undefined) continue;
        if (error.code === 11000) outcomes[item.i] = duplicateOf(error.message);
        else if (attempt < 8) again.push(item);
        else outcomes[item.i] = appError('unavailable', undefined, { cause: new Error(error.message) });
      }
      rest = again;
      if (rest.length > 0) await sleep(Math.random() * 2 ** attempt * 4);
    }
    return outcomes;
  }

  async #insertMany(docs: NodeDoc[]): Promise<Map<number, { code: number; message: string }>> {
    return await run(async () => {
      try {
        await this.#nodes.insertMany(docs, { ordered: false });
        return new Map();
      } catch (error) {
        const errors = bulkErrors(error);
        if (errors === null) throw error;
        return errors;
      }
    });
  }

  /** New content in place of the old, which becomes a version. False where the rev was another. */
  replaceContent(update: ContentUpdate): Promise<boolean> {
    return this.#contents.add(update);
  }

  async #runContents(items: ContentUpdate[]): Promise<boolean[]> {
    const operations = items.map((item) => ({
      updateOne: { filter: { _id: item.id, rev: item.rev }, update: contentPipeline(item) },
    }));
    const matched = await run(async () => {
      try {
        return (await this.#nodes.bulkWrite(operations, { ordered: false })).matchedCount;
      } catch (error) {
        if (bulkErrors(error) === null) throw error;
        return -1;
      }
    });
    if (matched === items.length) return items.map(() => true);
    if (matched === 0) return items.map(() => false);
    // Some did and some did not: the nodes themselves tell which, since no two writes have the same version id.
    const docs = await this.load(items.map(({ id }) => id));
    return items.map(({ id, content }) => hasVersion(docs.get(id), content.vid));
  }

  /** One update of one node at the rev given; the update must raise it. False where the rev was another. */
  async update(id: string, rev: number, update: UpdateFilter<NodeDoc>, also: Filter<NodeDoc> = {}) {
    try {
      const result = await run(() => this.#nodes.updateOne({ ...also, _id: id, rev }, update));
      return result.matchedCount === 1;
    } catch (error) {
      if (isDuplicate(error)) return 'name';
      throw error;
    }
  }

  /** Several such updates at once, without being told which of them found their rev. */
  async updateMany(items: { id: string; rev: number; update: UpdateFilter<NodeDoc>; also?: Filter<NodeDoc> }[]) {
    if (items.length === 0) return 0;
    const operations = items.map(({ id, rev, update, also }) => ({
      updateOne: { filter: { ...also, _id: id, rev }, update },
    }));
    return (await run(() => this.#nodes.bulkWrite(operations, { ordered: false }))).matchedCount;
  }

  async byIdempotencyKey(key: string): Promise<NodeDoc | null> {
    return await run(() => this.#nodes.findOne({ 'idem.key': key }, { projection: NODE_FIELDS }));
  }

  /** The id of the node that was made with this identifier and is not gone for good. */
  async idOfIdentifier(identifier: string): Promise<string | null> {
    const found = await run(() => this.#nodes.findOne({ identifier }, { projection: { _id: 1 } }));
    return found?._id ?? null;
  }

  async forgetIdempotencyKey(key: string): Promise<void> {
    await run(() => this.#nodes.updateOne({ 'idem.key': key }, { $unset: { idem: '' } }));
  }

  /** The older versions, whole, the newest first; at one moment with the rev that they belong to. */
  async versionsOf(id: string): Promise<{ rev: number; versions: ContentDoc[] } | null> {
    const doc = await run(() =>
      this.#nodes.findOne<{ rev: number; versions?: ContentDoc[] }>(
        { _id: id },
        { projection: { rev: 1, versions: 1 } },
      ),
    );
    return doc === null ? null : { rev: doc.rev, versions: doc.versions ?? [] };
  }

  /** Makes the root of an account's tree if it is not there. */
  async ensureRoot(root: NodeDoc): Promise<void> {
    const { _id, ...rest } = root;
    try {
      await run(() => this.#nodes.updateOne({ _id }, { $setOnInsert: rest }, { upsert: true }));
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
}

export function hasVersion(node: NodeDoc | undefined, vid: string): boolean {
  return node?.content?.vid === vid || (node?.versions ?? []).some((version) => version.vid === vid);
}

function contentPipeline(item: ContentUpdate): object[] {
  const older = { $concatArrays: [['$content'], { $ifNull: ['$versions', []] }] };
  return [
    {
      $set: {
        versions: item.keep === 0 ? [] : { $slice: [older, item.keep] },
        content: { $literal: item.content },
        ...(item.properties === undefined ? {} : { properties: { $literal: item.properties } }),
        modifiedAt: item.modifiedAt,
        rev: item.rev + 1,
        outbox: { $concatArrays: [{ $ifNull: ['$outbox', []] }, { $literal: item.events }] },
        outboxAt: item.content.at,
      },
    },
  ];
}

/** The part of an update that puts events into the node's queue. */
export function withEvents(
  events: EventEnvelope[],
  at: Date,
): { $push: { outbox: { $each: EventEnvelope[] } }; outboxAt: Date } {
  return { $push: { outbox: { $each: events } }, outboxAt: at };
}
