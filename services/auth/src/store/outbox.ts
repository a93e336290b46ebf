import type { EventEnvelope } from '@coffer/contracts';
import type { OutboxPort } from '@coffer/service-kit';
import type { AnyBulkWriteOperation, Db } from 'mongodb';
import type { OutboxFields } from './documents.ts';
import { run } from './mongo.ts';

/** What the outbox needs of a document, whichever it is. */
interface OutboxDocument extends OutboxFields {
  _id: string;
  deletedAt?: Date;
  purgeAt?: Date;
}

/** The parts of an update that put events into the document that they speak of. */
export function outboxUpdate(
  events: EventEnvelope[],
  at: Date,
): { set: { outboxAt: Date }; push: { outbox: { $each: EventEnvelope[] } } } {
  return { set: { outboxAt: at }, push: { outbox: { $each: events } } };
}

/**
 * The outbox's port over one collection, whose documents have string ids and the outbox fields. `keepDeletedMs`: documents with `deletedAt` go
 * so long after the last of their events is out.
 */
export function createOutboxPort(
  db: Db,
  name: 'accounts' | 'sessions' | 'passwordResets',
  { keepDeletedMs }: { keepDeletedMs?: number } = {},
): OutboxPort {
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
        ...(keepDeletedMs === undefined ? [] : [purgeOf(documentId, keepDeletedMs)]),
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

/** Nothing is ever queued in a deleted document, so one without events stays so. */
function purgeOf(documentId: string, keepDeletedMs: number): AnyBulkWriteOperation<OutboxDocument> {
  return {
    updateOne: {
      filter: { _id: documentId, deletedAt: { $exists: true }, outboxAt: { $exists: false } },
      update: { $set: { purgeAt: new Date(Date.now() + keepDeletedMs) } },
    },
  };
}
