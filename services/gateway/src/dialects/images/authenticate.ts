import { NOBODY } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';

/** Only who sent a living key gets in. Clients send it bare; some put `Bearer` before it. */
export function requireKey(app: App, gateway: Gateway): void {
  app.addHook('onRequest', async (request) => {
    const key = keyOf(request);
    if (key === '') throw appError('unauthorized');
    request.setPrincipal(await gateway.sessionKeys.verify(key, 'images'));
  });
}

/** Everyone gets in, as themselves where they can be known: an old key must not hide what all may see. */
export function welcomeAll(app: App, gateway: Gateway): void {
  app.addHook('onRequest', async (request) => {
    request.setPrincipal(NOBODY);
    const key = keyOf(request);
    if (key === '') return;
    try {
      request.setPrincipal(await gateway.sessionKeys.verify(key, 'images'));
    } catch (error) {
      if (!isAppError(error) || error.status >= 500) throw error;
    }
  });
}

const keyOf = ({ headers }: FastifyRequest): string =>
  (headers.authorization ?? '').replace(/^Bearer(?: +|$)/i, '').trim();
