import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import { publicUrl } from '../../dialects/common/dialect.ts';
import type { App, Gateway } from '../../gateway.ts';
import { ownLink } from '../../links/public-link.ts';
import { Empty, NodeParams, NoQuery, problems } from '../schemas.ts';
import { LinkChanges, LinkParams, MadeLink, NewLink, OwnLink, OwnLinks } from './links-schemas.ts';

const tags = ['links'];

/** Links as those see them who may share the node. */
export function linkRoutes(app: App, gateway: Gateway): void {
  const { metadata } = gateway;

  app.post(
    '/v1/nodes/:id/links',
    {
      config: { op: 'links.create' },
      schema: {
        summary: 'Make a link to a file or folder, or a drop box',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        body: NewLink,
        response: { 201: MadeLink, ...problems },
      },
    },
    async (request, reply) => {
      const { signal: _, ...call } = request.call;
      const { params, body } = request;
      const settings = { ...body, ...timeOf(body) };
      const { link, token } = await metadata.call('createLink', { params, body: settings }, call);
      const url = `${publicUrl(gateway, request)}/l/${token}`;
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...ownLink(link), token, url });
    },
  );

  app.get(
    '/v1/nodes/:id/links',
    {
      config: { op: 'links.list' },
      schema: {
        summary: 'Links to a node; revoked and expired ones are kept for 30 days',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        response: { 200: OwnLinks, ...problems },
      },
    },
    async ({ params, call }) => {
      const { items } = await metadata.call('listLinks', { params }, call);
      return { items: items.map(ownLink) };
    },
  );

  app.patch(
    '/v1/nodes/:id/links/:linkId',
    {
      config: { op: 'links.update' },
      schema: {
        summary: 'Change its password, expiry, number of downloads or note',
        tags,
        params: LinkParams,
        querystring: NoQuery,
        body: LinkChanges,
        response: { 200: OwnLink, ...problems },
      },
    },
    async (request) => {
      await demandLink(request, request.params);
      const { signal: _, ...call } = request.call;
      const { linkId } = request.params;
      const body = { ...request.body, ...timeOf(request.body) };
      return ownLink(await metadata.call('updateLink', { params: { linkId }, body }, call));
    },
  );

  app.delete(
    '/v1/nodes/:id/links/:linkId',
    {
      config: { op: 'links.revoke' },
      schema: {
        summary: 'Revoke it; transfers through it end at once',
        tags,
        params: LinkParams,
        querystring: NoQuery,
        response: { 204: Empty('Done'), ...problems },
      },
    },
    async (request, reply) => {
      await demandLink(request, request.params);
      const { signal: _, ...call } = request.call;
      const { linkId } = request.params;
      await metadata.call('revokeLink', { params: { linkId } }, call);
      return reply.code(204).send();
    },
  );

  /** A link goes by the node that it leads to: what is said of one under another's is not there. */
  async function demandLink(request: FastifyRequest, { id, linkId }: { id: string; linkId: string }): Promise<void> {
    const { items } = await metadata.call('listLinks', { params: { id } }, request.call);
    if (!items.some((link) => link.id === linkId)) throw appError('not_found');
  }
}

/** In UTC and with milliseconds, as times are kept. The schema lets leap seconds pass, which are no time here. */
function timeOf({ expiresAt }: { expiresAt?: string | null }): { expiresAt?: string } {
  if (typeof expiresAt !== 'string') return {};
  const time = new Date(expiresAt);
  if (Number.isNaN(time.getTime())) throw appError('invalid_body', '/expiresAt must be a time');
  return { expiresAt: time.toISOString() };
}
