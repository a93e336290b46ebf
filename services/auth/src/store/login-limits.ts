import { createHash } from 'node:crypto';
import type { Logger } from '@coffer/service-kit';
import { appError } from '@coffer/service-kit';
import { Redis } from 'ioredis';
import { addressKey } from '../domain/addresses.ts';
import type { Attempt } from '../domain/model.ts';
import type { LoginLimits, ResetLimits } from '../domain/ports.ts';

/** A fixed window that begins with its first attempt. */
interface AttemptCounter {
  /** Counts `attempts` (1, or 0 to only look); answers 0, or how many seconds to wait where `limit` is reached (and then counts nothing). */
  take(key: string, limit: number, attempts: 0 | 1): Promise<number>;
  /** Takes one attempt back, never below nothing. */
  giveBack(key: string): Promise<void>;
  reset(key: string): Promise<void>;
}

export interface LoginLimitsOptions {
  url: string;
  prefix: string;
  perAccount: number;
  perAddress: number;
  windowSeconds: number;
  logger: Pick<Logger, 'warn' | 'info'>;
}

// One key per script, so that they run on a Redis cluster too. The expiry is set in the same script as the first count: a counter
// without one would lock somebody out for ever.
const takeScript = `
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count >= tonumber(ARGV[1]) then return math.max(1, redis.call('TTL', KEYS[1])) end
if ARGV[3] == '1' and redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 0`;
const giveBackScript = `
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
return 0`;

function redisCounter(redis: Redis, windowSeconds: number): AttemptCounter {
  return {
    take: async (key, limit, attempts) => Number(await redis.eval(takeScript, 1, key, limit, windowSeconds, attempts)),
    giveBack: async (key) => void (await redis.eval(giveBackScript, 1, key)),
    reset: async (key) => void (await redis.del(key)),
  };
}

/** Requests for a new password: enough for who mistypes and mislays, too few to fill somebody's mailbox. */
const resetWindowSeconds = 60 * 60;
const resetsPerEmail = 5;
const resetsPerAddress = 50;

const maxRemembered = 10_000;

/** The same in this process alone, for when Redis is away. Bounded: the oldest windows are forgotten first. */
export function localCounter(windowSeconds: number): AttemptCounter {
  const windows = new Map<string, { count: number; endsAt: number }>();

  function living(key: string): { count: number; endsAt: number } | undefined {
    const window = windows.get(key);
    if (window && window.endsAt > Date.now()) return window;
    windows.delete(key);
    return undefined;
  }

  return {
    take: async (key, limit, attempts) => {
      const window = living(key) ?? { count: 0, endsAt: Date.now() + windowSeconds * 1000 };
      if (window.count >= limit) return Math.max(1, Math.ceil((window.endsAt - Date.now()) / 1000));
      if (attempts === 0) return 0;
      window.count++;
      windows.set(key, window);
      const [oldest] = windows.keys();
      if (windows.size > maxRemembered && oldest !== undefined) windows.delete(oldest);
      return 0;
    },
    giveBack: async (key) => {
      const window = living(key);
      if (window && window.count > 0) window.count--;
    },
    reset: async (key) => void windows.delete(key),
  };
}

/**
 * Attempts to log in, counted in Redis for all instances together. While Redis is away each instance counts by itself: that is
 * weaker (the limit times the number of instances) but still stops a guesser, and refusing everybody would turn the loss of a cache into
 * the loss of the service.
 */
export function createLoginLimits(
  o: LoginLimitsOptions,
): LoginLimits & { resets: ResetLimits; shared(): boolean; close(): Promise<void> } {
  const redis = new Redis(o.url, {
    keyPrefix: `${o.prefix}auth:`,
    // A person waits at the other end: fail at once and fall back, rather than queue.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 500,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
  });
  const attemptCounters = { remote: redisCounter(redis, o.windowSeconds), local: localCounter(o.windowSeconds) };
  const resetCounters = { remote: redisCounter(redis, resetWindowSeconds), local: localCounter(resetWindowSeconds) };
  let shared = true;
  redis.on('error', (error: Error) => lost(error));

  function lost(error: unknown): void {
    if (shared) o.logger.warn({ err: error }, 'Redis is away: log-in attempts are counted by this instance alone');
    shared = false;
  }

  async function count<T>(ask: (counter: AttemptCounter) => Promise<T>, counters = attemptCounters): Promise<T> {
    try {
      const answer = await ask(counters.remote);
      if (!shared) o.logger.info('Redis is back: log-in attempts are counted together again');
      shared = true;
      return answer;
    } catch (error) {
      lost(error);
      return await ask(counters.local);
    }
  }

  const hashed = (name: string): string => createHash('sha256').update(name).digest('base64url');
  // Hashed: names that somebody typed do not belong into a cache, and their length is not ours to choose.
  const accountKey = (account: string): string => `login:account:${hashed(account)}`;
  const sourceKey = (address: string, kind = 'login'): string => `${kind}:address:${addressKey(address).slice(0, 64)}`;

  async function takeOne(key: string, limit: number, attempts: 0 | 1): Promise<void> {
    const waitSeconds = await count((counter) => counter.take(key, limit, attempts));
    if (waitSeconds === 0) return;
    throw appError('rate_limited', `Too many attempts to log in; try again in ${waitSeconds} seconds`, {
      headers: { 'retry-after': String(waitSeconds) },
    });
  }

  async function take({ account, address }: Attempt, attempts: 0 | 1): Promise<void> {
    if (address) await takeOne(sourceKey(address), o.perAddress, attempts);
    await takeOne(accountKey(account), o.perAccount, attempts);
  }

  async function allowReset(key: string, limit: number): Promise<boolean> {
    return (await count((counter) => counter.take(key, limit, 1), resetCounters)) === 0;
  }

  return {
    resets: {
      fromAddress: async (address) => !address || allowReset(sourceKey(address, 'reset'), resetsPerAddress),
      forEmail: (emailKey) => allowReset(`reset:email:${hashed(emailKey)}`, resetsPerEmail),
    },
    shared: () => shared,
    check: (attempt) => take(attempt, 0),
    take: (attempt) => take(attempt, 1),

    async forgive({ account, address }) {
      await count((counter) => counter.reset(accountKey(account)));
      if (address) await count((counter) => counter.giveBack(sourceKey(address)));
    },

    async close() {
      redis.disconnect();
    },
  };
}
