import { appError } from '@coffer/service-kit';
import type { FastifyInstance } from 'fastify';

const MAX_TARGET_LENGTH = 8_192;

/** Longer request targets name nothing here: a path of as many names as are allowed is far shorter in practice. */
export function refuseLongTargets(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.originalUrl.length > MAX_TARGET_LENGTH) done(appError('uri_too_long'));
    else done();
  });
}

/** Bodies that are parsed must be there whole within `withinMs`. Bodies that are files keep their own time. */
export function refuseSlowBodies(app: FastifyInstance, withinMs: number): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { raw, routeOptions } = request;
    if (raw.complete || routeOptions.config.continueLater !== undefined) {
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
