import { setTimeout as sleep } from 'node:timers/promises';
import { appError, type Logger } from '@coffer/service-kit';
import { Redis } from 'ioredis';

/** A connection to Redis that is made in the background and anew after each loss, without end. */
export interface RedisLink {
  readonly client: Redis;
  isReady(): boolean;
  /** Waits for Redis, however long it is away; rejects with `unavailable` when the signal aborts. */
  whenReady(signal: AbortSignal): Promise<void>;
  /** Rejects while Redis is away: for readiness checks. */
  ping(): Promise<void>;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;
const MAX_RETRY_WAIT_MS = 2_000;
const LOOK_EVERY_MS = 250;

/**
 * `producer`: commands fail at once while Redis is away, so that whoever adds work knows that it was not taken. `worker`: commands
 * wait for Redis, as BullMQ's workers need it.
 */
export function openRedis(o: { url: string; role: 'producer' | 'worker'; logger: Logger }): RedisLink {
  const { logger, role } = o;
  const client = new Redis(o.url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RETRY_WAIT_MS),
    ...(role === 'producer'
      ? { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS }
      : // No limit on one command either: a worker's fetch blocks until there is work.
        { maxRetriesPerRequest: null }),
  });
  let told = false;
  client.on('error', (error: Error) => {
    // Once per outage; a line for each attempt would bury the rest.
    if (!told) logger.warn({ err: error, role }, 'Redis is away, trying on');
    told = true;
  });
  client.on('ready', () => {
    logger.info({ role }, 'connected to Redis');
    told = false;
  });
  const isReady = (): boolean => client.status === 'ready';
  return {
    client,
    isReady,
    whenReady: async (signal) => {
      while (!isReady()) {
        if (signal.aborted) throw appError('unavailable', 'Redis is away');
        await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      }
    },
    ping: async () => {
      if (!isReady()) throw appError('unavailable', 'Redis is away');
      await client.ping();
    },
    close: () => client.disconnect(),
  };
}
