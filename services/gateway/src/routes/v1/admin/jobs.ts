import type { App, Gateway } from '../../../gateway.ts';
import { Empty, NoBody, NoQuery, pageQuery, problems, Strict } from '../../schemas.ts';
import { audited } from './audited.ts';
import { JobPage, JobParams, JobState, QueueName, QueuePage } from './schemas.ts';

const tags = ['operators'];

export function jobRoutes(app: App, gateway: Gateway): void {
  const { worker } = gateway;

  app.get(
    '/v1/admin/queues',
    {
      config: { op: 'admin.listQueues' },
      schema: {
        summary: 'Queues of work, and how many jobs are in which state',
        tags,
        querystring: NoQuery,
        response: { 200: QueuePage, ...problems },
      },
    },
    async (request) => ({ ...(await worker.call('listQueues', {}, request.call)), nextCursor: null }),
  );

  app.get(
    '/v1/admin/queues/:queue/jobs',
    {
      config: { op: 'admin.listJobs' },
      schema: {
        summary: 'Jobs of a queue in one state, the latest first',
        tags,
        params: Strict({ queue: QueueName }),
        querystring: Strict({ ...pageQuery, state: JobState }),
        response: { 200: JobPage, ...problems },
      },
    },
    async (request) =>
      await worker.call('listJobs', { params: { queue: request.params.queue }, query: request.query }, request.call),
  );

  app.post(
    '/v1/admin/queues/:queue/jobs/:jobId/retry',
    {
      config: { op: 'admin.retryJob' },
      schema: {
        summary: 'Put a failed job back into its queue',
        tags,
        params: JobParams,
        querystring: NoQuery,
        body: NoBody,
        response: { 204: Empty('In its queue again'), ...problems },
      },
    },
    async (request, reply) => {
      const { params } = request;
      await audited(
        gateway,
        request,
        { targetId: targetOf(params), details: {} },
        async (call) => await worker.call('retryJob', { params }, call),
      );
      return reply.code(204).send();
    },
  );

  app.delete(
    '/v1/admin/queues/:queue/jobs/:jobId',
    {
      config: { op: 'admin.discardJob' },
      schema: {
        summary: 'Forget a job that is not under way',
        tags,
        params: JobParams,
        querystring: NoQuery,
        response: { 204: Empty('Forgotten'), ...problems },
      },
    },
    async (request, reply) => {
      const { params } = request;
      await audited(
        gateway,
        request,
        { targetId: targetOf(params), details: {} },
        async (call) => await worker.call('discardJob', { params }, call),
      );
      return reply.code(204).send();
    },
  );
}

const targetOf = ({ queue, jobId }: { queue: string; jobId: string }): string => `${queue}/${jobId}`;
