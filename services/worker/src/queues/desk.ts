import type { Job, JobState } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { type Job as BullJob, ErrorCode, type Queue } from 'bullmq';
import { withoutPerson } from '../domain/withheld.ts';
import type { WorkQueue } from './queue.ts';

/** What operators see of the queues, and do with their jobs. `unavailable` while Redis is away. */
export interface QueueDesk {
  queues(): Promise<{ name: string; counts: Record<JobState, number> }[]>;
  /** The latest first. By position: while jobs come and go, one may be seen twice or not at all. */
  jobs(
    queue: string,
    o: { state: JobState; limit: number; cursor?: string | undefined },
  ): Promise<{ items: Job[]; nextCursor: string | null }>;
  /** 409 `conflict` for one that has not failed. */
  retry(queue: string, jobId: string): Promise<void>;
  /** 409 `conflict` for one that is under way, and the next one of a schedule. */
  discard(queue: string, jobId: string): Promise<void>;
}

/** BullMQ keeps jobs with a priority apart from those without; here they wait alike. */
const KINDS = {
  waiting: ['wait', 'prioritized'],
  active: ['active'],
  delayed: ['delayed'],
  completed: ['completed'],
  failed: ['failed'],
} as const satisfies Record<JobState, readonly string[]>;

export function createQueueDesk(queues: readonly Pick<WorkQueue<unknown>, 'name' | 'open'>[]): QueueDesk {
  const open = async (name: string): Promise<Queue> => {
    const known = queues.find((one) => one.name === name);
    if (known === undefined) throw appError('not_found', 'There is no such queue');
    return await known.open();
  };
  const find = async (name: string, jobId: string): Promise<BullJob> => {
    const job: BullJob | undefined = await (await open(name)).getJob(jobId);
    if (job === undefined) throw appError('not_found', 'There is no such job');
    return job;
  };
  return {
    queues: () => Promise.all(queues.map(async ({ name }) => ({ name, counts: await countsOf(await open(name)) }))),
    jobs: async (name, { state, limit, cursor }) => {
      const queue = await open(name);
      const { kind: firstKind, offset: firstOffset } = placeOf(cursor, KINDS[state].length);
      const found: BullJob[] = [];
      let kind = firstKind;
      let offset = firstOffset;
      while (found.length <= limit) {
        const type = KINDS[state][kind];
        if (type === undefined) return { items: found.map((job) => shownJob(job, name, state)), nextCursor: null };
        const want = limit + 1 - found.length;
        const ids = await queue.getRanges([type], offset, offset + want - 1);
        const some: (BullJob | undefined)[] = await Promise.all(ids.map((id) => queue.getJob(id)));
        // One that is removed just now has an id and no more.
        found.push(...some.filter((job) => job !== undefined));
        if (ids.length === want) offset += want;
        else {
          kind++;
          offset = 0;
        }
      }
      const items = found.slice(0, limit).map((job) => shownJob(job, name, state));
      // The one beyond the page is the last that was taken, of the kind that it was taken from.
      return { items, nextCursor: `${kind}.${offset - 1}` };
    },
    retry: async (name, jobId) => {
      const job = await find(name, jobId);
      if (!(await job.isFailed())) throw appError('conflict', 'The job has not failed');
      await orConflict(job.retry('failed', { resetAttemptsMade: true }), job, 'The job has not failed');
    },
    discard: async (name, jobId) => {
      const job = await find(name, jobId);
      if (await job.isActive()) throw appError('conflict', 'The job is under way');
      await orConflict(job.remove(), job, 'The job is under way, or the next one of a schedule');
    },
  };
}

async function countsOf(queue: Queue): Promise<Record<JobState, number>> {
  const { wait = 0, prioritized = 0, ...rest } = await queue.getJobCounts(...Object.values(KINDS).flat());
  const { active = 0, delayed = 0, completed = 0, failed = 0 } = rest;
  return { waiting: wait + prioritized, active, delayed, completed, failed };
}

/** `<which of the state's kinds>.<how many before>` */
function placeOf(cursor: string | undefined, kinds: number): { kind: number; offset: number } {
  if (cursor === undefined) return { kind: 0, offset: 0 };
  const [, kind, offset] = /^(\d)\.(\d{1,9})$/.exec(cursor) ?? [];
  if (kind === undefined || offset === undefined || Number(kind) >= kinds) throw appError('invalid_cursor');
  return { kind: Number(kind), offset: Number(offset) };
}

function shownJob(job: BullJob, queue: string, state: JobState): Job {
  const { id = '', attemptsMade, timestamp, finishedOn, failedReason } = job;
  return {
    id,
    queue,
    state,
    attempts: attemptsMade,
    createdAt: new Date(timestamp).toISOString(),
    finishedAt: finishedOn === undefined ? null : new Date(finishedOn).toISOString(),
    error: failedReason === undefined || failedReason === '' ? null : withoutPerson(failedReason),
  };
}

/** The job may have gone on between our look and the act; BullMQ then refuses, by a code or in words alone. */
async function orConflict(act: Promise<unknown>, job: BullJob, detail: string): Promise<void> {
  try {
    await act;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === ErrorCode.JobNotExist) throw appError('not_found', 'There is no such job');
    if (code === ErrorCode.JobNotInState || code === ErrorCode.JobBelongsToJobScheduler) {
      throw appError('conflict', detail);
    }
    if (await job.isActive()) throw appError('conflict', detail);
    throw error;
  }
}
