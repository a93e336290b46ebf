import type { NodeRecord, NodeRef } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { contentConditions, nodeConditions } from '../../domain/conditions.ts';
import { nodeTag, publicNode, publicPage } from '../../domain/nodes.ts';
import { type FilePath, parsePath, rawTail } from '../../domain/paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { Empty, Node, NodePage, NoQuery, pageQuery, problems, Strict } from '../schemas.ts';
import { answerUpload, Download, isDownload } from './content.ts';

const tags = ['files'];
const PREFIX = '/v1/files/';
const Wildcard = Strict({
  '*': Type.String({ description: 'Names from the root on, each percent-encoded; a slash at the end names a folder' }),
});

function pathOf(request: FastifyRequest): FilePath {
  const raw = rawTail(request.originalUrl, PREFIX);
  // The router decodes before it compares: only the plain spelling of the prefix is ours.
  if (raw === undefined) throw appError('not_found');
  return parsePath(raw);
}

const refOf = ({ names, folder }: FilePath): NodeRef => ({ path: names, ...(folder && { kind: 'folder' as const }) });

export function fileReadRoutes(app: App, gateway: Gateway): void {
  const { metadata, nodes, leave } = gateway;

  const sendFolder = async (request: FastifyRequest, reply: FastifyReply, folder: NodeRecord, query: object) => {
    reply.type('application/json; charset=utf-8');
    if (request.method === 'HEAD') return reply.send();
    return reply.send(
      publicPage(await metadata.call('listChildren', { params: { id: folder.id }, query }, request.call)),
    );
  };

  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: '/v1/files/*',
      exposeHeadRoute: false,
      config: { op: method === 'GET' ? 'files.get' : 'files.head' },
      schema: {
        summary: method === 'GET' ? 'Download a file by its path, or list a folder' : 'Headers of a download by path',
        tags,
        params: Wildcard,
        querystring: Strict({ ...pageQuery, download: Download }),
        response: {
          200: {
            description: "A file's bytes, or a page of a folder",
            content: { 'application/json': { schema: NodePage }, '*/*': { schema: Type.Unsafe<unknown>({}) } },
          },
          206: { description: 'The range asked for', content: { '*/*': { schema: Type.Unsafe<unknown>({}) } } },
          304: Empty('Not modified'),
          ...problems,
        },
      },
      handler: async (request, reply) => {
        const { download, ...query } = request.query;
        const record = await nodes(refOf(pathOf(request)), request);
        const { content, name } = record;
        if (content === undefined) return await sendFolder(request, reply, record, query);
        if (query.limit !== undefined || query.cursor !== undefined)
          throw appError('invalid_query', 'Only a folder is listed in pages');
        return await sendContent(gateway, request, reply, { content, name, download: isDownload(download) });
      },
    });
  }

  app.delete(
    '/v1/files/*',
    {
      config: { op: 'files.delete' },
      schema: {
        summary: 'Into the trash, or gone for good',
        tags,
        params: Wildcard,
        querystring: Strict({ permanent: Type.Optional(Type.Boolean()) }),
        response: { 204: Empty('Done'), ...problems },
      },
    },
    async (request, reply) => {
      const path = pathOf(request);
      const preconditions = path.folder ? nodeConditions(request.headers) : contentConditions(request.headers);
      const body = {
        ref: refOf(path),
        permanent: request.query.permanent ?? false,
        ...(preconditions && { preconditions }),
      };
      await metadata.call('deleteNode', { body }, request.call);
      leave.forget(request.principal().accountId);
      return reply.code(204).send();
    },
  );
}

/** In the scope whose bodies are left alone. */
export function fileWriteRoute(app: App, gateway: Gateway): void {
  app.put(
    '/v1/files/*',
    {
      config: { op: 'files.put', continueLater: true, bytes: true },
      schema: {
        summary:
          'Make or replace a file by its path; the folders on the way are made. With a slash at the end: make a folder',
        tags,
        params: Wildcard,
        querystring: NoQuery,
        response: { 200: Node, 201: Node, ...problems },
      },
    },
    async (request, reply) => {
      const path = pathOf(request);
      if (path.folder) return await putFolder(gateway, request, reply, path.names);
      const parent = { path: path.names.slice(0, -1) };
      const name = path.names.at(-1) ?? '';
      return await answerUpload(gateway, request, reply, {
        target: { parent, name, makeFolders: true, ifExists: 'replace' },
        place: `path:${parent.path.join('/')}`,
        name,
        conditions: contentConditions(request.headers),
      });
    },
  );
}

async function putFolder({ metadata, nodes }: Gateway, request: FastifyRequest, reply: FastifyReply, names: string[]) {
  const { 'transfer-encoding': coding, 'content-length': length = '0' } = request.headers;
  if (coding !== undefined || length !== '0')
    throw appError('bad_request', 'A path with a slash at the end names a folder, which has no content');
  const name = names.at(-1);
  const call = request.call;
  const { node, created } =
    name === undefined
      ? { node: await nodes({ path: [] }, request), created: false }
      : await metadata.call(
          'createFolder',
          { body: { parent: { path: names.slice(0, -1) }, name, makeFolders: true, existing: true } },
          call,
        );
  if (created) reply.code(201).header('location', `/v1/nodes/${node.id}`);
  return reply.header('etag', nodeTag(node)).send(publicNode(node));
}
