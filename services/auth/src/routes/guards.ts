import type { Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { RequestContext } from '../domain/model.ts';

/** The caller, who must be this account itself. Others learn nothing about it, not even that it exists. */
export function requireSelf(request: FastifyRequest, accountId: string): Principal {
  const principal = request.principal();
  if (principal.accountId !== accountId) throw appError('not_found', 'There is no such account');
  return principal;
}

export function requireSelfOrOperator(request: FastifyRequest, accountId: string): void {
  if (request.principal().role !== 'operator') requireSelf(request, accountId);
}

/** The same for what changes something. */
export function requireWritingSelf(request: FastifyRequest, accountId: string): Principal {
  const principal = requireSelf(request, accountId);
  if (principal.readOnly) throw appError('read_only');
  return principal;
}

export function requireOperator(request: FastifyRequest): Principal {
  const principal = request.principal();
  if (principal.role !== 'operator') throw appError('forbidden');
  return principal;
}

/** The same for what changes something. */
export function requireWritingOperator(request: FastifyRequest): Principal {
  const principal = requireOperator(request);
  if (principal.readOnly) throw appError('read_only');
  return principal;
}

export function contextOf(request: FastifyRequest): RequestContext {
  return { signal: request.signal, traceparent: request.call.traceparent };
}

/** Puts the account into the request's access line, where no principal is there to say so. */
export function logAccount(request: FastifyRequest, accountId: string): void {
  if (request.kit) request.kit.accountId = accountId;
}
