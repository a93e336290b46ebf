import { appError, isAppError } from '@coffer/service-kit';
import { type Collection, type Db, MongoClient, MongoError, MongoServerError } from 'mongodb';
import type {
  AccountDocument,
  AuditDocument,
  PasswordResetDocument,
  SessionDocument,
  SigningKeyDocument,
} from './documents.ts';

export interface Mongo {
  client: MongoClient;
  db: Db;
  accounts: Collection<AccountDocument>;
  sessions: Collection<SessionDocument>;
  passwordResets: Collection<PasswordResetDocument>;
  signingKeys: Collection<SigningKeyDocument>;
  audit: Collection<AuditDocument>;
}

/** Makes the client; it connects with the first operation. */
export function openMongo(o: { url: string; database: string }): Mongo {
  const client = new MongoClient(o.url, {
    appName: 'coffer-auth',
    // What was acknowledged must survive a crash of the server, and of the primary.
    writeConcern: { w: 'majority', journal: true },
    maxPoolSize: 32,
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
    accounts: db.collection<AccountDocument>('accounts'),
    sessions: db.collection<SessionDocument>('sessions'),
    passwordResets: db.collection<PasswordResetDocument>('passwordResets'),
    signingKeys: db.collection<SigningKeyDocument>('signingKeys'),
    audit: db.collection<AuditDocument>('audit'),
  };
}

/** One after the other: not every MongoDB-compatible server makes several at a time. Safe to repeat, and by several instances at once. */
export async function createIndexes(mongo: Mongo): Promise<void> {
  // By itself the driver never recovers from a first connection that failed: its topology stays closed.
  await run(() => mongo.client.connect());
  await mongo.accounts.createIndexes([
    {
      key: { usernameKey: 1 },
      name: 'usernameKeyHeld',
      unique: true,
      partialFilterExpression: { usernameKey: { $exists: true } },
    },
    {
      key: { emailKey: 1 },
      name: 'emailKeyHeld',
      unique: true,
      partialFilterExpression: { emailKey: { $exists: true } },
    },
    {
      key: { 'idempotency.key': 1 },
      name: 'idempotencyKey',
      unique: true,
      partialFilterExpression: { 'idempotency.key': { $exists: true } },
    },
    {
      key: { 'keys.id': 1 },
      name: 'keysId',
      unique: true,
      partialFilterExpression: { 'keys.id': { $exists: true } },
    },
    { key: { revokedAt: 1 }, name: 'revokedAt', sparse: true },
    { key: { outboxAt: 1 }, name: 'outboxAt', sparse: true },
    { key: { purgeAt: 1 }, name: 'purgeAt', expireAfterSeconds: 0 },
  ]);
  // Those of when every account had all names; dropped only now that the ones above hold what they held.
  await dropIndex(mongo.accounts, 'usernameKey');
  await dropIndex(mongo.accounts, 'emailKey');
  await mongo.sessions.createIndexes([
    { key: { accountId: 1, lastUsedAt: -1 }, name: 'accountId' },
    { key: { keyHash: 1 }, name: 'keyHash', unique: true, sparse: true },
    { key: { endedAt: 1 }, name: 'endedAt', sparse: true },
    { key: { outboxAt: 1 }, name: 'outboxAt', sparse: true },
    { key: { purgeAt: 1 }, name: 'purgeAt', expireAfterSeconds: 0 },
  ]);
  // No time after which they go: what operators did is kept.
  await mongo.audit.createIndexes([
    { key: { actorId: 1, _id: -1 }, name: 'actorId' },
    { key: { targetId: 1, _id: -1 }, name: 'targetId' },
  ]);
  await mongo.passwordResets.createIndexes([
    { key: { outboxAt: 1 }, name: 'outboxAt', sparse: true },
    { key: { purgeAt: 1 }, name: 'purgeAt', expireAfterSeconds: 0 },
  ]);
}

const indexNotFound = 27;

/** Nothing happens where there is none of this name, or where another instance dropped it first. */
async function dropIndex(collection: Collection<AccountDocument>, name: string): Promise<void> {
  try {
    await collection.dropIndex(name);
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== indexNotFound) throw error;
  }
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
