import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { App } from '../../gateway.ts';

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** One route, with and without the slash at its end. `path` has none. */
export function both(app: App, path: string, options: Omit<RouteOptions, 'url' | 'handler'>, handler: Handler): void {
  for (const url of [path, `${path}/`]) app.route({ ...options, url, handler });
}
