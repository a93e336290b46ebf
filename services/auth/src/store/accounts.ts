import type { Filter, UpdateFilter } from 'mongodb';
import type { AccountRecord, Credentials, Taken } from '../domain/model.ts';
import { TakenError } from '../domain/model.ts';
import type { AccountStore } from '../domain/ports.ts';
import { type AccountDocument, living } from './documents.ts';
import { maxRevokedKeys, sealKey } from './keys.ts';
import { duplicateField, type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';
import { sealProfile } from './profiles.ts';
import type { Sealing } from './sealing.ts';

const recordFields = { username: 1, email: 1, role: 1, suspended: 1, createdAt: 1, modifiedAt: 1 } as const;
const credentialFields = {
  ...recordFields,
  emailKey: 1,
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
  const { emailKey, passwordHash, credentialRev, keptSessionId } = document;
  return { ...toRecord(document), emailKey, passwordHash, credentialRev, keptSessionId };
}

const takenBy: Record<string, Taken> = {
  usernameKey: 'username',
  usernameKeyHeld: 'username',
  emailKey: 'email',
  emailKeyHeld: 'email',
  'keys.id': 'key',
  keysId: 'key',
  'idempotency.key': 'idempotency',
  idempotencyKey: 'idempotency',
};

/** All that a deleted account does not keep: every field but `_id`, `role`, `credentialRev`, the times and the outbox. */
const personalFields = [
  'username',
  'usernameKey',
  'email',
  'emailKey',
  'suspended',
  'suspendedAt',
  'passwordHash',
  'keptSessionId',
  'profile',
  'keys',
  'revokedKeys',
  'idempotency',
] as const satisfies (keyof AccountDocument)[];

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

export function createAccountStore({ accounts }: Mongo, sealing: Sealing): AccountStore {
  return {
    async insert({ id, idempotency, emailKey, profile, importedKey, ...account }, events) {
      const document: AccountDocument = {
        _id: id,
        ...account,
        ...(emailKey !== undefined && { emailKey }),
        ...(profile && { profile: sealProfile(sealing, id, profile) }),
        suspended: false,
        credentialRev: 1,
        modifiedAt: account.createdAt,
        keys: importedKey ? [sealKey(sealing, id, importedKey)] : [],
        revokedKeys: [],
        ...(idempotency && { idempotency }),
        outbox: events,
        outboxAt: account.createdAt,
      };
      await unique(() => accounts.insertOne(document));
      return toRecord(document);
    },

    async get(accountId) {
      const found = await run(() => accounts.findOne({ _id: accountId, ...living }, { projection: recordFields }));
      return found ? toRecord(found) : undefined;
    },

    async isTaken({ usernameKey, emailKey, keyId }) {
      const filters: Filter<AccountDocument>[] = [{ usernameKey }];
      if (emailKey !== undefined) filters.push({ emailKey });
      if (keyId !== undefined) filters.push({ 'keys.id': keyId });
      const found = await run(() =>
        accounts
          .find({ $or: filters }, { projection: { usernameKey: 1, emailKey: 1 }, limit: filters.length })
          .toArray(),
      );
      if (found.length === 0) return undefined;
      if (found.some((one) => one.usernameKey === usernameKey)) return 'username';
      return found.some((one) => emailKey !== undefined && one.emailKey === emailKey) ? 'email' : 'key';
    },

    async lookUp({ ids, keys }) {
      const filter: Filter<AccountDocument> = {
        ...living,
        $or: [{ _id: { $in: ids } }, { usernameKey: { $in: keys } }, { emailKey: { $in: keys } }],
      };
      const found = await run(() =>
        accounts.find(filter, { projection: { ...recordFields, usernameKey: 1, emailKey: 1 } }).toArray(),
      );
      return found.map((document) => {
        const { usernameKey = '', emailKey } = document;
        return { ...toRecord(document), usernameKey, emailKey };
      });
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
      const filter: Filter<AccountDocument> = { [field]: key, ...living };
      const found = await run(() => accounts.findOne(filter, { projection: credentialFields }));
      return found ? toCredentials(found) : undefined;
    },

    async rename(accountId, { from: { username, email }, to, at }) {
      const { emailKey, ...names } = to;
      const update: UpdateFilter<AccountDocument> =
        emailKey === undefined
          ? { $set: { ...names, modifiedAt: at }, $unset: { emailKey: '' } }
          : { $set: { ...names, emailKey, modifiedAt: at } };
      const found = await unique(() =>
        accounts.findOneAndUpdate({ _id: accountId, ...living, username, email }, update, {
          returnDocument: 'after',
          projection: recordFields,
        }),
      );
      return found ? toRecord(found) : undefined;
    },

    async setPassword(accountId, { credentialRev, emailKey, passwordHash, keptSessionId, at, events = [] }) {
      const { set, push } = outboxUpdate(events, at);
      const update: UpdateFilter<AccountDocument> = {
        $set: {
          passwordHash,
          modifiedAt: at,
          ...(keptSessionId !== undefined && { keptSessionId }),
          ...(events.length > 0 && set),
        },
        ...(events.length > 0 && { $push: push }),
        $inc: { credentialRev: 1 },
        ...(keptSessionId === undefined && { $unset: { keptSessionId: '' as const } }),
      };
      const filter = { _id: accountId, ...living, credentialRev, ...(emailKey !== undefined && { emailKey }) };
      const result = await run(() => accounts.updateOne(filter, update));
      return result.matchedCount === 1;
    },

    async remove(accountId, { credentialRev, at, events }) {
      const { set, push } = outboxUpdate(events, at);
      const result = await run(() =>
        accounts.updateOne(
          { _id: accountId, ...living, ...(credentialRev !== undefined && { credentialRev }) },
          {
            $set: { deletedAt: at, revokedAt: at, ...set },
            $push: push,
            $unset: Object.fromEntries(personalFields.map((field) => [field, ''])),
          },
        ),
      );
      return result.matchedCount === 1;
    },

    async wasRemoved(accountId) {
      const filter = { _id: accountId, deletedAt: { $exists: true } };
      return (await run(() => accounts.findOne(filter, { projection: { _id: 1 } }))) !== null;
    },

    async shutOut(accountId, { credentialRev, keyIds, at, events }) {
      const { set, push } = outboxUpdate(events, at);
      const isWhole: Filter<AccountDocument> = { keys: { $size: keyIds.length } };
      if (keyIds.length > 0) isWhole['keys.id'] = { $all: keyIds };
      const revokedKeys = { $each: keyIds.map((id) => ({ id, at })), $slice: -maxRevokedKeys };
      const result = await run(() =>
        accounts.updateOne(
          { _id: accountId, ...living, credentialRev, ...isWhole },
          {
            $set: {
              keys: [],
              modifiedAt: at,
              ...(keyIds.length > 0 && { revokedAt: at }),
              ...(events.length > 0 && set),
            },
            $unset: { keptSessionId: '' },
            $inc: { credentialRev: 1 },
            $push: { revokedKeys, ...(events.length > 0 && push) },
          },
        ),
      );
      return result.matchedCount === 1;
    },

    async setSuspended(accountId, suspended, at, events) {
      const { set, push } = outboxUpdate(events, at);
      const update: UpdateFilter<AccountDocument> = suspended
        ? { $set: { suspended, modifiedAt: at, suspendedAt: at, revokedAt: at, ...set }, $push: push }
        : { $set: { suspended, modifiedAt: at }, $unset: { suspendedAt: '' } };
      const found = await run(() =>
        accounts.findOneAndUpdate({ _id: accountId, ...living, suspended: !suspended }, update, {
          returnDocument: 'after',
          projection: recordFields,
        }),
      );
      return found ? toRecord(found) : undefined;
    },

    async find({ fold, id, after, limit }) {
      const filter: Filter<AccountDocument> = { ...living };
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

    async revokedSince(since, longLived) {
      const found = await run(() =>
        accounts
          .find(
            {
              revokedAt: { $gte: longLived },
              $or: [{ revokedAt: { $gte: since } }, { suspended: true }, { deletedAt: { $exists: true } }],
            },
            { projection: { suspended: 1, suspendedAt: 1, deletedAt: 1, revokedKeys: 1 }, limit: maxRevocations },
          )
          .sort({ revokedAt: -1 })
          .toArray(),
      );
      return found.flatMap(({ _id, suspended, suspendedAt, deletedAt, revokedKeys = [] }) => [
        ...[deletedAt, suspended ? suspendedAt : undefined]
          .flatMap((at) => (at !== undefined && at >= longLived ? [at] : []))
          .map((at) => ({ kind: 'account' as const, id: _id, at: at.toISOString() })),
        ...revokedKeys
          .filter(({ at }) => at >= since)
          .map(({ id, at }) => ({ kind: 'key' as const, id, at: at.toISOString() })),
      ]);
    },
  };
}
