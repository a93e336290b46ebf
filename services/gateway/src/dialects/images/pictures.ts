import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { imageNotFound, sendJson } from './answers.ts';
import { feedImage, isPicture } from './format.ts';

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FEED_DEFAULT_LENGTH = 100;
const FEED_MAX_LENGTH = 1000;

/** What anyone may see, by id and in the feed. */
export function pictureRoutes(app: App, gateway: Gateway): void {
  /** The latest first. An array, as clients know it: where the next page begins is in `Link` (RFC 8288). */
  app.get<{ Querystring: Record<string, string> }>(
    '/api/images/feed',
    { config: { op: 'images.feed' } },
    async (request, reply) => {
      const { cursor } = request.query;
      const limit = lengthOf(request.query.limit);
      const query = { limit, ...(cursor !== undefined && { cursor: String(cursor) }) };
      const { items, nextCursor } = await gateway.metadata.call('listPublished', { query }, request.call);
      if (nextCursor !== null) {
        const next = new URLSearchParams({ limit: String(limit), cursor: nextCursor });
        reply.header('link', `</api/images/feed?${next}>; rel="next"`);
      }
      return sendJson(reply, items.filter(isPicture).map(feedImage));
    },
  );

  const show = async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
    const { id } = request.params;
    const node = ID.test(id) ? await find(gateway, request, id) : undefined;
    if (node?.content === undefined || !isPicture(node)) throw imageNotFound(id);
    return await sendContent(gateway, request, reply, { content: node.content, name: node.name, download: false });
  };
  // HEAD by itself: the framework's own would say that the picture has no bytes.
  for (const method of ['GET', 'HEAD']) {
    app.route({ method, url: '/api/images/:id', exposeHeadRoute: false, config: { op: 'images.show' }, handler: show });
  }
}

async function find(gateway: Gateway, request: Parameters<Gateway['nodes']>[1], id: string) {
  try {
    return await gateway.nodes({ id }, request);
  } catch (error) {
    if (isAppError(error, 'not_found')) return undefined;
    throw error;
  }
}

function lengthOf(limit: string | undefined): number {
  if (limit === undefined) return FEED_DEFAULT_LENGTH;
  const length = /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (length < 1) throw appError('invalid_query', 'limit is a whole number from 1 on');
  return Math.min(length, FEED_MAX_LENGTH);
}
