import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { contentConditions } from '../../domain/conditions.ts';
import { publicNode } from '../../domain/nodes.ts';
import { decodeName, rawTail } from '../../domain/paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import type { UploadGoal } from '../../uploads/commit.ts';
import { uploadBody } from '../../uploads/upload.ts';
import { Empty, Node, NodeParams, NoQuery, OneOf, problems, Strict } from '../schemas.ts';

const tags = ['content'];
/** Given without a value it counts as yes. */
export const Download = Type.Optional(OneOf('', 'true', '1', 'false', '0'));
export const isDownload = (value: string | undefined): boolean => value === '' || value === 'true' || value === '1';

const bytes = { description: 'The bytes', content: { '*/*': { schema: Type.Unsafe<unknown>({}) } } };
export const contentAnswers = {
  200: bytes,
  206: { ...bytes, description: 'The range asked for' },
  304: Empty('Not modified'),
  ...problems,
} as const;

/** Answers an upload: 201 when the file was made, 200 when it was replaced. */
export async function answerUpload(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  goal: UploadGoal,
): Promise<FastifyReply> {
  const { node, created } = await uploadBody(gateway, request, goal);
  reply.header('etag', `"${node.content?.etag ?? ''}"`);
  if (created) reply.code(201).header('location', `/v1/nodes/${node.id}`);
  return reply.send(publicNode(node));
}

export function contentReadRoutes(app: App, gateway: Gateway): void {
  const { nodes } = gateway;
  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: '/v1/nodes/:id/content',
      exposeHeadRoute: false,
      config: { op: method === 'GET' ? 'content.get' : 'content.head' },
      schema: {
        summary: method === 'GET' ? 'Download' : 'Headers of a download',
        tags,
        params: NodeParams,
        querystring: Strict({ download: Download }),
        response: contentAnswers,
      },
      handler: async (request, reply) => {
        const { content, name } = await nodes({ id: request.params.id }, request);
        if (content === undefined) throw appError('not_a_file');
        return await sendContent(gateway, request, reply, {
          content,
          name,
          download: isDownload(request.query.download),
        });
      },
    });
  }
}

/** In the scope whose bodies are left alone. */
export function contentWriteRoutes(app: App, gateway: Gateway): void {
  const response = { 200: Node, 201: Node, ...problems };

  app.put(
    '/v1/nodes/:id/content',
    {
      config: { op: 'content.put', continueLater: true, bytes: true },
      schema: { summary: "Replace a file's content", tags, params: NodeParams, querystring: NoQuery, response },
    },
    async (request, reply) => {
      const { id } = request.params;
      return await answerUpload(gateway, request, reply, {
        target: { node: { id } },
        place: `node:${id}`,
        name: '',
        conditions: contentConditions(request.headers),
      });
    },
  );

  app.put(
    '/v1/nodes/:id/children/:name',
    {
      config: { op: 'content.putByName', continueLater: true, bytes: true },
      schema: {
        summary: 'Make or replace a file by its name in a folder',
        tags,
        params: Strict({ ...NodeParams.properties, name: Type.String() }),
        querystring: NoQuery,
        response,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const name = decodeName(rawTail(request.originalUrl, `/v1/nodes/${id}/children/`) ?? request.params.name);
      return await answerUpload(gateway, request, reply, {
        target: { parent: { id }, name, ifExists: 'replace' },
        place: `in:${id}`,
        name,
        conditions: contentConditions(request.headers),
      });
    },
  );
}
