import type { EventEnvelope } from '@coffer/contracts';
import type { Filter, UpdateFilter } from 'mongodb';
import type { SessionRecord } from '../domain/model.ts';
import type { SessionStore } from '../domain/ports.ts';
import type { SessionDocument } from './documents.ts';
import { type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';
import type { Sealing } from './sealing.ts';

const maxListed = 1_000;
const maxRevocations = 10_000;
/** Bound to the session, so that a sealed key copied into another document does not open. */
const purpose = (sessionId: string): string => `session-key:${sessionId}`;

function toRecord(document: SessionDocument): SessionRecord {
  const {
    _id: id,
    outbox: _outbox,
    outboxAt: _outboxAt,
    purgeAt: _purgeAt,
    sealedKey: _sealedKey,
    ...record
  } = document;
  return { id, ...record };
}

/** `keepMs`: how long an ended or expired session stays known, which must be longer than an access token lives. */
export function createSessionStore(
  { sessions }: Mongo,
  { keepMs, sealing }: { keepMs: number; sealing: Sealing },
): SessionStore {
  const purgeAt = (end: Date): Date => new Date(end.getTime() + keepMs);
  const living = (now: Date): Filter<SessionDocument> => ({ endedAt: { $exists: false }, expiresAt: { $gt: now } });
  const ending = (at: Date, events: EventEnvelope[]): UpdateFilter<SessionDocument> => {
    const { set, push } = outboxUpdate(events, at);
    return { $set: { endedAt: at, purgeAt: purgeAt(at), ...set }, $push: push };
  };

  return {
    async insert({ id, endedAt: _endedAt, ...session }, key) {
      const sealedKey = key === undefined ? undefined : sealing.seal(Buffer.from(key), purpose(id));
      const document = { _id: id, ...session, sealedKey, purgeAt: purgeAt(session.expiresAt) };
      // What is undefined must not become null: a sparse index would hold it.
      await run(() => sessions.insertOne(document, { ignoreUndefined: true }));
    },

    async get(sessionId) {
      const found = await run(() => sessions.findOne({ _id: sessionId }));
      return found ? toRecord(found) : undefined;
    },

    async findByKey(keyHash) {
      const found = await run(() => sessions.findOne({ keyHash }));
      return found ? toRecord(found) : undefined;
    },

    async newestOfDoor({ id, credentialRev, keptSessionId }, door, now) {
      const trusted: Filter<SessionDocument>[] = [{ credentialRev }];
      if (keptSessionId !== undefined) trusted.push({ _id: keptSessionId });
      const [found] = await run(() =>
        sessions
          .find({ accountId: id, door, sealedKey: { $exists: true }, ...living(now), $or: trusted })
          .sort({ createdAt: -1 })
          .limit(1)
          .toArray(),
      );
      if (found?.sealedKey === undefined) return undefined;
      return { session: toRecord(found), key: sealing.open(found.sealedKey, purpose(found._id)).toString() };
    },

    async touch(sessionId, { at, expiresAt, client }) {
      const result = await run(() =>
        sessions.updateOne(
          { _id: sessionId, ...living(at) },
          { $set: { lastUsedAt: at, expiresAt, purgeAt: purgeAt(expiresAt), ...client } },
        ),
      );
      return result.matchedCount === 1;
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

    async revokedSince(since, longLived) {
      const found = await run(() =>
        sessions
          .find(
            {
              endedAt: { $gte: longLived },
              $or: [{ endedAt: { $gte: since } }, { accessTokenSeconds: { $exists: true } }],
            },
            { projection: { endedAt: 1 } },
          )
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
