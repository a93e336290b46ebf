import type { Principal } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { Refusal } from './errors.ts';

/** What one route says of keys. */
export interface KeyTexts {
  readonly missing: string;
  readonly unknown: string;
  /** The key is good, but its holder is shut out. */
  readonly shutOut: string;
}

/** Makes the holder of a session key the one who asks. Throws a refusal in the route's own words. */
export async function enter(
  gateway: Gateway,
  request: FastifyRequest,
  key: string | undefined,
  { missing, unknown, shutOut }: KeyTexts,
): Promise<Principal> {
  if (key === undefined || key === '') throw new Refusal(missing);
  try {
    const principal = await gateway.sessionKeys.verify(key, 'vertex');
    request.setPrincipal(principal);
    return principal;
  } catch (error) {
    if (isAppError(error, 'account_suspended')) throw new Refusal(shutOut, {}, error);
    if (isAppError(error) && error.status === 401) throw new Refusal(unknown, {}, error);
    throw error;
  }
}

/** Options for a call that is not given up when the client goes away. */
export function lastingCall(request: FastifyRequest) {
  const { signal: _, ...call } = request.call;
  return call;
}
