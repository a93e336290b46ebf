import type { Collection, Db } from 'mongodb';
import type { SandboxCheckout, SandboxStore } from '../providers/sandbox/model.ts';
import { duplicateField, run } from './mongo.ts';

interface SandboxDocument extends Omit<SandboxCheckout, 'reference'> {
  _id: string;
  /** The earliest moment something is due, or until when it is claimed; absent where nothing is to be sent. */
  sendAt?: Date;
}

const collectionOf = (db: Db): Collection<SandboxDocument> => db.collection<SandboxDocument>('sandboxCheckouts');

/** Safe to repeat, and by several instances at once. */
export async function createSandboxIndexes(db: Db): Promise<void> {
  await collectionOf(db).createIndexes([{ key: { sendAt: 1 }, name: 'sendAt', sparse: true }]);
}

export function createSandboxStore(db: Db): SandboxStore {
  const checkouts = collectionOf(db);
  const get = async (reference: string): Promise<SandboxCheckout | undefined> => {
    const found = await run(() => checkouts.findOne({ _id: reference }));
    return found ? fromDocument(found) : undefined;
  };

  return {
    get,

    async insert(checkout) {
      try {
        await run(() => checkouts.insertOne(toDocument(checkout)));
        return checkout;
      } catch (error) {
        const kept = duplicateField(error) === undefined ? undefined : await get(checkout.reference);
        if (kept) return kept;
        throw error;
      }
    },

    async replace(checkout) {
      const { rev, reference } = checkout;
      const { matchedCount } = await run(() =>
        checkouts.replaceOne({ _id: reference, rev }, toDocument({ ...checkout, rev: rev + 1 })),
      );
      return matchedCount === 1;
    },

    async claimDue(now, leaseUntil) {
      const found = await run(() =>
        checkouts.findOneAndUpdate(
          { sendAt: { $lte: now } },
          { $set: { sendAt: leaseUntil } },
          { sort: { sendAt: 1 }, returnDocument: 'after' },
        ),
      );
      return found ? fromDocument(found) : undefined;
    },
  };
}

function toDocument({ reference, ...facts }: SandboxCheckout): SandboxDocument {
  const [first] = facts.sends.map(({ dueAt }) => dueAt).sort((a, b) => a.getTime() - b.getTime());
  return { _id: reference, ...facts, ...(first && { sendAt: first }) };
}

function fromDocument({ _id, sendAt: _sendAt, ...facts }: SandboxDocument): SandboxCheckout {
  return { reference: _id, ...facts };
}
