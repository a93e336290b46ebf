import type { Part } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../operations/tree.ts';

/** Who asks, as part of which request. Throws 401 `unauthorized` without a principal. */
export function callerOf(request: FastifyRequest): Caller {
  return { principal: request.principal(), traceparent: request.traceparent, call: request.call };
}

/** The same for one of several that came in one call. A commit is not called off, so there is no signal to pass on. */
export function callerOfPart({ requestId, traceparent, principal }: Part): Caller {
  const who = principal();
  return { principal: who, traceparent, call: { requestId, traceparent, principal: who } };
}

export const DEFAULT_PAGE = 100;
