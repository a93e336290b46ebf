import type { EventEnvelope } from '@coffer/contracts';
import type { Filter, UpdateFilter } from 'mongodb';
import type { LinkDoc } from '../domain/links.ts';
import { type Database, isDuplicate, type LinkTries, run } from './mongo.ts';

/** The newest are listed; older ones of a node that has more than that have ended long ago. */
const MAX_LISTED = 1_000;
const NO_OUTBOX = { outbox: 0, outboxAt: 0 };

export interface LinkChange {
  set: Partial<LinkDoc>;
  unset: ('password' | 'expiresAt' | 'purgeAt' | 'maxDownloads')[];
  event?: EventEnvelope | undefined;
}

/** Links, each one document: whatever must not race is one conditional update of it. */
export class LinkStore {
  readonly #links: Database['links'];
  readonly #tries: Database['linkTries'];

  constructor(database: Database) {
    this.#links = database.links;
    this.#tries = database.linkTries;
  }

  async insert(link: LinkDoc): Promise<void> {
    await run(() => this.#links.insertOne(link));
  }

  async get(id: string): Promise<LinkDoc | null> {
    return await run(() => this.#links.findOne({ _id: id }, { projection: NO_OUTBOX }));
  }

  async byTokenHash(tokenHash: string): Promise<LinkDoc | null> {
    return await run(() => this.#links.findOne({ tokenHash }, { projection: NO_OUTBOX }));
  }

  /** The newest first, without those whose time of being shown after their end is over. */
  async ofNode(nodeId: string): Promise<LinkDoc[]> {
    return await run(() =>
      this.#links
        .find({ nodeId, ...notPurged() }, { projection: NO_OUTBOX })
        .sort({ createdAt: -1 })
        .limit(MAX_LISTED)
        .toArray(),
    );
  }

  /** How many of a node's links are neither revoked nor expired. */
  async countLiving(nodeId: string): Promise<number> {
    return await run(() => this.#links.countDocuments({ nodeId, ...holds() }));
  }

  /** Of a link that is not revoked; null where it is, or is not there. `event`: what ends with it is told. */
  async change(id: string, { set, unset, event }: LinkChange): Promise<LinkDoc | null> {
    const $set = event === undefined ? set : { ...set, outboxAt: new Date() };
    // Older servers take no empty operator.
    return await this.#update(id, {
      ...(Object.keys($set).length === 0 ? {} : { $set }),
      ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset.map((field) => [field, '' as const])) }),
      ...(event === undefined ? {} : { $push: { outbox: event } }),
    });
  }

  async #update(id: string, update: UpdateFilter<LinkDoc>): Promise<LinkDoc | null> {
    return await run(() =>
      this.#links.findOneAndUpdate({ _id: id, revokedAt: { $exists: false } }, update, {
        returnDocument: 'after',
        projection: NO_OUTBOX,
      }),
    );
  }

  /** False where it is revoked already. `purgeAt`: when its document may go. */
  async revoke(id: string, event: EventEnvelope, at: Date, purgeAt: Date): Promise<boolean> {
    return (await this.change(id, { set: { revokedAt: at, purgeAt }, unset: [], event })) !== null;
  }

  /** One more, if the link holds and has not had them all. */
  async countDownload(id: string): Promise<boolean> {
    const isLeft = {
      $or: [{ maxDownloads: { $exists: false } }, { $expr: { $lt: ['$downloads', '$maxDownloads'] } }],
    };
    const filter: Filter<LinkDoc> = { _id: id, $and: [holds(), isLeft] };
    return (await run(() => this.#links.updateOne(filter, { $inc: { downloads: 1 } }))).matchedCount === 1;
  }

  /** Those that were revoked or are not there any more, in the order given. */
  async revokedAmong(ids: readonly string[]): Promise<string[]> {
    const filter = { _id: { $in: [...ids] }, revokedAt: { $exists: false } };
    const docs = await run(() => this.#links.find(filter, { projection: { _id: 1 } }).toArray());
    const standing = new Set(docs.map(({ _id }) => _id));
    return ids.filter((id) => !standing.has(id));
  }

  /** Links that an account made or that lead into its tree and are not revoked yet. */
  async livingOfAccount(accountId: string, limit: number): Promise<LinkDoc[]> {
    const filter = { $or: [{ ownerId: accountId }, { createdBy: accountId }], revokedAt: { $exists: false } };
    return await run(() => this.#links.find(filter, { projection: NO_OUTBOX }).limit(limit).toArray());
  }

  /** Their nodes are gone for good: so may they be. */
  async dropOfNodes(nodeIds: readonly string[]): Promise<void> {
    if (nodeIds.length === 0) return;
    await run(() => this.#links.updateMany({ nodeId: { $in: [...nodeIds] } }, { $set: { purgeAt: new Date() } }));
  }

  /** Removes what is of no more use to anyone, once its events are out. */
  async purge(): Promise<void> {
    await run(() => this.#links.deleteMany({ purgeAt: { $lte: new Date() }, outboxAt: { $exists: false } }));
  }

  /**
   * Counts a try under `key` within a window that begins with the first one. Counted before the password is looked at,
   * so that tries at once do not get past the bound together.
   */
  async countTry(key: string, windowMs: number): Promise<LinkTries> {
    // No upsert with a pipeline: where several meet on a new key, not every server keeps them apart.
    for (;;) {
      const now = new Date();
      const open = { _id: key, resetAt: { $gt: now } };
      const counted = await run(() =>
        this.#tries.findOneAndUpdate(open, { $inc: { count: 1 } }, { returnDocument: 'after' }),
      );
      if (counted !== null) return counted;
      const fresh = { count: 1, resetAt: new Date(now.getTime() + windowMs) };
      const over = { _id: key, resetAt: { $lte: now } };
      if ((await run(() => this.#tries.updateOne(over, { $set: fresh }))).matchedCount === 1)
        return { _id: key, ...fresh };
      try {
        await run(() => this.#tries.insertOne({ _id: key, ...fresh }));
        return { _id: key, ...fresh };
      } catch (error) {
        // Another's first try came before: counted with it.
        if (!isDuplicate(error)) throw error;
      }
    }
  }

  /** The try was none: the password was right. */
  async takeBackTries(keys: readonly string[]): Promise<void> {
    await run(() => this.#tries.updateMany({ _id: { $in: [...keys] }, count: { $gt: 0 } }, { $inc: { count: -1 } }));
  }
}

const holds = () => ({
  revokedAt: { $exists: false },
  $or: [{ expiresAt: { $exists: false } }, { expiresAt: { $gt: new Date() } }],
});

const notPurged = () => ({ $or: [{ purgeAt: { $exists: false } }, { purgeAt: { $gt: new Date() } }] });
