import type { Door } from '@coffer/contracts';
import { type AppError, isFault, toAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';

/** An older API: it translates to the operations that the native one uses, and has no rule and no store of its own. */
export interface Dialect {
  readonly name: Door;
  /** It answers at `/` itself, browsers included. */
  readonly ownsRoot?: true;
  /** Registers hooks, parsers and routes on a scope of its own; routes are absolute. */
  register(app: App, gateway: Gateway): void;
}

/** Opens `app`, a scope of its own, to clients of one dialect. */
export function openDoor(app: App, gateway: Gateway, dialect: Dialect): void {
  app.addHook('onRoute', (route) => {
    // Forms are read by the handlers, as long as they take; and some of these documents refuse with 200.
    route.config = { continueLater: 'forms', ...route.config, refusesWith200: true };
  });
  dialect.register(app, gateway);
}

/** Any error as one of the closed set, and logged where nobody expected it: what a dialect's error handler begins with. */
export function refusalOf(gateway: Gateway, error: unknown, request: FastifyRequest): AppError {
  const refusal = toAppError(error);
  if (isFault(refusal) && !request.raw.socket.destroyed) {
    const about = { err: refusal.cause ?? refusal, code: refusal.code, op: request.routeOptions.config.op };
    gateway.ctx.logger.error({ ...about, requestId: request.id }, 'a request failed');
  }
  return refusal;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/**
 * Answers, at each of these URLs, every method that it does not take; `Allow` (RFC 9110, 15.5.6) is set already. HEAD goes with GET.
 * `answer` sends or throws.
 */
export function refuseOtherMethods(
  app: App,
  taken: Readonly<Record<string, readonly (typeof METHODS)[number][]>>,
  { op, answer }: { op: string; answer: (request: FastifyRequest, reply: FastifyReply) => FastifyReply },
): void {
  for (const [url, methods] of Object.entries(taken)) {
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    const refuse = (request: FastifyRequest, reply: FastifyReply) => answer(request, reply.header('allow', allow));
    app.route({
      method: METHODS.filter((method) => !methods.includes(method)),
      url,
      config: { op },
      // Before the body is looked at, whatever it is.
      onRequest: async (request, reply) => {
        await refuse(request, reply);
        return reply;
      },
      handler: refuse,
    });
  }
}

/** In this scope bodies are not parsed, whatever their type: the handlers take them as they come, or not at all. */
export function leaveBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, continueLater: true };
  });
}

/** Where clients reach this service, without a slash at the end: as configured, else as this request came. */
export function publicUrl({ config }: Gateway, request: FastifyRequest): string {
  return config.PUBLIC_URL === '' ? `${request.protocol}://${request.host}` : config.PUBLIC_URL;
}
