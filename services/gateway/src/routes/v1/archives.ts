import Type from 'typebox';
import { sendArchive } from '../../downloads/send-archive.ts';
import type { App, Gateway } from '../../gateway.ts';
import { NodeParams, NoQuery, problems } from '../schemas.ts';

export const archiveAnswers = {
  200: {
    description: 'A zip, nothing compressed; the connection breaks off where anything in it changes meanwhile',
    content: { 'application/zip': { schema: Type.Unsafe<unknown>({}) } },
  },
  ...problems,
} as const;

export function archiveRoutes(app: App, gateway: Gateway): void {
  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: '/v1/nodes/:id/archive',
      exposeHeadRoute: false,
      config: { op: method === 'GET' ? 'archives.get' : 'archives.head' },
      schema: {
        summary: method === 'GET' ? 'Download a folder with all below it as a zip' : 'Headers of such a download',
        tags: ['content'],
        params: NodeParams,
        querystring: NoQuery,
        response: archiveAnswers,
      },
      handler: async (request, reply) => {
        const node = await gateway.nodes({ id: request.params.id }, request);
        return await sendArchive(gateway, request, reply, { node, name: node.name || 'files' });
      },
    });
  }
}
