import { type AuditEntry, errorCodes } from '@coffer/contracts';
import { appError, type CallOptions, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { Gateway } from '../../../gateway.ts';

const MAX_ADDRESS_LENGTH = 64;

/**
 * Does what an operator asked for, written down before and with its outcome afterwards, failed or not; the route's operation name is the
 * action. What cannot be written down is not done: 503. The deed is not cut short by an operator who does not wait for its end.
 */
export async function audited<T>(
  { auth }: Pick<Gateway, 'auth'>,
  request: FastifyRequest,
  { targetId, details }: Pick<AuditEntry, 'targetId' | 'details'>,
  work: (call: CallOptions) => Promise<T>,
): Promise<T> {
  const { signal: _, ...call } = request.call;
  const { keyId } = request.principal();
  const body = {
    action: request.routeOptions.config.op ?? '',
    targetId,
    // A key acts for the operator without being one: the book tells them apart.
    details: keyId === undefined ? details : { ...details, byKey: keyId },
    address: request.ip.slice(0, MAX_ADDRESS_LENGTH),
  };
  const { id } = await auth.call('appendAudit', { body }, call).catch(refuseUnwritten);
  let outcome = 'ok';
  try {
    return await work(call);
  } catch (error) {
    outcome = isAppError(error) ? error.code : 'internal';
    throw error;
  } finally {
    try {
      await auth.call('finishAudit', { params: { id }, body: { outcome } }, call);
    } catch (error) {
      // It is done all the same; the entry says that its outcome is not known.
      request.log.error({ err: error, auditId: id, outcome }, 'an outcome could not be written into the audit log');
    }
  }
}

function refuseUnwritten(error: unknown): never {
  if (isAppError(error) && errorCodes[error.code][0] < 500) throw error;
  throw appError('unavailable', 'What operators do cannot be written down at present, so nothing was done', {
    cause: error,
    headers: { 'retry-after': '2' },
  });
}
