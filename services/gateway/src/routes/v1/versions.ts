import { Id } from '@coffer/contracts';
import { contentConditions } from '../../domain/conditions.ts';
import { publicNode, publicVersion } from '../../domain/nodes.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { NoBody, Node, NodeParams, NoQuery, problems, Strict, VersionPage } from '../schemas.ts';
import { contentAnswers, Download, isDownload } from './content.ts';

const tags = ['versions'];
const VersionParams = Strict({ id: Id, version: Id });

export function versionRoutes(app: App, gateway: Gateway): void {
  const { metadata } = gateway;

  app.get(
    '/v1/nodes/:id/versions',
    {
      config: { op: 'versions.list' },
      schema: {
        summary: 'Older contents of a file, the newest first; the current one is not among them',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        response: { 200: VersionPage, ...problems },
      },
    },
    async (request) => {
      const { items } = await metadata.call('listVersions', { params: request.params }, request.call);
      return { items: items.map(publicVersion), nextCursor: null };
    },
  );

  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: '/v1/nodes/:id/versions/:version/content',
      exposeHeadRoute: false,
      config: { op: method === 'GET' ? 'versions.get' : 'versions.head' },
      schema: {
        summary: method === 'GET' ? 'Download an older content' : 'Headers of a download of an older content',
        tags,
        params: VersionParams,
        querystring: Strict({ download: Download }),
        response: contentAnswers,
      },
      handler: async (request, reply) => {
        const { id, version: vid } = request.params;
        const { node, content } = await metadata.call('getVersion', { params: { id, vid } }, request.call);
        const download = isDownload(request.query.download);
        return await sendContent(gateway, request, reply, { content, name: node.name, download });
      },
    });
  }

  app.post(
    '/v1/nodes/:id/versions/:version/restore',
    {
      config: { op: 'versions.restore' },
      schema: {
        summary: 'Make an older content the current one; the current one becomes a version',
        tags,
        params: VersionParams,
        querystring: NoQuery,
        body: NoBody,
        response: { 200: Node, ...problems },
      },
    },
    async (request, reply) => {
      const { id, version: vid } = request.params;
      const preconditions = contentConditions(request.headers);
      const body = preconditions === undefined ? {} : { preconditions };
      const record = await metadata.call('restoreVersion', { params: { id, vid }, body }, request.call);
      return reply.header('etag', `"${record.content?.etag ?? ''}"`).send(publicNode(record));
    },
  );
}
