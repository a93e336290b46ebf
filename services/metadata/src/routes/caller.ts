import type { FastifyRequest } from 'fastify';
import type { Caller } from '../operations/tree.ts';

/** Who asks, as part of which request. Throws 401 `unauthorized` without a principal. */
export function callerOf(request: FastifyRequest): Caller {
  return { principal: request.principal(), traceparent: request.traceparent, call: request.call };
}

export const DEFAULT_PAGE = 100;
