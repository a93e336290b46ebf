import type { EventEnvelope, PaymentStatus } from '@coffer/contracts';
import type { Filter, UpdateFilter } from 'mongodb';
import { nextCheck, type PaymentRecord, type Source, type Step, statesBefore, workOf } from '../domain/payment.ts';
import { duplicateField, type Mongo, type PaymentDocument, run } from './mongo.ts';
import { outboxUpdate } from './outbox.ts';

export interface IdempotencyMark {
  readonly key: string;
  readonly fingerprint: string;
}

/** A change of state, made where the payment is in one that it can follow. */
export interface Transition {
  readonly to: PaymentStatus;
  readonly at: Date;
  readonly source: Source;
  readonly checkoutUrl?: string;
  readonly reason?: string;
  readonly events?: (payment: PaymentRecord) => readonly EventEnvelope[];
}

export interface PaymentStore {
  /** Null where the idempotency key was used before. */
  insert(payment: PaymentRecord, idempotency?: IdempotencyMark): Promise<PaymentRecord | null>;
  byIdempotencyKey(key: string): Promise<{ payment: PaymentRecord; fingerprint: string } | null>;
  get(paymentId: string): Promise<PaymentRecord | null>;
  byReference(reference: string): Promise<PaymentRecord | null>;
  /** The payment after the transition; null where its state did not allow it, and nothing has changed. */
  transit(payment: PaymentRecord, transition: Transition): Promise<PaymentRecord | null>;
  /** Takes a step off the list, with what it found. Repeating it does no harm. */
  stepDone(paymentId: string, step: Step, period?: { start: Date; end: Date | null }): Promise<void>;
  /** Sets when the provider is asked next. */
  checkLater(paymentId: string, at: Date | undefined): Promise<void>;
  /** Newest first. */
  list(o: {
    accountId?: string | undefined;
    status?: PaymentStatus | undefined;
    reference?: string | undefined;
    beforeId?: string | undefined;
    limit: number;
  }): Promise<PaymentRecord[]>;
  unfinished(limit: number, afterId: string): Promise<PaymentRecord[]>;
  toCheck(now: Date, limit: number): Promise<PaymentRecord[]>;
  /** In order of id, all of them. */
  after(paymentId: string, limit: number): Promise<PaymentRecord[]>;
  byIds(paymentIds: readonly string[]): Promise<PaymentRecord[]>;
  /** Forgets whose they were. */
  forgetAccount(accountId: string): Promise<void>;
}

export function createPaymentStore({ payments }: Mongo): PaymentStore {
  const one = async (filter: Filter<PaymentDocument>): Promise<PaymentRecord | null> => {
    const found = await run(() => payments.findOne(filter));
    return found ? toRecord(found) : null;
  };
  const many = async (
    filter: Filter<PaymentDocument>,
    sort: Record<string, 1 | -1>,
    limit: number,
  ): Promise<PaymentRecord[]> =>
    (await run(() => payments.find(filter).sort(sort).limit(limit).toArray())).map(toRecord);

  return {
    async insert(payment, idempotency) {
      const document = { ...toDocument(payment), ...(idempotency ? { idempotency } : {}) };
      try {
        await run(() => payments.insertOne(document));
        return payment;
      } catch (error) {
        if (idempotency !== undefined && duplicateField(error) === 'idempotency.key') return null;
        throw error;
      }
    },

    async byIdempotencyKey(key) {
      const found = await run(() => payments.findOne({ 'idempotency.key': key }));
      return found?.idempotency ? { payment: toRecord(found), fingerprint: found.idempotency.fingerprint } : null;
    },

    get: (paymentId) => one({ _id: paymentId }),
    byReference: (reference) => one({ reference }),

    async transit(payment, { to, at, source, checkoutUrl, reason, events }) {
      const work = workOf(to);
      const { set: outboxSet, push: outboxPush } = outboxUpdate(events?.(payment) ?? [], at);
      const checkAt = nextCheck(to, payment.createdAt, at);
      const update: UpdateFilter<PaymentDocument> = {
        $set: {
          status: to,
          ...(checkoutUrl === undefined ? {} : { checkoutUrl }),
          ...(to === 'success' ? { settledAt: at } : {}),
          ...(work.length > 0 ? { workAt: at } : {}),
          ...(reason === undefined ? {} : { reverseReason: reason }),
          ...(checkAt === undefined ? {} : { checkAt }),
          ...outboxSet,
        },
        $push: {
          history: { status: to, at, source },
          ...(work.length > 0 ? { work: { $each: [...work] } } : {}),
          ...outboxPush,
        },
        ...(checkAt === undefined ? { $unset: { checkAt: '' } } : {}),
      };
      const found = await run(() =>
        payments.findOneAndUpdate(
          // The account too: the events name it, and it may have been removed since the payment was read.
          { _id: payment.id, status: { $in: statesBefore(to) }, accountId: payment.accountId },
          update,
          { returnDocument: 'after' },
        ),
      );
      return found ? toRecord(found) : null;
    },

    async stepDone(paymentId, step, period) {
      await run(() =>
        payments.bulkWrite([
          {
            updateOne: {
              filter: { _id: paymentId },
              update: {
                $pull: { work: step },
                ...(period ? { $set: { periodStart: period.start, periodEnd: period.end } } : {}),
              },
            },
          },
          { updateOne: { filter: { _id: paymentId, work: { $size: 0 } }, update: { $unset: { workAt: '' } } } },
        ]),
      );
    },

    async checkLater(paymentId, at) {
      await run(() =>
        payments.updateOne({ _id: paymentId }, at ? { $set: { checkAt: at } } : { $unset: { checkAt: '' } }),
      );
    },

    list: ({ accountId, status, reference, beforeId, limit }) =>
      many(
        {
          ...(accountId === undefined ? {} : { accountId }),
          ...(status === undefined ? {} : { status }),
          ...(reference === undefined ? {} : { reference }),
          ...(beforeId === undefined ? {} : { _id: { $lt: beforeId } }),
        },
        { _id: -1 },
        limit,
      ),

    unfinished: (limit, afterId) => many({ workAt: { $exists: true }, _id: { $gt: afterId } }, { _id: 1 }, limit),
    toCheck: (now, limit) => many({ checkAt: { $lte: now } }, { checkAt: 1 }, limit),
    after: (paymentId, limit) => many({ _id: { $gt: paymentId } }, { _id: 1 }, limit),
    byIds: (paymentIds) => many({ _id: { $in: [...paymentIds] } }, { _id: 1 }, paymentIds.length),

    async forgetAccount(accountId) {
      await run(() =>
        payments.updateMany(
          { accountId },
          { $set: { accountId: null }, $unset: { idempotency: '', outbox: '', outboxAt: '' } },
        ),
      );
    },
  };
}

function toDocument({ id, money, history, work, ...facts }: PaymentRecord): PaymentDocument {
  return { _id: id, ...facts, ...money, history: [...history], work: [...work] };
}

function toRecord(document: PaymentDocument): PaymentRecord {
  const { _id, amountMinor, currency, outbox: _o, outboxAt: _a, idempotency: _i, workAt: _w, ...facts } = document;
  return { id: _id, money: { amountMinor, currency }, ...facts };
}
