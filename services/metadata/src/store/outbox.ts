import type { EventEnvelope } from '@coffer/contracts';
import type { OutboxPort } from '@coffer/service-kit';
import { type Database, run } from './mongo.ts';

/** The nodes' event queues, as the kit's outbox works them off. */
export function nodeOutbox(database: Database): OutboxPort {
  const { husks } = database;
  return {
    clear: async (entries) => {
      const documentIds = [...new Set(entries.map(({ documentId }) => documentId))];
      const eventIds = entries.map(({ eventId }) => eventId);
      const isOut = { $in: ['$$this.id', eventIds] };
      const empty = { $eq: [{ $size: '$outbox' }, 0] };
      await run(() =>
        husks.updateMany({ _id: { $in: documentIds }, outboxAt: { $exists: true } }, [
          { $set: { outbox: { $filter: { input: { $ifNull: ['$outbox', []] }, cond: { $not: [isOut] } } } } },
          {
            $set: {
              outboxAt: { $cond: [empty, '$$REMOVE', '$outboxAt'] },
              // A husk that only waited for its last event has nothing more to do.
              huskedAt: { $cond: [{ $and: [empty, { $eq: ['$husk', true] }] }, '$$NOW', '$$REMOVE'] },
            },
          },
        ]),
      );
    },
    overdue: async (before, limit) => {
      const docs = await run(() =>
        husks
          .find<{ _id: string; outbox?: EventEnvelope[] }>({ outboxAt: { $lt: before } }, { projection: { outbox: 1 } })
          .sort({ outboxAt: 1 })
          .limit(limit)
          .toArray(),
      );
      return docs.map((doc) => ({ documentId: doc._id, events: doc.outbox ?? [] }));
    },
  };
}
