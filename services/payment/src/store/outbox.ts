import type { EventEnvelope } from '@coffer/contracts';
import type { OutboxPort } from '@coffer/service-kit';
import type { AnyBulkWriteOperation, Db } from 'mongodb';
import { type OutboxFields, run } from './mongo.ts';

interface OutboxDocument extends OutboxFields {
  _id: string;
}

/** The parts of an update that put events into the document that they speak of; nothing where there are none. */
export function outboxUpdate(
  events: readonly EventEnvelope[],
  at: Date,
): { set: { outboxAt?: Date }; push: { outbox?: { $each: EventEnvelope[] } } } {
  if (events.length === 0) return { set: {}, push: {} };
  return { set: { outboxAt: at }, push: { outbox: { $each: [...events] } } };
}

/** The outbox's port over one collection, whose documents have string ids and the outbox fields. */
export function createOutboxPort(db: Db, name: 'payments' | 'subscriptions'): OutboxPort {
  const collection = db.collection<OutboxDocument>(name);
  return {
    async clear(entries) {
      if (entries.length === 0) return;
      const writes = entries.flatMap(({ documentId, eventId }): AnyBulkWriteOperation<OutboxDocument>[] => [
        { updateOne: { filter: { _id: documentId }, update: { $pull: { outbox: { id: eventId } } } } },
        {
          updateOne: {
            filter: { _id: documentId, outbox: { $size: 0 } },
            update: { $unset: { outbox: '', outboxAt: '' } },
          },
        },
      ]);
      await run(() => collection.bulkWrite(writes, { ordered: true }));
    },

    async overdue(before, limit) {
      const found = await run(() =>
        collection
          .find({ outboxAt: { $lt: before } }, { projection: { outbox: 1 }, limit })
          .sort({ outboxAt: 1 })
          .toArray(),
      );
      return found.map(({ _id, outbox }) => ({ documentId: _id, events: outbox ?? [] }));
    },
  };
}
