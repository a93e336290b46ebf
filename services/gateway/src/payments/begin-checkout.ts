import type { Payment } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import { idempotencyOf } from '../domain/fingerprints.ts';
import type { Gateway } from '../gateway.ts';

/**
 * Begins a payment of whoever asks. `idempotencyKey` as the header brings it; `returnPath`: where the provider sends the person afterwards,
 * the receipt's page without it. Throws what the payment service throws, and `invalid_header`.
 */
export async function beginCheckout(
  { auth, payment, ctx }: Gateway,
  request: FastifyRequest,
  o: { planId: string; publicUrl: string; idempotencyKey: string | string[] | undefined; returnPath?: string },
): Promise<Payment> {
  const { planId, publicUrl, returnPath } = o;
  const { accountId } = request.principal();
  const about = { caller: accountId, op: 'checkouts.create', body: { planId } };
  const idempotency = idempotencyOf(o.idempotencyKey, about, ctx.internalSecret);
  const { email } = await auth.call('getAccount', { params: { accountId } }, request.call);
  const body = {
    planId,
    publicUrl,
    email,
    ...(returnPath !== undefined && { returnPath }),
    ...(idempotency !== undefined && { idempotency }),
  };
  // Once the provider knows of it there is no way back, whoever still waits for the answer.
  const { signal: _, ...call } = request.call;
  return await payment.call('createCheckout', { body }, call);
}
