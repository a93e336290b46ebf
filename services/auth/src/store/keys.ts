import type { KeyRecord, KeyStore } from '../domain/model.ts';
import type { KeyEntry } from './documents.ts';
import { type Mongo, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';
import type { Sealing } from './sealing.ts';

/** Removed keys an account remembers; only those removed within one access token's life are ever asked for. */
const maxRevokedKeys = 200;

/** Bound to account and key, so that a sealed secret copied into another document does not open. */
const purpose = (accountId: string, keyId: string): string => `api-key:${accountId}:${keyId}`;

export function createKeyStore({ accounts }: Mongo, sealing: Sealing): KeyStore {
  function toRecord(accountId: string, { sealed, ...entry }: KeyEntry): KeyRecord {
    return { ...entry, secret: sealing.open(sealed, purpose(accountId, entry.id)).toString() };
  }

  return {
    async list(accountId) {
      const found = await run(() => accounts.findOne({ _id: accountId }, { projection: { keys: 1 } }));
      return found?.keys.map((entry) => toRecord(accountId, entry));
    },

    async add(accountId, { secret, idempotency, ...key }, { maxKeys, replaysSince }) {
      const sealed = sealing.seal(Buffer.from(secret), purpose(accountId, key.id));
      const entry: KeyEntry = { ...key, sealed, ...(idempotency && { idempotency }) };
      const unused = idempotency && {
        keys: {
          $not: { $elemMatch: { 'idempotency.key': idempotency.key, 'idempotency.at': { $gt: replaysSince } } },
        },
      };
      const result = await run(() =>
        accounts.updateOne(
          { _id: accountId, [`keys.${maxKeys - 1}`]: { $exists: false }, ...unused },
          { $push: { keys: entry } },
        ),
      );
      return result.matchedCount === 1;
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
