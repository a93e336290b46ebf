import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
  type RawServerDefault,
} from 'fastify';
import { REQUEST_ID_HEADER, refuseMalformed, sendProblem } from './answers.ts';
import type { ServiceContext } from './context.ts';
import { appError } from './errors.ts';
import { newId } from './ids.ts';
import { allowedMethods } from './methods.ts';
import { decorateRequests } from './request-decorators.ts';
import { RequestLogger } from './request-logger.ts';
import { RequestState } from './request-state.ts';
import { childTraceparent } from './trace.ts';
import { createValidatorCompiler } from './validation.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export const SECRET_HEADER = 'x-coffer-secret';
// Nothing that could break a log line or be mistaken for markup.
const REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/;

const HEADERS_TIMEOUT_MS = 30_000;
// Longer than the client keeps a connection, so that it is the client who closes: the other way round, a request may
// meet a socket that is just being closed.
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const MAX_HEADER_BYTES = 32_768;
const MAX_PARAM_LENGTH = 16_384;
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;

/**
 * A Fastify app as every service has it. `internal` (the default) requires the internal secret on everything but
 * `/healthz`. Errors leave as problem documents, and every request has an id, a trace and one access line. Bodies that are
 * parsed (their route has a body schema) must arrive within `bodyTimeoutMs`; streams may take their time.
 */
export function createApp(
  ctx: ServiceContext,
  o: { internal?: boolean; bodyTimeoutMs?: number; fastify?: Partial<FastifyServerOptions> } = {},
): App {
  const internal = o.internal ?? true;
  const { http, routerOptions, ...overrides } = { http: undefined, ...o.fastify };
  const app: App = fastify({
    loggerInstance: ctx.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    childLoggerFactory: (_logger, bindings) => new RequestLogger(ctx.logger, bindings),
    genReqId: requestIdOf,
    forceCloseConnections: 'idle',
    // Requests that come on an open connection while we stop are served, and the connection is closed after them.
    return503OnClosing: false,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: 0,
    bodyLimit: BODY_LIMIT_BYTES,
    exposeHeadRoutes: false,
    clientErrorHandler: refuseMalformed,
    // The router refused it before any hook ran.
    frameworkErrors: (error, request, reply) => {
      request.kit = beginRequest(ctx, request, reply, 'unmatched');
      return sendProblem(ctx, error, request, reply);
    },
    ...overrides,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...(typeof http === 'object' ? http : {}),
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ...routerOptions },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorate('internal', internal);
  app.setValidatorCompiler(createValidatorCompiler());
  // Between services the types say what an answer is; on the public side the schema decides what gets out.
  if (internal) app.setSerializerCompiler(() => JSON.stringify);
  decorateRequests(app, ctx);
  const secret = Buffer.from(ctx.internalSecret);

  app.addHook('onRequest', (request, reply, done) => {
    const op = request.routeOptions.config.op ?? 'unmatched';
    request.kit = beginRequest(ctx, request, reply, op);
    if (!internal) {
      reply.header(REQUEST_ID_HEADER, request.id);
      done();
    } else if (mayPass(request, op, secret)) done();
    else done(appError('unauthorized'));
  });

  if (!internal) limitBodyTime(app, o.bodyTimeoutMs ?? BODY_TIMEOUT_MS);
  app.setErrorHandler((error, request, reply) => sendProblem(ctx, error, request, reply));
  const methodsOf = allowedMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allow = methodsOf(path);
    if (allow.length === 0) return sendProblem(ctx, appError('not_found', 'There is no such resource'), request, reply);
    const headers = { allow: allow.join(', ') };
    return sendProblem(ctx, appError('method_not_allowed', undefined, { headers }), request, reply);
  });
  return app;
}

/** A client that sends its JSON byte by byte holds memory and a handler for nothing. */
function limitBodyTime(app: App, bodyTimeoutMs: number): void {
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (request.routeOptions.schema?.body !== undefined && !request.raw.complete) {
      const timer = setTimeout(() => {
        if (reply.sent) return;
        reply.header('connection', 'close');
        reply.send(appError('request_timeout'));
      }, bodyTimeoutMs);
      request.raw.once('close', () => clearTimeout(timer));
    }
    done(null, payload);
  });
}

function beginRequest(ctx: ServiceContext, request: FastifyRequest, reply: FastifyReply, op: string): RequestState {
  const { raw: req, id: requestId } = request;
  return new RequestState({ ctx, req, reply, requestId, traceparent: childTraceparent(req.headers.traceparent), op });
}

function requestIdOf(req: IncomingMessage): string {
  const given = req.headers[REQUEST_ID_HEADER];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
}

function mayPass(request: FastifyRequest, op: string, secret: Buffer): boolean {
  if (op === 'ops.healthz') return true;
  let given = request.raw.headers[SECRET_HEADER];
  // Prometheus can send a bearer token, but not every version of it a header of one's own.
  if (given === undefined && op === 'ops.metrics') given = request.raw.headers.authorization?.replace(/^Bearer /i, '');
  if (typeof given !== 'string') return false;
  const bytes = Buffer.from(given);
  // That the length shows in the time is no loss: it is the same for everyone who reads how secrets are made.
  return bytes.length === secret.length && timingSafeEqual(bytes, secret);
}
