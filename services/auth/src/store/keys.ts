import type { UpdateFilter } from 'mongodb';
import { type KeyRecord, TakenError } from '../domain/model.ts';
import type { KeyStore } from '../domain/ports.ts';
import { type AccountDocument, type KeyEntry, living } from './documents.ts';
import { duplicateField, type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';
import type { Sealing } from './sealing.ts';

/** Removed keys an account remembers; only those removed within one access token's life are ever asked for. */
export const maxRevokedKeys = 200;

/** Bound to account and key, so that a sealed secret copied into another document does not open. */
const purpose = (accountId: string, keyId: string): string => `api-key:${accountId}:${keyId}`;

/** As it stands in the account's document. */
export function sealKey(
  sealing: Sealing,
  accountId: string,
  { secret, idempotency, door, ...key }: KeyRecord,
): KeyEntry {
  const sealed = sealing.seal(Buffer.from(secret), purpose(accountId, key.id));
  return { ...key, sealed, ...(door && { door }), ...(idempotency && { idempotency }) };
}

/** Part of a filter: that one more key is still allowed. */
const room = (maxKeys: number) => ({ [`keys.${maxKeys - 1}`]: { $exists: false } });

export function createKeyStore({ accounts }: Mongo, sealing: Sealing): KeyStore {
  function toRecord(accountId: string, { sealed, ...entry }: KeyEntry): KeyRecord {
    return { ...entry, secret: sealing.open(sealed, purpose(accountId, entry.id)).toString() };
  }

  return {
    async list(accountId) {
      const found = await run(() => accounts.findOne({ _id: accountId, ...living }, { projection: { keys: 1 } }));
      return found?.keys.map((entry) => toRecord(accountId, entry));
    },

    async add(accountId, key, { maxKeys, replaysSince }) {
      const { idempotency } = key;
      const unused = idempotency && {
        keys: {
          $not: { $elemMatch: { 'idempotency.key': idempotency.key, 'idempotency.at': { $gt: replaysSince } } },
        },
      };
      const result = await run(() =>
        accounts.updateOne(
          { _id: accountId, ...living, ...room(maxKeys), ...unused },
          { $push: { keys: sealKey(sealing, accountId, key) } },
        ),
      );
      return result.matchedCount === 1;
    },

    async addImported(accountId, key, { maxKeys }) {
      // The index on ids compares accounts with one another, not the keys of one.
      const unused = { 'keys.id': { $ne: key.id }, 'keys.door': { $ne: key.door } };
      const update: UpdateFilter<AccountDocument> = { $push: { keys: sealKey(sealing, accountId, key) } };
      try {
        const result = await run(() =>
          accounts.updateOne({ _id: accountId, ...living, ...room(maxKeys), ...unused }, update),
        );
        return result.matchedCount === 1;
      } catch (error) {
        throw duplicateField(error) === undefined ? error : new TakenError('key');
      }
    },

    async remove(accountId, keyId, at, events) {
      const { set, push } = outboxUpdate(events, at);
      const result = await run(() =>
        accounts.updateOne(
          { _id: accountId, 'keys.id': keyId },
          {
            $set: { revokedAt: at, ...set },
            $pull: { keys: { id: keyId } },
            $push: { revokedKeys: { $each: [{ id: keyId, at }], $slice: -maxRevokedKeys }, ...push },
          },
        ),
      );
      return result.matchedCount === 1;
    },

    async find(keyId) {
      const found = await run(() =>
        accounts.findOne(
          { 'keys.id': keyId },
          { projection: { role: 1, suspended: 1, keys: { $elemMatch: { id: keyId } } } },
        ),
      );
      const entry = found?.keys[0];
      if (!found || !entry) return undefined;
      const { _id: id, role, suspended } = found;
      return { key: toRecord(id, entry), account: { id, role, suspended } };
    },
  };
}
