import type { EventEnvelope } from '@coffer/contracts';
import type { OutboxPort } from '@coffer/service-kit';
import type { Collection } from 'mongodb';
import { type Database, run } from './mongo.ts';

/** Documents that queue events, seen as that alone. */
interface Queued {
  _id: string;
  outbox?: EventEnvelope[];
  outboxAt?: Date;
}

/** How the outbox names a document that is not a node: ids are unique within a collection only (a root's is its account's). */
export const usageOutboxId = (accountId: string): string => `usage/${accountId}`;
export const linkOutboxId = (linkId: string): string => `links/${linkId}`;

/** The event queues of nodes, usage and links, as the kit's outbox works them off. */
export function metadataOutbox(database: Database): OutboxPort {
  const places: [prefix: string, collection: Pick<Collection<Queued>, 'find' | 'updateMany'>][] = [
    ['usage/', database.usage.db.collection<Queued>(database.usage.collectionName)],
    ['links/', database.usage.db.collection<Queued>(database.links.collectionName)],
    ['', database.usage.db.collection<Queued>(database.nodes.collectionName)],
  ];
  const placeOf = (documentId: string) => places.find(([prefix]) => documentId.startsWith(prefix));
  return {
    clear: async (entries) => {
      for (const place of places) {
        const [prefix, collection] = place;
        const here = entries.filter(({ documentId }) => placeOf(documentId) === place);
        if (here.length === 0) continue;
        const ids = [...new Set(here.map(({ documentId }) => documentId.slice(prefix.length)))];
        const eventIds = here.map(({ eventId }) => eventId);
        await run(() => collection.updateMany({ _id: { $in: ids }, outboxAt: { $exists: true } }, clearing(eventIds)));
      }
    },
    overdue: async (before, limit) => {
      const found: { documentId: string; events: EventEnvelope[] }[] = [];
      for (const [prefix, collection] of places) {
        const docs = await run(() =>
          collection
            .find<Queued>({ outboxAt: { $lt: before } }, { projection: { outbox: 1 } })
            .sort({ outboxAt: 1 })
            .limit(limit)
            .toArray(),
        );
        for (const { _id, outbox } of docs) found.push({ documentId: `${prefix}${_id}`, events: outbox ?? [] });
      }
      return found;
    },
  };
}

function clearing(eventIds: string[]): object[] {
  const isOut = { $in: ['$$this.id', eventIds] };
  const empty = { $eq: [{ $size: '$outbox' }, 0] };
  return [
    { $set: { outbox: { $filter: { input: { $ifNull: ['$outbox', []] }, cond: { $not: [isOut] } } } } },
    {
      $set: {
        outboxAt: { $cond: [empty, '$$REMOVE', '$outboxAt'] },
        // A husk that only waited for its last event has nothing more to do.
        huskedAt: { $cond: [{ $and: [empty, { $eq: ['$husk', true] }] }, '$$NOW', '$$REMOVE'] },
      },
    },
  ];
}
