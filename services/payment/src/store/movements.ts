import type { Movement } from '../domain/ledger.ts';
import { duplicateField, type Mongo, type MovementDocument, run } from './mongo.ts';

/** Append-only: there is no update and no removal. */
export interface MovementStore {
  /** Does nothing where it is there already. */
  append(movement: Movement): Promise<void>;
  ofPayments(paymentIds: readonly string[]): Promise<Movement[]>;
  /** In order of id, all of them. */
  after(movementId: string, limit: number): Promise<Movement[]>;
}

export function createMovementStore({ movements }: Mongo): MovementStore {
  return {
    async append({ id, lines, ...facts }) {
      try {
        await run(() => movements.insertOne({ _id: id, ...facts, lines: [...lines] }));
      } catch (error) {
        if (duplicateField(error) === undefined) throw error;
      }
    },
    ofPayments: async (paymentIds) =>
      (await run(() => movements.find({ paymentId: { $in: [...paymentIds] } }).toArray())).map(toMovement),
    after: async (movementId, limit) =>
      (
        await run(() =>
          movements
            .find({ _id: { $gt: movementId } }, { limit })
            .sort({ _id: 1 })
            .toArray(),
        )
      ).map(toMovement),
  };
}

function toMovement({ _id, ...facts }: MovementDocument): Movement {
  return { id: _id, ...facts };
}
