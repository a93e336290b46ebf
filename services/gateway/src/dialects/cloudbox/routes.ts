import type { FastifyReply } from 'fastify';
import type { App } from '../../gateway.ts';

/** Every path of this API, below `/api/v1/`, with the methods it takes; each stands with and without a slash at its end. */
export const PATHS = {
  'auth/register': ['POST'],
  'auth/login': ['POST'],
  'auth/profile': ['GET'],
  'auth/token/refresh': ['GET'],
  'auth/request-password-reset': ['POST'],
  'auth/reset-password': ['POST'],
  'store/folders': ['GET', 'POST', 'PATCH', 'DELETE'],
  'store/folders/:id': ['GET', 'POST', 'PATCH', 'DELETE'],
  'store/folders/content': ['GET'],
  'store/folders/:id/content': ['GET'],
  'store/files': ['POST'],
  'store/files/:id': ['GET', 'POST', 'PATCH', 'DELETE'],
  'store/files/:id/view': ['GET'],
  'store/views/:signed/:name': ['GET'],
  'store/assets/:id/download': ['GET'],
  'store/assets/:id/editors': ['GET', 'POST', 'DELETE'],
  'store/assets/:id/viewers': ['GET', 'POST', 'DELETE'],
  'store/assets/:id/access-type': ['PATCH'],
  payments: ['GET'],
  'payments/pay': ['GET', 'POST'],
  'payments/verify': ['GET'],
  'payments/verify/:reference': ['GET'],
  'payments/verify/webhook': ['POST'],
} as const satisfies Readonly<Record<string, readonly ('GET' | 'POST' | 'PATCH' | 'DELETE')[]>>;

export type Path = keyof typeof PATHS;

/** A path's two spellings as Fastify takes them. */
export const urlsOf = (path: Path): [string, string] => [`/api/v1/${path}`, `/api/v1/${path}/`];

/** A scope within the plugin's, with hooks of its own. */
export function within(app: App, fill: (scope: App) => void): void {
  app.register((scope: App, _options, done) => {
    fill(scope);
    done();
  });
}

/** Answers with `body` as the original did: keys in their order, and no charset, which would be added to text. */
export const sendJson = (reply: FastifyReply, body: object): FastifyReply =>
  reply.type('application/json').send(Buffer.from(JSON.stringify(body)));
