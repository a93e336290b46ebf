import type { EventEnvelope } from '@coffer/contracts';
import type { SubscriptionState } from '../domain/subscription.ts';
import { duplicateField, type Mongo, run, type SubscriptionDocument } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';

export interface StoredSubscription extends SubscriptionState {
  /** 0: there is none yet. */
  readonly rev: number;
  readonly isRemoved: boolean;
}

export interface SubscriptionChange extends SubscriptionState {
  readonly nextAt?: Date | undefined;
}

export interface SubscriptionStore {
  get(accountId: string): Promise<StoredSubscription>;
  /** False where it has changed since `rev` was read: nothing is written then. */
  replace(o: {
    accountId: string;
    rev: number;
    change: SubscriptionChange;
    events: readonly EventEnvelope[];
    at: Date;
  }): Promise<boolean>;
  /** Accounts for which something happens by itself. */
  due(now: Date, limit: number): Promise<string[]>;
  limitsAfter(accountId: string, limit: number): Promise<{ accountId: string; limitBytes: number; seq: number }[]>;
  /** Leaves a fence for `fenceMs`, so that work under way makes nothing new. */
  remove(accountId: string, at: Date, fenceMs: number): Promise<void>;
}

export function createSubscriptionStore({ subscriptions }: Mongo): SubscriptionStore {
  return {
    async get(accountId) {
      const found = await run(() => subscriptions.findOne({ _id: accountId }));
      if (!found) return { rev: 0, grants: [], seq: 0, isRemoved: false };
      const { rev, grants, cancelledAt, limitBytes, seq, mentioned, removedAt } = found;
      return { rev, grants, cancelledAt, limitBytes, seq, mentioned, isRemoved: removedAt !== undefined };
    },

    async replace({ accountId, rev, change, events, at }) {
      const { grants, cancelledAt, limitBytes, seq, mentioned, nextAt } = change;
      const optional = { cancelledAt, limitBytes, mentioned, nextAt };
      const { set, push } = outboxUpdate(events, at);
      const kept = { rev: rev + 1, grants: [...grants], seq, ...defined(optional), ...set };
      if (rev > 0) {
        const { matchedCount } = await run(() =>
          subscriptions.updateOne(
            { _id: accountId, rev, removedAt: { $exists: false } },
            { $set: kept, $unset: absent(optional), $push: push },
          ),
        );
        return matchedCount === 1;
      }
      const fresh: SubscriptionDocument = {
        _id: accountId,
        ...kept,
        ...(events.length > 0 ? { outbox: [...events] } : {}),
      };
      try {
        await run(() => subscriptions.insertOne(fresh));
        return true;
      } catch (error) {
        if (duplicateField(error) === undefined) throw error;
        return false;
      }
    },

    async due(now, limit) {
      const found = await run(() =>
        subscriptions
          .find({ nextAt: { $lte: now } }, { projection: { _id: 1 }, limit })
          .sort({ nextAt: 1 })
          .toArray(),
      );
      return found.map(({ _id }) => _id);
    },

    async limitsAfter(accountId, limit) {
      const found = await run(() =>
        subscriptions
          .find(
            { _id: { $gt: accountId }, seq: { $gt: 0 }, removedAt: { $exists: false } },
            { projection: { limitBytes: 1, seq: 1 }, limit },
          )
          .sort({ _id: 1 })
          .toArray(),
      );
      return found.map(({ _id, limitBytes = 0, seq }) => ({ accountId: _id, limitBytes, seq }));
    },

    async remove(accountId, at, fenceMs) {
      await run(() =>
        subscriptions.replaceOne(
          { _id: accountId },
          { rev: 1, grants: [], seq: 0, removedAt: at, purgeAt: new Date(at.getTime() + fenceMs) },
          { upsert: true },
        ),
      );
    },
  };
}

type Optional = Partial<Pick<SubscriptionDocument, 'cancelledAt' | 'limitBytes' | 'mentioned' | 'nextAt'>>;
type MaybeOptional = { [K in keyof Optional]: Optional[K] | undefined };

function defined(fields: MaybeOptional): Optional {
  const { cancelledAt, limitBytes, mentioned, nextAt } = fields;
  return {
    ...(cancelledAt && { cancelledAt }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(mentioned && { mentioned }),
    ...(nextAt && { nextAt }),
  };
}

function absent(fields: MaybeOptional): Record<string, ''> {
  const names = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [name] : []));
  return Object.fromEntries(names.map((name) => [name, '']));
}
