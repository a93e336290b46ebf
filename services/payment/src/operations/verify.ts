import type { ProviderName } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import { isOpen, nextCheck, type PaymentRecord, type Source } from '../domain/payment.ts';
import type { Provider, Verification } from '../domain/provider.ts';
import type { Money } from './money.ts';
import { completeWork, move, settle } from './settle.ts';

const providerTimeoutMs = 10_000;

/**
 * Asks the provider how a payment stands and acts on it. A provider that does not answer as it should is told to `onAway`, and the payment
 * stays as it is known; without it, what its driver throws is thrown.
 */
export async function ask(
  money: Money,
  payment: PaymentRecord,
  source: Source,
  onAway?: (error: unknown) => Promise<void> | void,
): Promise<PaymentRecord> {
  let said: Verification | null;
  try {
    said = await verifyWith(money.providers.get(payment.provider), payment.reference);
  } catch (error) {
    if (onAway === undefined) throw error;
    money.logger.warn({ err: error, paymentId: payment.id, source }, 'the provider could not be asked');
    await onAway(error);
    return payment;
  }
  if (said !== null && said.status !== 'pending') return await settle(money, payment, said, source);
  const isLate = money.now().getTime() - payment.createdAt.getTime() >= money.checkoutMs;
  if (!isOpen(payment.status) || !isLate) return payment;
  // Not paid in time. Should it be paid after all, that is honoured.
  return await move(money, payment, { to: 'abandoned', source });
}

/** Null: the provider has never heard of it. */
async function verifyWith(provider: Provider | undefined, reference: string): Promise<Verification | null> {
  if (provider === undefined) throw appError('unavailable', 'The provider of this payment is not configured');
  try {
    return await provider.verify(reference, AbortSignal.timeout(providerTimeoutMs));
  } catch (error) {
    if (isAppError(error, 'not_found')) return null;
    throw error;
  }
}

/** For whoever holds the reference. A provider that does not answer leaves the payment as it is known. */
export async function verifyPayment(money: Money, reference: string): Promise<PaymentRecord> {
  const payment = await money.payments.byReference(reference);
  if (payment === null) throw appError('not_found', 'There is no such payment');
  if (payment.work.length > 0) {
    await completeWork(money, payment);
    return (await money.payments.get(payment.id)) ?? payment;
  }
  if (payment.status === 'success' || payment.status === 'reversed') return payment;
  return await ask(money, payment, 'verification', () => {});
}

/**
 * A message of the provider, as it came. Only its signature is believed, and only so far that the provider is asked: what it says of amounts
 * and states is not looked at. Throws `invalid_token`; anything signed is taken, and where the provider cannot be asked now, reconciliation
 * does it.
 */
export async function receiveWebhook(
  money: Money,
  name: ProviderName,
  rawBody: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { logger, payments } = money;
  const provider = money.providers.get(name);
  if (provider === undefined) throw appError('not_found', 'There is no such provider');
  let hint: ReturnType<Provider['parseWebhook']>;
  try {
    hint = provider.parseWebhook(rawBody, headers);
  } catch (error) {
    logger.error({ err: error, provider: name, bytes: rawBody.length }, 'a webhook was refused');
    throw error;
  }
  if (hint === null) return;
  const payment = await payments.byReference(hint.reference);
  if (payment === null || payment.provider !== name) {
    logger.error({ provider: name, reference: hint.reference }, 'a webhook speaks of a payment that is not ours');
    return;
  }
  if (payment.work.length > 0) await completeWork(money, payment);
  if (payment.status === 'reversed') return;
  await ask(money, payment, 'webhook', () => payments.checkLater(payment.id, money.now()));
}

/** When to look again at a payment that was asked for and is as it was. */
export async function scheduleNext(money: Money, payment: PaymentRecord): Promise<void> {
  const now = money.now();
  await money.payments.checkLater(payment.id, nextCheck(payment.status, payment.createdAt, now));
}
