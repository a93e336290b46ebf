import type { Filter, UpdateFilter } from 'mongodb';
import type { AccountRecord, AccountStore, Credentials, Taken } from '../domain/model.ts';
import { TakenError } from '../domain/model.ts';
import type { AccountDocument } from './documents.ts';
import { duplicateField, type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';

const recordFields = { username: 1, email: 1, role: 1, suspended: 1, createdAt: 1, modifiedAt: 1 } as const;
const credentialFields = {
  username: 1,
  email: 1,
  role: 1,
  suspended: 1,
  passwordHash: 1,
  credentialRev: 1,
  keptSessionId: 1,
} as const;

const maxRevocations = 10_000;

function toRecord(document: AccountDocument): AccountRecord {
  const { _id: id, username, email, role, suspended, createdAt, modifiedAt } = document;
  return { id, username, email, role, suspended, createdAt, modifiedAt };
}

function toCredentials(document: AccountDocument): Credentials {
  const { _id: accountId, username, email, role, suspended, passwordHash, credentialRev, keptSessionId } = document;
  return { accountId, username, email, role, suspended, passwordHash, credentialRev, keptSessionId };
}

const takenBy: Record<string, Taken> = {
  usernameKey: 'username',
  emailKey: 'email',
  'idempotency.key': 'idempotency',
  idempotencyKey: 'idempotency',
};

/** Runs a write; a unique index in its way becomes a TakenError. */
async function unique<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await run(write);
  } catch (error) {
    const taken = takenBy[duplicateField(error) ?? ''];
    if (taken) throw new TakenError(taken);
    throw error;
  }
}

export function createAccountStore({ accounts }: Mongo): AccountStore {
  return {
    async insert({ id, idempotency, ...account }, events) {
      const document: AccountDocument = {
        _id: id,
        ...account,
        suspended: false,
        credentialRev: 1,
        modifiedAt: account.createdAt,
        keys: [],
        revokedKeys: [],
        ...(idempotency && { idempotency }),
        outbox: events,
        outboxAt: account.createdAt,
      };
      await unique(() => accounts.insertOne(document));
      return toRecord(document);
    },

    async get(accountId) {
      const found = await run(() => accounts.findOne({ _id: accountId }, { projection: recordFields }));
      return found ? toRecord(found) : undefined;
    },

    async isTaken({ usernameKey, emailKey }) {
      const found = await run(() =>
        accounts.findOne({ $or: [{ usernameKey }, { emailKey }] }, { projection: { usernameKey: 1 } }),
      );
      if (!found) return undefined;
      return found.usernameKey === usernameKey ? 'username' : 'email';
    },

    async findByIdempotencyKey(key) {
      const found = await run(() =>
        accounts.findOne({ 'idempotency.key': key }, { projection: { ...recordFields, idempotency: 1 } }),
      );
      return found?.idempotency && { account: toRecord(found), mark: found.idempotency };
    },

    async dropIdempotencyKey(key, before) {
      await run(() =>
        accounts.updateOne(
          { 'idempotency.key': key, 'idempotency.at': { $lt: before } },
          { $unset: { idempotency: '' } },
        ),
      );
    },

    async credentials({ field, key }) {
      const filter: Filter<AccountDocument> = { [field]: key };
      const found = await run(() => accounts.findOne(filter, { projection: credentialFields }));
      return found ? toCredentials(found) : undefined;
    },

    async rename(accountId, changes, at) {
      const found = await unique(() =>
        accounts.findOneAndUpdate(
          { _id: accountId },
          { $set: { ...changes, modifiedAt: at } },
          { returnDocument: 'after', projection: recordFields },
        ),
      );
      return found ? toRecord(found) : undefined;
    },

    async setPassword(accountId, { credentialRev, passwordHash, keptSessionId, at }) {
      const update: UpdateFilter<AccountDocument> = {
        $set: { passwordHash, modifiedAt: at, ...(keptSessionId !== undefined && { keptSessionId }) },
        $inc: { credentialRev: 1 },
        ...(keptSessionId === undefined && { $unset: { keptSessionId: '' as const } }),
      };
      const result = await run(() => accounts.updateOne({ _id: accountId, credentialRev }, update));
      return result.matchedCount === 1;
    },

    async setSuspended(accountId, suspended, at, events) {
      const { set, push } = outboxUpdate(events, at);
      const update: UpdateFilter<AccountDocument> = suspended
        ? { $set: { suspended, modifiedAt: at, suspendedAt: at, revokedAt: at, ...set }, $push: push }
        : { $set: { suspended, modifiedAt: at }, $unset: { suspendedAt: '' } };
      const found = await run(() =>
        accounts.findOneAndUpdate({ _id: accountId, suspended: !suspended }, update, {
          returnDocument: 'after',
          projection: recordFields,
        }),
      );
      return found ? toRecord(found) : undefined;
    },

    async find({ fold, id, after, limit }) {
      const filter: Filter<AccountDocument> = {};
      if (after !== undefined) filter._id = { $gt: after };
      if (fold !== undefined) {
        const part = { $regex: RegExp.escape(fold) };
        filter.$or = [{ usernameKey: part }, { emailKey: part }, ...(id === undefined ? [] : [{ _id: id }])];
      }
      const found = await run(() =>
        accounts.find(filter, { projection: recordFields }).sort({ _id: 1 }).limit(limit).toArray(),
      );
      return found.map(toRecord);
    },

    async revokedSince(since) {
      const found = await run(() =>
        accounts
          .find(
            { revokedAt: { $gte: since } },
            { projection: { suspended: 1, suspendedAt: 1, revokedKeys: 1 }, limit: maxRevocations },
          )
          .toArray(),
      );
      return found.flatMap(({ _id, suspended, suspendedAt, revokedKeys }) => [
        ...(suspended && suspendedAt && suspendedAt >= since
          ? [{ kind: 'account' as const, id: _id, at: suspendedAt.toISOString() }]
          : []),
        ...revokedKeys
          .filter(({ at }) => at >= since)
          .map(({ id, at }) => ({ kind: 'key' as const, id, at: at.toISOString() })),
      ]);
    },
  };
}
