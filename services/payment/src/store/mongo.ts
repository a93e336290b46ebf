import type { EventEnvelope, PaymentStatus, Plan, ProviderName } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import { type Collection, type Db, MongoClient, MongoError, MongoServerError } from 'mongodb';
import type { Line, MovementKind } from '../domain/ledger.ts';
import type { Source, Step } from '../domain/payment.ts';
import type { Grant } from '../domain/timeline.ts';
import { createSandboxIndexes } from './sandbox.ts';

/** Events that are not out yet, with the time of the oldest doubt (design: in-document outbox). */
export interface OutboxFields {
  outbox?: EventEnvelope[];
  outboxAt?: Date;
}

export interface PaymentDocument extends OutboxFields {
  _id: string;
  accountId: string | null;
  reference: string;
  provider: ProviderName;
  plan: Plan;
  amountMinor: number;
  currency: string;
  creditMinor: number;
  creditPlanId: string | null;
  status: PaymentStatus;
  history: { status: PaymentStatus; at: Date; source: Source }[];
  checkoutUrl: string | null;
  createdAt: Date;
  settledAt: Date | null;
  periodStart: Date | null;
  periodEnd: Date | null;
  work: Step[];
  /** There while `work` holds anything: since when. */
  workAt?: Date;
  checkAt?: Date;
  /** `key` begins with the account's id, so that nobody meets another's. Gone with the account. */
  idempotency?: { key: string; fingerprint: string };
  reverseReason?: string;
}

export interface SubscriptionDocument extends OutboxFields {
  /** The account's id. */
  _id: string;
  /** Rises with each change of what is decided; every update asks for the one it was computed from. */
  rev: number;
  grants: Grant[];
  cancelledAt?: Date;
  limitBytes?: number;
  seq: number;
  mentioned?: { end: Date; days: number };
  /** When something will happen by itself. */
  nextAt?: Date;
  /** The account is gone: a fence against late work, which says nothing and is told to nobody, for as long as any may come. */
  removedAt?: Date;
  purgeAt?: Date;
}

export interface MovementDocument {
  _id: string;
  paymentId: string;
  kind: MovementKind;
  at: Date;
  lines: Line[];
}

export interface Mongo {
  client: MongoClient;
  db: Db;
  payments: Collection<PaymentDocument>;
  subscriptions: Collection<SubscriptionDocument>;
  movements: Collection<MovementDocument>;
}

/** Makes the client; it connects with the first operation. */
export function openMongo(o: { url: string; database: string }): Mongo {
  const client = new MongoClient(o.url, {
    appName: 'coffer-payment',
    // What was acknowledged must survive a crash of the server, and of the primary.
    writeConcern: { w: 'majority', journal: true },
    maxPoolSize: 32,
    // An absent field says something here, and never `undefined`.
    ignoreUndefined: true,
    // A request must fail with 503 while its client still waits (10 s), not hang.
    serverSelectionTimeoutMS: 3_000,
    connectTimeoutMS: 3_000,
    waitQueueTimeoutMS: 3_000,
    socketTimeoutMS: 8_000,
  });
  const db = client.db(o.database);
  return {
    client,
    db,
    payments: db.collection<PaymentDocument>('payments'),
    subscriptions: db.collection<SubscriptionDocument>('subscriptions'),
    movements: db.collection<MovementDocument>('movements'),
  };
}

/** One after the other: not every MongoDB-compatible server makes several at a time. Safe to repeat, and by several instances at once. */
export async function createIndexes(mongo: Mongo): Promise<void> {
  // By itself the driver never recovers from a first connection that failed: its topology stays closed.
  await run(() => mongo.client.connect());
  await mongo.payments.createIndexes([
    { key: { reference: 1 }, name: 'reference', unique: true },
    {
      key: { 'idempotency.key': 1 },
      name: 'idempotencyKey',
      unique: true,
      partialFilterExpression: { 'idempotency.key': { $exists: true } },
    },
    { key: { accountId: 1, _id: -1 }, name: 'accountId' },
    { key: { status: 1, _id: -1 }, name: 'status' },
    { key: { workAt: 1 }, name: 'workAt', sparse: true },
    { key: { checkAt: 1 }, name: 'checkAt', sparse: true },
    { key: { outboxAt: 1 }, name: 'outboxAt', sparse: true },
  ]);
  await mongo.subscriptions.createIndexes([
    { key: { nextAt: 1 }, name: 'nextAt', sparse: true },
    { key: { outboxAt: 1 }, name: 'outboxAt', sparse: true },
    { key: { purgeAt: 1 }, name: 'purgeAt', expireAfterSeconds: 0 },
  ]);
  await mongo.movements.createIndexes([{ key: { paymentId: 1 }, name: 'paymentId' }]);
  await createSandboxIndexes(mongo.db);
}

/** Runs one operation; a database that is away or too slow becomes 503 `unavailable`. A write may have happened all the same. */
export async function run<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!isAppError(error) && isAway(error))
      throw appError('unavailable', 'The database is not available', { headers: { 'retry-after': '2' }, cause: error });
    throw error;
  }
}

// Interrupted, not primary, shutting down, and the like (the server's own error numbers).
const awayCodes = new Set([6, 7, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 50]);
const awayNames =
  /^Mongo(ServerSelection|Network|NetworkTimeout|PoolCleared|PoolClosed|WaitQueueTimeout|NotConnected|TopologyClosed|ServerClosed|OperationTimeout|ClientClosed|PoolClearedOnNetwork)Error$/;

// The driver lets a few errors of its sockets through as they are, for instance a write on one that the server has just closed.
const socketCodes = new Set(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'ERR_STREAM_DESTROYED']);

function isAway(error: unknown): boolean {
  if (error instanceof MongoServerError) return typeof error.code === 'number' && awayCodes.has(error.code);
  if (error instanceof MongoError) return awayNames.test(error.name);
  return error instanceof Error && 'code' in error && socketCodes.has(String(error.code));
}

/** The field whose unique index refused the write, if that is what happened. */
export function duplicateField(error: unknown): string | undefined {
  if (!(error instanceof MongoServerError) || error.code !== 11000) return undefined;
  const pattern: unknown = error.keyPattern;
  if (typeof pattern === 'object' && pattern !== null) return Object.keys(pattern)[0];
  return /index: (\w+)/.exec(error.message)?.[1] ?? '';
}

/** Throws unless the database answers. */
export async function ping(mongo: Mongo): Promise<void> {
  await run(() => mongo.db.command({ ping: 1 }));
}
