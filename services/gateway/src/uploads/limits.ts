import { appError } from '@coffer/service-kit';
import type { FastifyInstance } from 'fastify';
import { continuesLater } from './expect.ts';

const MAX_TARGET_LENGTH = 8_192;

/**
 * Requests that name nothing here: longer than any path of ours in practice, or without a host, which HTTP/1.1 does not allow
 * (RFC 9112, 3.2).
 */
export function refuseOddTargets(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { raw } = request;
    if (request.originalUrl.length > MAX_TARGET_LENGTH) done(appError('uri_too_long'));
    else if (raw.headers.host === undefined && raw.httpVersionMinor === 1)
      done(appError('bad_request', 'The Host header is missing'));
    else done();
  });
}

/** Bodies that are parsed must be there whole within `withinMs`. Bodies that are files keep their own time. */
export function refuseSlowBodies(app: FastifyInstance, withinMs: number): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { raw } = request;
    if (raw.complete || continuesLater(request)) {
      done(null, payload);
      return;
    }
    // Ends the parser's wait with the error; the socket stays, so that the answer gets through.
    const timer = setTimeout(() => {
      // Nobody listens where the body was refused meanwhile.
      if (raw.listenerCount('error') > 0) raw.emit('error', appError('request_timeout'));
    }, withinMs);
    raw.once('end', () => clearTimeout(timer));
    raw.once('close', () => clearTimeout(timer));
    done(null, payload);
  });
}
