import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceContext } from '@coffer/service-kit';
import type { Queue } from 'bullmq';
import type { WorkQueue } from './queue.ts';

export interface Schedule<Data> {
  /** One per queue: the schedule's name in Redis. */
  readonly id: string;
  readonly everyMs: number;
  /** The same for each run. */
  readonly data: Data;
}

// A run that failed, or that a crash cut off, needs no other attempt: the next one does the same.
const OPTIONS = { attempts: 1, removeOnComplete: { count: 100 }, removeOnFail: { count: 200 } };
const LONGEST_WATCH_MS = 60_000;
// A run is due, and nobody has taken it for this long: with workers alive its job was lost.
const LATE_MS = 60_000;

/**
 * Lets a job come into the queue at each interval, one for all instances together. Redis may be away, or come back without what it had: the
 * schedule is looked for as long as the process lives, and set again where it is missing. The first run is due at once.
 */
export function keepSchedule<Data extends { readonly version: number }>(
  ctx: ServiceContext,
  queue: WorkQueue<Data>,
  schedule: Schedule<Data>,
): void {
  const { signal } = ctx.shutdown;
  const logger = ctx.logger.child({ queue: queue.name, schedule: schedule.id });
  const watchMs = Math.min(schedule.everyMs, LONGEST_WATCH_MS);
  void (async () => {
    while (!signal.aborted) {
      try {
        await queue.ready(signal);
        const open = await queue.open();
        if (await isMissing(open, schedule)) {
          // BullMQ derives the types of names and data from the queue's; for a type parameter it cannot.
          const untyped = open as Queue;
          const { id, everyMs: every, data } = schedule;
          await untyped.upsertJobScheduler(id, { every }, { name: queue.name, data, opts: OPTIONS });
          logger.info({ everyMs: every }, 'the schedule was set');
        }
      } catch (error) {
        // Another instance set it in the same moment, or Redis went away: the next look tells.
        if (!signal.aborted) logger.warn({ err: error }, 'the schedule could not be looked at');
      }
      await sleep(watchMs, undefined, { signal }).catch(() => {});
    }
  })();
}

async function isMissing<Data extends { readonly version: number }>(
  queue: Queue<Data>,
  { id, everyMs, data }: Schedule<Data>,
): Promise<boolean> {
  const known = await queue.getJobScheduler(id);
  if (known === undefined) return true;
  const version = known.template?.data?.version ?? 0;
  // Set by a newer worker, while instances are replaced one by one.
  if (version > data.version) return false;
  if (known.every !== everyMs || version < data.version) return true;
  return known.next === undefined || known.next + everyMs + LATE_MS < Date.now();
}

/** Left by a newer worker, while instances are replaced one by one: the next run is as good. */
export function assertVersion(data: { readonly version: number }, version: number): void {
  if (data.version !== version) throw new Error(`the job's data has version ${data.version}`);
}
