import Type, { type Static } from 'typebox';
import { PageQuery, Time } from './common.ts';
import { contract } from './endpoint.ts';

const QueueName = Type.String({ pattern: '^[a-z][a-z-]{0,31}$' });
export const JobState = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('active'),
  Type.Literal('delayed'),
  Type.Literal('completed'),
  Type.Literal('failed'),
]);
export type JobState = Static<typeof JobState>;

/** A job as operators see it: what it is about by ids alone. */
export const Job = Type.Object({
  id: Type.String(),
  queue: QueueName,
  state: JobState,
  attempts: Type.Integer(),
  createdAt: Time,
  finishedAt: Type.Union([Time, Type.Null()]),
  error: Type.Union([Type.String(), Type.Null()]),
});
export type Job = Static<typeof Job>;

export const workerContract = contract({
  service: 'worker',
  endpoints: {
    listQueues: {
      op: 'queues.list',
      method: 'GET',
      path: '/queues',
      idempotent: true,
      response: Type.Object({
        items: Type.Array(Type.Object({ name: QueueName, counts: Type.Record(Type.String(), Type.Integer()) })),
      }),
    },
    /** The latest first. 404 for an unknown queue. */
    listJobs: {
      op: 'jobs.list',
      method: 'GET',
      path: '/queues/:queue/jobs',
      idempotent: true,
      params: Type.Object({ queue: QueueName }),
      query: Type.Object({ ...PageQuery.properties, state: JobState }),
      response: Type.Object({ items: Type.Array(Job), nextCursor: Type.Union([Type.String(), Type.Null()]) }),
    },
    /** A failed job goes back into its queue. 404; 409 `conflict` where it is in another state. */
    retryJob: {
      op: 'jobs.retry',
      method: 'POST',
      path: '/queues/:queue/jobs/:jobId/retry',
      idempotent: true,
      params: Type.Object({ queue: QueueName, jobId: Type.String({ maxLength: 200 }) }),
    },
    /** A job that is not under way is forgotten. */
    discardJob: {
      op: 'jobs.discard',
      method: 'DELETE',
      path: '/queues/:queue/jobs/:jobId',
      idempotent: true,
      params: Type.Object({ queue: QueueName, jobId: Type.String({ maxLength: 200 }) }),
    },
  },
});
