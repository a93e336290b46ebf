import { publicPage } from '../../domain/nodes.ts';
import type { App, Gateway } from '../../gateway.ts';
import { Empty, NodePage, NoQuery, PageQuery, problems } from '../schemas.ts';

export function trashRoutes(app: App, gateway: Gateway): void {
  const { metadata, leave } = gateway;

  app.get(
    '/v1/trash',
    {
      config: { op: 'trash.list' },
      schema: {
        summary: 'What is in the trash',
        tags: ['trash'],
        querystring: PageQuery,
        response: { 200: NodePage, ...problems },
      },
    },
    async (request) => publicPage(await metadata.call('listTrash', { query: request.query }, request.call)),
  );

  app.delete(
    '/v1/trash',
    {
      config: { op: 'trash.empty' },
      schema: {
        summary: 'Empty the trash; where much is in it, that goes on after the answer',
        tags: ['trash'],
        querystring: NoQuery,
        response: { 204: Empty('Done'), ...problems },
      },
    },
    async (request, reply) => {
      await metadata.call('emptyTrash', {}, request.call);
      leave.forget(request.principal().accountId);
      return reply.code(204).send();
    },
  );
}
