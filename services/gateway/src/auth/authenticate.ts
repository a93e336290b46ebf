import type { Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { App, Gateway } from '../gateway.ts';
import { challengeFor, parseCredentials } from './credentials.ts';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Makes `app` a scope that nobody enters unknown, and where a read-only key only reads. */
export function authenticate(app: App, { tokens, apiKeys }: Pick<Gateway, 'tokens' | 'apiKeys'>): void {
  const admit = (principal: Principal, method: string): Error | undefined =>
    principal.readOnly && !READING.has(method) ? appError('read_only') : undefined;

  app.addHook('onRequest', (request, _reply, done) => {
    const { authorization } = request.headers;
    // Nearly all requests come with a token or key that was seen before: they are let in without a promise.
    try {
      const credentials = parseCredentials(authorization);
      const known =
        credentials.kind === 'token'
          ? tokens.remembered(credentials.token)
          : apiKeys.remembered(credentials.keyId, credentials.secret);
      if (known !== undefined) {
        request.setPrincipal(known);
        done(admit(known, request.method));
        return;
      }
      const verifying =
        credentials.kind === 'token'
          ? tokens.verify(credentials.token)
          : apiKeys.verify(credentials.keyId, credentials.secret);
      verifying.then(
        (principal) => {
          request.setPrincipal(principal);
          done(admit(principal, request.method));
        },
        (error: Error) => done(error),
      );
    } catch (error) {
      done(error instanceof Error ? error : appError('unauthorized'));
    }
  });
}

/** Every 401 of `app` says how to authenticate (RFC 9110, 15.5.2), where its route has not said so itself. */
export function challengeRefused(app: App): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode === 401 && !reply.hasHeader('www-authenticate'))
      reply.header('www-authenticate', challengeFor(request.headers.authorization));
    done(null, payload);
  });
}
