import type { IncomingMessage, ServerResponse } from 'node:http';
import { appError } from '@coffer/service-kit';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler itself says when the client may send the body, after asking whether it will be taken: any body, or forms only. */
    continueLater?: true | 'forms';
  }
}

const awaiting = new WeakMap<IncomingMessage, ServerResponse>();
const unknown = new WeakSet<IncomingMessage>();

/**
 * `Expect` (RFC 9110, 10.1.1). Left to itself Node tells every client to go on, and answers 417 on its own. Here a client that waits is
 * told to send only when its request has passed all that can be judged without the body.
 */
export function handleExpectations(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaiting.set(request, response);
    app.server.emit('request', request, response);
  });
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    unknown.add(request);
    app.server.emit('request', request, response);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.expect !== undefined && unknown.has(request.raw)) done(appError('expectation_failed'));
    else done();
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.headers.expect !== undefined && !request.is404 && !continuesLater(request)) letContinue(request);
    done(null, payload);
  });
}

/** Whether the route's own handler takes the body as it comes. */
export function continuesLater({ routeOptions, headers }: FastifyRequest): boolean {
  const { continueLater } = routeOptions.config;
  return continueLater === true || (continueLater === 'forms' && /^multipart\//i.test(headers['content-type'] ?? ''));
}

/** Tells a client that waits for it to send the body; without effect for all others. */
export function letContinue({ raw }: FastifyRequest): void {
  const response = awaiting.get(raw);
  awaiting.delete(raw);
  response?.writeContinue();
}

export const isAwaitingContinue = (request: FastifyRequest): boolean => awaiting.has(request.raw);
