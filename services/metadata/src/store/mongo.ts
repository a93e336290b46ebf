import { setTimeout as sleep } from 'node:timers/promises';
import type { EventEnvelope } from '@coffer/contracts';
import { appError, isAppError, type Logger } from '@coffer/service-kit';
import {
  type Collection,
  MongoBulkWriteError,
  MongoClient,
  MongoError,
  MongoServerError,
  MongoWriteConcernError,
} from 'mongodb';
import type { LinkDoc } from '../domain/links.ts';
import type { NodeDoc } from '../domain/node.ts';
import type { UsageDoc } from '../domain/usage.ts';

/** What stays of a node for a while after it is gone: an event that is not out yet, or a place that no late write may take. */
export interface Husk {
  _id: string;
  husk: true;
  outbox?: EventEnvelope[];
  outboxAt?: Date;
  /** Since when it is of no more use but as a fence: removed by the TTL index an hour later. */
  huskedAt?: Date;
}

export interface Counter {
  _id: string;
  /** The last one that was given. */
  last: number;
}

/** Passwords tried on a link: by its id, and by id and address. */
export interface LinkTries {
  _id: string;
  count: number;
  /** When the count begins anew; the TTL index removes it then. */
  resetAt: Date;
}

export interface Database {
  readonly nodes: Collection<NodeDoc>;
  /** The same collection as `nodes`, seen as what is left of nodes. */
  readonly husks: Collection<Husk>;
  readonly usage: Collection<UsageDoc>;
  readonly counters: Collection<Counter>;
  readonly links: Collection<LinkDoc>;
  readonly linkTries: Collection<LinkTries>;
  /** True once the indexes that the invariants rest on are there; nothing may be written before. */
  isPrepared(): boolean;
  /** Makes the indexes, trying again until MongoDB is there or `signal` aborts. */
  prepare(signal: AbortSignal): Promise<void>;
  ping(): Promise<void>;
  drop(): Promise<void>;
  close(): Promise<void>;
}

/** Index names, by which a duplicate-key error says what was taken. */
export const NAME_INDEX = 'children_by_sort';
export const IDEM_INDEX = 'idempotency';
export const IDENTIFIER_INDEX = 'identifiers';

const HUSK_SECONDS = 3_600;

export function openDatabase(o: { url: string; name: string; logger: Logger }): Database {
  const client = new MongoClient(o.url, {
    appName: 'coffer-metadata',
    writeConcern: { w: 'majority', journal: true },
    // What a failover could take back must not be taken for a fact, least of all by the sweeper.
    readConcernLevel: 'majority',
    // Short, so that a request is refused (503) instead of hanging while MongoDB is away.
    serverSelectionTimeoutMS: 3_000,
    connectTimeoutMS: 3_000,
    socketTimeoutMS: 30_000,
    maxPoolSize: 24,
    // Times are Dates and sizes numbers on both sides; an undefined that slipped in must not become a null.
    ignoreUndefined: true,
  });
  const database = client.db(o.name);
  const nodes = database.collection<NodeDoc>('nodes');
  const husks = database.collection<Husk>('nodes');
  const usage = database.collection<UsageDoc>('usage');
  const counters = database.collection<Counter>('counters');
  const links = database.collection<LinkDoc>('links');
  const linkTries = database.collection<LinkTries>('linkTries');
  let prepared = false;

  const makeIndexes = async (): Promise<void> => {
    // One after the other: building several at once deadlocks some engines.
    await nodes.createIndex(
      { ownerId: 1, parentId: 1, sort: 1 },
      { name: NAME_INDEX, unique: true, partialFilterExpression: { live: true } },
    );
    await nodes.createIndex({ 'idem.key': 1 }, { name: IDEM_INDEX, unique: true, sparse: true });
    await nodes.createIndex(
      { ownerId: 1, trashedAt: -1, _id: -1 },
      { name: 'trash', partialFilterExpression: { trashedAt: { $exists: true } } },
    );
    await nodes.createIndex(
      { ownerId: 1, nameFold: 1, _id: 1 },
      { name: 'search', partialFilterExpression: { live: true } },
    );
    await nodes.createIndex({ outboxAt: 1 }, { name: 'outbox', sparse: true });
    await nodes.createIndex({ workAt: 1 }, { name: 'work', sparse: true });
    await nodes.createIndex({ huskedAt: 1 }, { name: 'husks', sparse: true, expireAfterSeconds: HUSK_SECONDS });
    await nodes.createIndex({ identifier: 1 }, { name: IDENTIFIER_INDEX, unique: true, sparse: true });
    await nodes.createIndex({ number: 1 }, { name: 'numbers', unique: true, sparse: true });
    await nodes.createIndex({ 'grants.accountId': 1 }, { name: 'grants', sparse: true });
    await nodes.createIndex(
      { ownerId: 1, createdAt: 1, _id: 1 },
      { name: 'files', partialFilterExpression: { live: true, kind: 'file' } },
    );
    await nodes.createIndex(
      { publishedAt: -1, _id: -1 },
      { name: 'published', partialFilterExpression: { publishedAt: { $exists: true } } },
    );
    await nodes.createIndex(
      { ownerId: 1, publishedAt: -1, _id: -1 },
      { name: 'published_by_owner', partialFilterExpression: { publishedAt: { $exists: true } } },
    );
    await usage.createIndex({ pendingAt: 1 }, { name: 'pending', sparse: true });
    await usage.createIndex({ emptyBefore: 1 }, { name: 'emptying', sparse: true });
    await usage.createIndex({ removing: 1 }, { name: 'removing', sparse: true });
    await usage.createIndex({ outboxAt: 1 }, { name: 'outbox', sparse: true });
    await links.createIndex({ tokenHash: 1 }, { name: 'tokens', unique: true });
    await links.createIndex({ nodeId: 1, createdAt: -1 }, { name: 'nodes' });
    await links.createIndex({ ownerId: 1 }, { name: 'owners' });
    await links.createIndex({ createdBy: 1 }, { name: 'creators' });
    await links.createIndex({ purgeAt: 1 }, { name: 'purge', sparse: true });
    await links.createIndex({ outboxAt: 1 }, { name: 'outbox', sparse: true });
    await linkTries.createIndex({ resetAt: 1 }, { name: 'tries', expireAfterSeconds: 60 });
  };

  return {
    nodes,
    husks,
    usage,
    counters,
    links,
    linkTries,
    isPrepared: () => prepared,
    prepare: async (signal) => {
      for (let waitMs = 100; !signal.aborted; waitMs = Math.min(waitMs * 2, 2_000)) {
        try {
          // By itself the driver never recovers from a first connection that failed: its topology stays closed.
          await client.connect();
          await makeIndexes();
          prepared = true;
          return;
        } catch (error) {
          o.logger.warn({ err: error }, 'MongoDB is not ready; trying again');
          await sleep(waitMs, undefined, { signal }).catch(() => undefined);
        }
      }
    },
    ping: async () => {
      await database.command({ ping: 1 });
      if (!prepared) throw new Error('the indexes are not made yet');
    },
    drop: async () => {
      await database.dropDatabase();
    },
    close: async () => {
      await client.close();
    },
  };
}

