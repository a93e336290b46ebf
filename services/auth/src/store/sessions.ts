import type { EventEnvelope } from '@coffer/contracts';
import type { Filter, UpdateFilter } from 'mongodb';
import type { SessionRecord, SessionStore } from '../domain/model.ts';
import type { SessionDocument } from './documents.ts';
import { type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';

const maxListed = 1_000;
const maxRevocations = 10_000;

function toRecord(document: SessionDocument): SessionRecord {
  const { _id: id, outbox: _outbox, outboxAt: _outboxAt, purgeAt: _purgeAt, ...record } = document;
  return { id, ...record };
}

/** `keepMs`: how long an ended or expired session stays known, which must be longer than an access token lives. */
export function createSessionStore({ sessions }: Mongo, { keepMs }: { keepMs: number }): SessionStore {
  const purgeAt = (end: Date): Date => new Date(end.getTime() + keepMs);
  const living = (now: Date): Filter<SessionDocument> => ({ endedAt: { $exists: false }, expiresAt: { $gt: now } });
  const ending = (at: Date, events: EventEnvelope[]): UpdateFilter<SessionDocument> => {
    const { set, push } = outboxUpdate(events, at);
    return { $set: { endedAt: at, purgeAt: purgeAt(at), ...set }, $push: push };
  };

  return {
    async insert({ id, endedAt: _endedAt, ...session }) {
      await run(() => sessions.insertOne({ _id: id, ...session, purgeAt: purgeAt(session.expiresAt) }));
    },

    async get(sessionId) {
      const found = await run(() => sessions.findOne({ _id: sessionId }));
      return found ? toRecord(found) : undefined;
    },

    async rotate(sessionId, { from, to, at, expiresAt, address, userAgent }) {
      const result = await run(() =>
        sessions.updateOne(
          { _id: sessionId, secretHash: from, ...living(at) },
          { $set: { secretHash: to, lastUsedAt: at, expiresAt, purgeAt: purgeAt(expiresAt), address, userAgent } },
        ),
      );
      return result.matchedCount === 1;
    },

    async list(accountId, now) {
      const found = await run(() =>
        sessions
          .find({ accountId, ...living(now) })
          .sort({ lastUsedAt: -1 })
          .limit(maxListed)
          .toArray(),
      );
      return found.map(toRecord);
    },

    async end(sessionId, { accountId, at, events }) {
      const result = await run(() =>
        sessions.updateOne({ _id: sessionId, ...(accountId && { accountId }), ...living(at) }, ending(at, events)),
      );
      return result.matchedCount === 1;
    },

    async livingIds(accountId, { except, now, limit }) {
      const found = await run(() =>
        sessions
          .find(
            { accountId, ...living(now), ...(except !== undefined && { _id: { $ne: except } }) },
            { projection: { _id: 1 }, limit },
          )
          .toArray(),
      );
      return found.map(({ _id }) => _id);
    },

    async endEach(entries, at) {
      const writes = entries.map(({ sessionId, events }) => ({
        updateOne: { filter: { _id: sessionId, ...living(at) }, update: ending(at, events) },
      }));
      await run(() => sessions.bulkWrite(writes, { ordered: false }));
    },

    async revokedSince(since) {
      const found = await run(() =>
        sessions
          .find({ endedAt: { $gte: since } }, { projection: { endedAt: 1 } })
          .sort({ endedAt: -1 })
          .limit(maxRevocations)
          .toArray(),
      );
      return found.flatMap(({ _id, endedAt }) =>
        endedAt ? [{ kind: 'session' as const, id: _id, at: endedAt.toISOString() }] : [],
      );
    },
  };
}
