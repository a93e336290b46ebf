import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../gateway.ts';

const WELCOME = { name: 'Coffer', docs: '/docs', openapi: '/v1/openapi.json' };
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Coffer</title>
<h1>Coffer</h1><p>This is a cloud store. <a href="/docs">How to use it</a> · <a href="/v1/openapi.json">OpenAPI</a></p></html>
`;

export function welcomeRoute(app: App): void {
  app.get('/', { config: { op: 'welcome' }, schema: { hide: true } }, async (request, reply) => {
    reply.header('vary', 'accept');
    return wantsPage(request) ? sendWelcomePage(reply) : WELCOME;
  });
}

/** Whether it is a browser that asks. */
export const wantsPage = ({ headers }: FastifyRequest): boolean => (headers.accept ?? '').includes('text/html');

export function sendWelcomePage(reply: FastifyReply): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', "default-src 'none'")
    .header('x-content-type-options', 'nosniff')
    .send(PAGE);
}
