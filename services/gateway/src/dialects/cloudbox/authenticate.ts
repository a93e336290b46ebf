import { NOBODY } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';

const BEARER = /^Bearer +([\x21-\x7e]{1,4096}) *$/i;

/** Only who sent a living access token gets in. */
export function requireToken(app: App, { tokens }: Gateway): void {
  app.addHook('onRequest', async (request) => {
    request.setPrincipal(await tokens.verify(bearerOf(request)));
  });
}

/** Who sent no token gets in as nobody; a bad one is refused all the same, so that its holder learns to renew it. */
export function welcomeAll(app: App, { tokens }: Gateway): void {
  app.addHook('onRequest', async (request) => {
    const isKnown = request.headers.authorization !== undefined;
    request.setPrincipal(isKnown ? await tokens.verify(bearerOf(request)) : NOBODY);
  });
}

/** The token of the `Authorization` header. Throws `unauthorized` without one, `invalid_token` for what cannot be one. */
export function bearerOf({ headers: { authorization } }: FastifyRequest): string {
  if (authorization === undefined || authorization === '') throw appError('unauthorized');
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) throw appError('invalid_token');
  return token;
}

export const readsOnly = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD';

export const isNobody = (request: FastifyRequest): boolean => request.principal().accountId === NOBODY.accountId;
