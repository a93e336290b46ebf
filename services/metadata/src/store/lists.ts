import type { Filter } from 'mongodb';
import type { Place } from '../domain/cursors.ts';
import type { NodeDoc } from '../domain/node.ts';
import { type Database, run } from './mongo.ts';
import { NODE_FIELDS } from './nodes.ts';

/** The ordered reads, each along one index, so that a page costs the same wherever in a list of whatever length it is. */
export class Lists {
  readonly #nodes: Database['nodes'];

  constructor(database: Database) {
    this.#nodes = database.nodes;
  }

  /** A folder's children in the byte order of their sort keys, from behind `after`. */
  async children(ownerId: string, parentId: string, after: string | null, limit: number): Promise<NodeDoc[]> {
    const filter: Filter<NodeDoc> = {
      ownerId,
      parentId,
      live: true,
      ...(after === null ? {} : { sort: { $gt: after } }),
    };
    return await this.#read(filter, { sort: 1 }, limit);
  }

  /** What was trashed by itself, the latest first, later than `emptyBefore`. */
  async trash(
    ownerId: string,
    emptyBefore: Date | undefined,
    after: Place<Date> | null,
    limit: number,
  ): Promise<NodeDoc[]> {
    const since = emptyBefore === undefined ? { $exists: true } : { $gt: emptyBefore };
    const order = { trashedAt: -1, _id: -1 } as const;
    if (after === null) return await this.#read({ ownerId, trashedAt: since }, order, limit);
    // First those of the same moment, then the earlier ones: two plain ranges keep to the index where one $or may not.
    const same = await this.#read({ ownerId, trashedAt: after.key, _id: { $lt: after.id } }, order, limit);
    if (same.length >= limit || (emptyBefore !== undefined && after.key <= emptyBefore)) return same;
    const earlier = emptyBefore === undefined ? { $lt: after.key } : { $lt: after.key, $gt: emptyBefore };
    return [...same, ...(await this.#read({ ownerId, trashedAt: earlier }, order, limit - same.length))];
  }

  /** What was trashed not later than `until`. */
  async trashedUntil(ownerId: string, until: Date, limit: number): Promise<NodeDoc[]> {
    return await this.#read({ ownerId, trashedAt: { $lte: until } }, { trashedAt: -1, _id: -1 }, limit);
  }

  /** Live nodes of a tree whose folded name begins with or holds `text`, in the order of the folded names. */
  async byName(
    ownerId: string,
    text: string,
    match: 'prefix' | 'substring',
    after: Place<string> | null,
    limit: number,
  ): Promise<NodeDoc[]> {
    // The largest code point ends the range: no folded name that begins with the text lies behind it.
    const range = match === 'prefix' ? [{ nameFold: { $gte: text, $lt: `${text}\u{10ffff}` } }] : [];
    const held = match === 'substring' ? [{ nameFold: { $regex: escapeRegex(text) } }] : [];
    const order = { nameFold: 1, _id: 1 } as const;
    const read = (place: Filter<NodeDoc>[], count: number): Promise<NodeDoc[]> =>
      // The root has an empty name and is nobody's find.
      this.#read({ ownerId, live: true, $and: [{ nameFold: { $gt: '' } }, ...range, ...held, ...place] }, order, count);
    if (after === null) return await read([], limit);
    const same = await read([{ nameFold: after.key }, { _id: { $gt: after.id } }], limit);
    if (same.length >= limit) return same;
    return [...same, ...(await read([{ nameFold: { $gt: after.key } }], limit - same.length))];
  }

  /** Files of a tree that are live themselves, in the order of their making. */
  async files(ownerId: string, after: Place<Date> | null, limit: number): Promise<NodeDoc[]> {
    const filter = { ownerId, live: true, kind: 'file' } as const;
    const order = { createdAt: 1, _id: 1 } as const;
    if (after === null) return await this.#read(filter, order, limit);
    const same = await this.#read({ ...filter, createdAt: after.key, _id: { $gt: after.id } }, order, limit);
    if (same.length >= limit) return same;
    return [...same, ...(await this.#read({ ...filter, createdAt: { $gt: after.key } }, order, limit - same.length))];
  }

  /** Published nodes, live themselves, of everyone or of one tree, the latest first. */
  async published(ownerId: string | undefined, after: Place<Date> | null, limit: number): Promise<NodeDoc[]> {
    const filter = { ...(ownerId === undefined ? {} : { ownerId }), live: true } as const;
    const order = { publishedAt: -1, _id: -1 } as const;
    if (after === null) return await this.#read({ ...filter, publishedAt: { $exists: true } }, order, limit);
    const same = await this.#read({ ...filter, publishedAt: after.key, _id: { $lt: after.id } }, order, limit);
    if (same.length >= limit) return same;
    return [...same, ...(await this.#read({ ...filter, publishedAt: { $lt: after.key } }, order, limit - same.length))];
  }

  /**
   * Nodes, live themselves, that carry a grant to the account, the latest grant first. What is granted to one account is
   * found by index and put into order by the server: no index orders by a member of the one array element that fits.
   */
  async shared(accountId: string, after: Place<Date> | null, limit: number): Promise<NodeDoc[]> {
    const own = { $filter: { input: '$grants', cond: { $eq: ['$$this.accountId', accountId] } } };
    const behind = after && {
      $or: [{ sharedAt: { $lt: after.key } }, { sharedAt: after.key, _id: { $lt: after.id } }],
    };
    return await run(() =>
      this.#nodes
        .aggregate<NodeDoc>([
          { $match: { 'grants.accountId': accountId, live: true } },
          { $project: { ...NODE_FIELDS, sharedAt: { $max: { $map: { input: own, in: '$$this.at' } } } } },
          ...(behind === null ? [] : [{ $match: behind }]),
          { $sort: { sharedAt: -1, _id: -1 } },
          { $limit: limit },
        ])
        .toArray(),
    );
  }

  async #read(filter: Filter<NodeDoc>, order: Record<string, 1 | -1>, limit: number): Promise<NodeDoc[]> {
    return await run(() =>
      this.#nodes.find(filter, { projection: NODE_FIELDS }).sort(order).limit(limit).batchSize(limit).toArray(),
    );
  }
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
