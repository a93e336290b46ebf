import { NOBODY, type Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';

function isOwn(principal: Principal, accountId: string | null): boolean {
  return principal.accountId === accountId && accountId !== NOBODY.accountId;
}

/** The caller, whose account this is, or an operator. Others learn nothing about it, not even that it exists. */
export function requireSelfOrOperator(request: FastifyRequest, accountId: string | null): void {
  const principal = request.principal();
  if (principal.role !== 'operator' && !isOwn(principal, accountId)) throw appError('not_found');
}

/** The caller, who is somebody and may change something. */
export function requireWriting(request: FastifyRequest): Principal {
  const principal = request.principal();
  if (principal.accountId === NOBODY.accountId) throw appError('unauthorized');
  if (principal.readOnly) throw appError('read_only');
  return principal;
}

export function requireWritingOperator(request: FastifyRequest): void {
  if (request.principal().role !== 'operator') throw appError('forbidden');
  requireWriting(request);
}

/** An operator, or a service that asks on its own behalf. */
export function requireOperatorOrService(request: FastifyRequest): void {
  if (request.call.principal && request.principal().role !== 'operator') throw appError('forbidden');
}
