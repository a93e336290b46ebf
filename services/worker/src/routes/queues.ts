import { workerContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { QueueDesk } from '../queues/desk.ts';

const DEFAULT_LIMIT = 50;

/** Operators look at the queues and their jobs, and say what becomes of those that failed. */
export default function queueRoutes(app: App, desk: QueueDesk): void {
  serve(app, workerContract, 'listQueues', async (_input, request) => {
    requireOperator(request);
    return { items: await desk.queues() };
  });
  serve(app, workerContract, 'listJobs', async ({ params, query }, request) => {
    requireOperator(request);
    const { state, limit = DEFAULT_LIMIT, cursor } = query;
    return await desk.jobs(params.queue, { state, limit, cursor });
  });
  serve(app, workerContract, 'retryJob', async ({ params }, request) => {
    requireWritingOperator(request);
    await desk.retry(params.queue, params.jobId);
  });
  serve(app, workerContract, 'discardJob', async ({ params }, request) => {
    requireWritingOperator(request);
    await desk.discard(params.queue, params.jobId);
  });
}

function requireOperator(request: FastifyRequest): void {
  if (request.principal().role !== 'operator') throw appError('forbidden');
}

function requireWritingOperator(request: FastifyRequest): void {
  requireOperator(request);
  if (request.principal().readOnly) throw appError('read_only');
}
