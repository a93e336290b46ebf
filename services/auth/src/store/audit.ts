import type { Filter } from 'mongodb';
import type { AuditRecord } from '../domain/model.ts';
import type { AuditStore } from '../domain/ports.ts';
import type { AuditDocument } from './documents.ts';
import { type Mongo, run } from './mongo.ts';

function toRecord({ _id: id, ...entry }: AuditDocument): AuditRecord {
  return { id, ...entry };
}

/** Nothing here removes an entry or changes what it says. */
export function createAuditStore({ audit }: Mongo): AuditStore {
  return {
    async append({ id, ...entry }) {
      await run(() => audit.insertOne({ _id: id, ...entry }));
    },

    async finish(id, { actorId, outcome }) {
      const result = await run(() => audit.updateOne({ _id: id, actorId, outcome: null }, { $set: { outcome } }));
      return result.matchedCount === 1;
    },

    async get(id) {
      const found = await run(() => audit.findOne({ _id: id }));
      return found ? toRecord(found) : undefined;
    },

    async list({ actorId, targetId, before, limit }) {
      const filter: Filter<AuditDocument> = {};
      if (actorId !== undefined) filter.actorId = actorId;
      if (targetId !== undefined) filter.targetId = targetId;
      if (before !== undefined) filter._id = { $lt: before };
      // Ids begin with the time of their making (RFC 9562, 5.7).
      const found = await run(() => audit.find(filter).sort({ _id: -1 }).limit(limit).toArray());
      return found.map(toRecord);
    },
  };
}
