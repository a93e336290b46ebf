import type { NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { idempotencyOf } from '../../domain/fingerprints.ts';
import { nodeTag, publicNode, publicPage } from '../../domain/nodes.ts';
import { checkName } from '../../domain/paths.ts';
import type { App, Gateway } from '../../gateway.ts';
import { uploadForm } from '../../uploads/form.ts';
import { Name, Node, NodePage, NodeParams, NoQuery, PageQuery, Properties, problems, Strict } from '../schemas.ts';

const tags = ['nodes'];
const NewFolder = Strict({ name: Name, properties: Type.Optional(Properties) }, { title: 'NewFolder' });

export function childrenRoute(app: App, { metadata }: Gateway): void {
  app.get(
    '/v1/nodes/:id/children',
    {
      config: { op: 'nodes.children' },
      schema: {
        summary: 'What is in a folder, in byte order of names',
        tags,
        params: NodeParams,
        querystring: PageQuery,
        response: { 200: NodePage, ...problems },
      },
    },
    async (request) => {
      const { params, query } = request;
      return publicPage(await metadata.call('listChildren', { params, query }, request.call));
    },
  );
}

/** Takes JSON for a folder and a form for a file, so it stands in a scope of its own, with a parser that leaves forms alone. */
export function newChildRoute(app: App, gateway: Gateway): void {
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));

  app.post(
    '/v1/nodes/:id/children',
    {
      config: { op: 'nodes.createChild', idempotencyKey: true, continueLater: 'forms' },
      schema: {
        summary: 'Make a folder (JSON) or upload a file (form); a name that is taken is refused',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        body: { content: { 'application/json': { schema: NewFolder } } },
        response: { 201: Node, ...problems },
      },
    },
    async (request, reply) => {
      const node =
        request.mediaType === 'multipart/form-data'
          ? await uploadForm(gateway, request, request.params.id)
          : await makeFolder(gateway, request, request.params.id);
      return reply
        .code(201)
        .headers({ location: `/v1/nodes/${node.id}`, etag: nodeTag(node) })
        .send(publicNode(node));
    },
  );
}

async function makeFolder({ metadata, ctx }: Gateway, request: FastifyRequest, id: string): Promise<NodeRecord> {
  if (request.body === undefined) throw appError('invalid_body', 'A folder takes JSON, a file takes a form');
  // Held to the route's schema, which the types cannot see through a choice of content types.
  const body = request.body as Static<typeof NewFolder>;
  checkName(body.name);
  const idempotency = idempotencyOf(
    request.headers['idempotency-key'],
    { caller: request.principal().accountId, op: 'folders.create', body: [id, body] },
    ctx.internalSecret,
  );
  const { node } = await metadata.call(
    'createFolder',
    { body: { parent: { id }, ...body, ...(idempotency && { idempotency }) } },
    request.call,
  );
  return node;
}
