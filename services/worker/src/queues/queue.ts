import { setTimeout as sleep } from 'node:timers/promises';
import { appError, type Logger, type ServiceContext } from '@coffer/service-kit';
import { type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import type { RedisLink } from '../store/redis.ts';

/** Everything about one kind of work; written in one file, beside its handler. */
export interface QueueDefinition<Data> {
  /** Letters only: it becomes part of names in Redis, of metrics and of the operators' paths. */
  readonly name: string;
  /** Attempts, backoff, and how long finished jobs are remembered: their ids are what keeps work from being done twice. */
  readonly options: JobsOptions;
  readonly concurrency: number;
  /**
   * Does one job and answers in a word what came of it. Runs again after an error (unless that is BullMQ's `UnrecoverableError`) and
   * after a crash, so it must bear being repeated. The signal aborts when the process must end: give up then.
   */
  handle(job: RunningJob<Data>): Promise<string>;
}

export interface RunningJob<Data> {
  readonly id: string;
  readonly data: Data;
  /** From 1 on. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export interface NewJob<Data> {
  /** What makes two jobs the same. Not digits only, and without `:` (BullMQ keeps those forms for itself). */
  readonly id: string;
  readonly data: Data;
  /** Absent: before all others, for people who wait. Else 1 (first) to 2,097,152 (last). */
  readonly priority?: number;
}

export interface WorkQueue<Data> {
  readonly name: string;
  /** BullMQ's own, for schedules and operators. Rejects with `unavailable` while Redis is away. */
  open(): Promise<Queue<Data>>;
  /** Waits until Redis is there; rejects when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when Redis has the job. A job of that id which waits, runs or is done stays as it is; one that failed for good begins
   * anew. Rejects with `unavailable` while Redis is away: nothing is kept here.
   */
  add(job: NewJob<Data>): Promise<void>;
}

export interface QueueSurroundings {
  readonly ctx: ServiceContext;
  readonly prefix: string;
  readonly producer: RedisLink;
  readonly worker: RedisLink;
}

// A worker that dies holds its jobs for as long as their locks live; then another takes them.
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 5_000;
// Each crash of a worker counts as one against the jobs it held; that says nothing about the jobs.
const MAX_STALLED = 50;
const RETRY_FETCH_MS = 1_000;
// Together less than the shutdown's `queues` phase may take.
const FINISH_MS = 3_500;
const CANCELLED_MS = 1_000;

/** A queue, with this process adding to it and working on it. The context's shutdown lets running jobs end, for some seconds. */
export function openQueue<Data>(around: QueueSurroundings, definition: QueueDefinition<Data>): WorkQueue<Data> {
  const { ctx, prefix, producer } = around;
  const { name, options } = definition;
  const logger = ctx.logger.child({ queue: name });
  let opening: Promise<Queue<Data>> | undefined;

  /** Made when Redis is there: BullMQ keeps the failure of a first look at the server for ever. */
  const make = async (): Promise<Queue<Data>> => {
    const queue = new Queue<Data>(name, { connection: producer.client, prefix });
    queue.on('error', (error) => noteError(logger, producer, error));
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      opening = undefined;
      await queue.close().catch((failure: unknown) => logger.debug({ err: failure }, 'a queue could not be closed'));
      throw error;
    }
  };
  const open = async (): Promise<Queue<Data>> => {
    if (!producer.isReady()) throw appError('unavailable', 'Redis is away');
    opening ??= make();
    return await opening;
  };

  startWorker(around, definition, logger);

  return {
    name,
    open,
    ready: (signal) => producer.whenReady(signal),
    add: async ({ id, data, priority }) => {
      const queue = await open();
      const known = await queue.getJob(id);
      if (known !== undefined) {
        // Adding an id that is there is silently ignored, and a failed job would be so for as long as it is remembered.
        if (await known.isFailed()) await known.retry('failed', { resetAttemptsMade: true });
        return;
      }
      // BullMQ derives the type of a job's data and name from the queue's; for a type parameter it cannot.
      const untyped = queue as Queue;
      await untyped.add(name, data, { ...options, jobId: id, ...(priority === undefined ? {} : { priority }) });
    },
  };
}

function startWorker<Data>(around: QueueSurroundings, definition: QueueDefinition<Data>, logger: Logger): void {
  const { ctx, prefix, worker: redis } = around;
  const { name, concurrency, handle } = definition;
  const ended = ctx.metrics.counter(`worker_${name}_jobs_total`, `Attempts at jobs of the queue ${name}`, ['outcome']);
  let running = 0;
  ctx.metrics.gauge(`worker_${name}_jobs_running`, `Jobs of the queue ${name} that run here`, () => running);

  // BullMQ hands the signal only to functions that declare three parameters.
  const run = async (job: Job<Data>, _token: string | undefined, given: AbortSignal | undefined): Promise<string> => {
    running++;
    try {
      const { id = '', data, attemptsMade } = job;
      const signal = given ?? new AbortController().signal;
      return await handle({ id, data, attempt: attemptsMade + 1, signal });
    } finally {
      running--;
    }
  };
  const worker = new Worker<Data, string>(name, run, {
    connection: redis.client,
    prefix,
    concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_STALLED,
    runRetryDelay: RETRY_FETCH_MS,
  });
  worker.on('error', (error) => noteError(logger, redis, error));
  worker.on('completed', (job, outcome) => {
    ended.inc({ outcome });
    logger.info({ jobId: job.id, outcome }, 'a job is done');
  });
  worker.on('failed', (job, error) => {
    // Whatever is not finished comes again.
    const final = job?.finishedOn !== undefined;
    ended.inc({ outcome: final ? 'failed' : 'retry' });
    const about = { err: error, jobId: job?.id, attempt: job?.attemptsMade };
    if (final) logger.error(about, 'a job failed for good');
    else logger.warn(about, 'a job failed, it comes again');
  });
  worker.on('stalled', (jobId) => logger.warn({ jobId }, 'a job was left by its worker, it comes again'));
  ctx.shutdown.onPhase('queues', `worker ${name}`, () => stop(worker, redis, logger));
}

/** Running jobs may end; those that do not are cancelled, and come again elsewhere. */
async function stop(worker: Worker, redis: RedisLink, logger: Logger): Promise<void> {
  // Without Redis no job can be marked as ended, and closing would wait for that.
  const closed = worker.close(!redis.isReady()).then(() => true);
  if (await Promise.race([closed, sleep(FINISH_MS, false, { ref: false })])) return;
  logger.warn('jobs still run; they are cancelled');
  worker.cancelAllJobs('the process ends');
  if (await Promise.race([closed, sleep(CANCELLED_MS, false, { ref: false })])) return;
  logger.warn('jobs are left to other workers');
}

/** Without a listener an error would end the process. That Redis is away is told once, by its connection. */
function noteError(logger: Logger, redis: RedisLink, error: Error): void {
  logger[redis.isReady() ? 'warn' : 'debug']({ err: error }, 'the queue had an error');
}
