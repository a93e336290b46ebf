import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';

/**
 * The session that a request is made in. What could be used to take an account over is not done with an API key: a key that leaked
 * would make more of its kind.
 */
export function requireSession(request: FastifyRequest): { accountId: string; sessionId: string } {
  const { accountId, sessionId } = request.principal();
  if (sessionId === undefined) throw appError('forbidden', 'This takes a session, not an API key');
  return { accountId, sessionId };
}
