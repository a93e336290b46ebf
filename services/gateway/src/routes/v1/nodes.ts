import type { NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import Type from 'typebox';
import { nodeConditions, parseEntityTags, revTag } from '../../domain/conditions.ts';
import { idempotencyOf } from '../../domain/fingerprints.ts';
import { nodeTag, publicNode } from '../../domain/nodes.ts';
import { checkName } from '../../domain/paths.ts';
import type { App, Gateway } from '../../gateway.ts';
import {
  Empty,
  GeneralAccess,
  Name,
  NoBody,
  Node,
  NodeId,
  NodeParams,
  NoQuery,
  PropertyChanges,
  problems,
  Strict,
} from '../schemas.ts';

const tags = ['nodes'];
const NodeChanges = Strict(
  {
    name: Type.Optional(Name),
    parentId: Type.Optional(NodeId),
    properties: Type.Optional(PropertyChanges),
    generalAccess: Type.Optional(GeneralAccess),
  },
  { minProperties: 1, title: 'NodeChanges' },
);
const Copy = Strict(
  {
    parentId: Type.Optional(NodeId),
    name: Type.Optional(Name),
  },
  {
    title: 'Copy',
    description: 'Into the same folder where nothing else is said; without a name, under the same or a free one',
  },
);
const Permanent = Type.Optional(Type.Boolean({ description: 'Gone for good, not into the trash' }));

export function nodeRoutes(app: App, gateway: Gateway): void {
  const { metadata, nodes, leave, ctx } = gateway;

  app.get(
    '/v1/nodes/:id',
    {
      config: { op: 'nodes.get' },
      schema: {
        summary: 'One file or folder',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        response: { 200: Node, 304: Empty('Not modified'), ...problems },
      },
    },
    async (request, reply) => {
      const record = await nodes({ id: request.params.id }, request);
      reply.header('etag', nodeTag(record));
      const ifNoneMatch = request.headers['if-none-match'];
      if (ifNoneMatch !== undefined && isUnchanged(ifNoneMatch, record)) return reply.code(304).send();
      return publicNode(record);
    },
  );

  app.patch(
    '/v1/nodes/:id',
    {
      config: { op: 'nodes.update' },
      schema: {
        summary: 'Rename, move, change properties, open to whoever has the id: any of them in one step',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        body: NodeChanges,
        response: { 200: Node, ...problems },
      },
    },
    async (request, reply) => {
      if (request.body.name !== undefined) checkName(request.body.name);
      const preconditions = nodeConditions(request.headers);
      const body = { ...request.body, ...(preconditions && { preconditions }) };
      const record = await metadata.call('updateNode', { params: request.params, body }, request.call);
      leave.forget(request.principal().accountId);
      return reply.header('etag', nodeTag(record)).send(publicNode(record));
    },
  );

  app.delete(
    '/v1/nodes/:id',
    {
      config: { op: 'nodes.delete' },
      schema: {
        summary: 'Into the trash, or gone for good',
        tags,
        params: NodeParams,
        querystring: Strict({ permanent: Permanent }),
        response: { 204: Empty('Done'), ...problems },
      },
    },
    async (request, reply) => {
      const preconditions = nodeConditions(request.headers);
      const ref = { id: request.params.id };
      const body = { ref, permanent: request.query.permanent ?? false, ...(preconditions && { preconditions }) };
      await metadata.call('deleteNode', { body }, request.call);
      leave.forget(request.principal().accountId);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/nodes/:id/copy',
    {
      config: { op: 'nodes.copy', idempotencyKey: true },
      schema: {
        summary: 'Copy a file, or a folder with all below it',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        body: Copy,
        response: {
          201: Node,
          202: { ...Node, description: 'The folder is made; what is below it follows' },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const call = request.call;
      if (body.name !== undefined) checkName(body.name);
      const parentId = body.parentId ?? (await nodes({ id: params.id }, request)).parentId;
      if (parentId === null)
        throw appError('invalid_body', 'The root is copied only into another folder', {
          errors: [{ path: '/parentId', message: 'is required' }],
        });
      const idempotency = idempotencyOf(
        request.headers['idempotency-key'],
        { caller: request.principal().accountId, op: 'nodes.copy', body: [params.id, body] },
        ctx.internalSecret,
      );
      const { node, pending } = await metadata.call(
        'copyNode',
        { params, body: { ...body, parentId, ...(idempotency && { idempotency }) } },
        call,
      );
      return reply
        .code(pending ? 202 : 201)
        .headers({ location: `/v1/nodes/${node.id}`, etag: nodeTag(node) })
        .send(publicNode(node));
    },
  );

  app.post(
    '/v1/nodes/:id/restore',
    {
      config: { op: 'nodes.restore' },
      schema: {
        summary: 'Out of the trash; under another name where the old one is taken',
        tags: ['trash'],
        params: NodeParams,
        querystring: NoQuery,
        body: NoBody,
        response: { 200: Node, ...problems },
      },
    },
    async (request, reply) => {
      const record = await metadata.call('restoreNode', { params: request.params }, request.call);
      leave.forget(request.principal().accountId);
      return reply.header('etag', nodeTag(record)).send(publicNode(record));
    },
  );
}

function isUnchanged(ifNoneMatch: string, record: NodeRecord): boolean {
  const tags = parseEntityTags('If-None-Match', ifNoneMatch);
  return tags === '*' || tags.some(({ tag }) => tag === revTag(record.rev));
}
