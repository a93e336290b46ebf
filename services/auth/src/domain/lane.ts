import { appError } from '@coffer/service-kit';

/** Runs at most `width` tasks at a time; at most `maxWaiting` more wait in order, whoever comes after them is sent away. */
export interface Lane {
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  waiting(): number;
}

interface Waiter {
  start: () => void;
}

/**
 * Work that costs whole milliseconds of a core each time (password hashing) must neither swamp the machine nor pile up behind callers that
 * gave up long ago: a waiter whose signal aborts leaves the queue. 503 `unavailable` with Retry-After when the queue is full.
 */
export function createLane(o: { width: number; maxWaiting: number }): Lane {
  const queue = new Set<Waiter>();
  let running = 0;

  function next(): void {
    const [waiter] = queue;
    if (!waiter || running >= o.width) return;
    queue.delete(waiter);
    waiter.start();
  }

  async function enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (running < o.width && queue.size === 0) {
      running++;
      return;
    }
    if (queue.size >= o.maxWaiting)
      throw appError('unavailable', 'Too many log-ins at this moment', { headers: { 'retry-after': '2' } });
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        queue.delete(waiter);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const waiter: Waiter = {
        start: () => {
          signal?.removeEventListener('abort', onAbort);
          running++;
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      queue.add(waiter);
    });
  }

  return {
    async run(task, signal) {
      await enter(signal);
      try {
        return await task();
      } finally {
        running--;
        next();
      }
    },
    waiting: () => queue.size,
  };
}