const CONFLICT = 112;
// "Not primary", "shutting down", "host unreachable" and their relatives: the server says that it is away.
const AWAY_CODES = new Set([6, 7, 8, 50, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

export function isDuplicate(error: unknown): error is MongoServerError {
  return error instanceof MongoServerError && error.code === 11000;
}

/** Which unique key something else has already. */
export type Taken = 'name' | 'idem' | 'identifier' | 'id';

export function duplicateOf(message: string): Taken {
  // Only what is said of the index: behind it stands the key, in which a client may have written anything.
  const index = /index: (\S+)/.exec(message)?.[1] ?? message;
  if (index.includes(NAME_INDEX)) return 'name';
  if (index.includes(IDEM_INDEX)) return 'idem';
  return index.includes(IDENTIFIER_INDEX) ? 'identifier' : 'id';
}

/**
 * Runs one operation on the driver. A write conflict wrote nothing and is tried again; an absent or ailing MongoDB
 * becomes 503 `unavailable`: after that a write may or may not have happened.
 */
export async function run<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (error instanceof MongoServerError && error.code === CONFLICT && attempt < 8) {
        await sleep(Math.random() * 2 ** attempt * 4);
        continue;
      }
      throw mapError(error);
    }
  }
}

function mapError(error: unknown): unknown {
  if (isAppError(error) || isDuplicate(error) || !isAway(error)) return error;
  return appError('unavailable', 'The database does not answer at present', { cause: error });
}

function isAway(error: unknown): boolean {
  if (error instanceof MongoWriteConcernError) return true;
  // A bulk write wraps whatever kept it from getting an answer.
  if (error instanceof MongoBulkWriteError) return isAway(error.cause ?? error.errorResponse);
  if (error instanceof MongoServerError) return AWAY_CODES.has(Number(error.code)) || error.code === CONFLICT;
  // The driver's own: no server, network, topology closed, pool cleared, timed out. And what it lets through of the
  // socket's (EPIPE and the like), which are the only system errors that can come from here.
  return error instanceof MongoError || (error instanceof Error && 'code' in error && typeof error.code === 'string');
}

/** What an unordered bulk write says of each item: undefined where it was done, else its error's code and message. */
export function bulkErrors(error: unknown): Map<number, { code: number; message: string }> | null {
  if (!(error instanceof MongoBulkWriteError)) return null;
  const list = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  // Without any item's error it was the whole that failed, and nothing is known of the items.
  if (list.length === 0 || error.result.getWriteConcernError() !== undefined) return null;
  return new Map(list.map((e) => [e.index, { code: Number(e.code), message: e.errmsg ?? '' }]));
}
