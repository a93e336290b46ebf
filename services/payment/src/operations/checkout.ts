import { randomBytes } from 'node:crypto';
import { appError, isAppError, newId } from '@coffer/service-kit';
import { chargeOf, nextCheck, type PaymentRecord } from '../domain/payment.ts';
import type { Provider } from '../domain/provider.ts';
import { creditFor, periodAt } from '../domain/timeline.ts';
import type { IdempotencyMark } from '../store/payments.ts';
import type { Money } from './money.ts';
import { move } from './settle.ts';

export interface CheckoutInput {
  readonly accountId: string;
  readonly planId: string;
  readonly publicUrl: string;
  readonly returnPath?: string | undefined;
  readonly email: string | null;
  readonly idempotency?: IdempotencyMark | undefined;
}

const providerTimeoutMs = 15_000;

/**
 * Begins a payment. `not_found` for an unknown plan, `conflict` for what is not sold, `idempotency_key_reused`; the provider's own
 * failures leave the payment `initiated`: a repeat with the same key tries again with the same reference, and so can pay only once.
 */
export async function createCheckout(money: Money, input: CheckoutInput): Promise<PaymentRecord> {
  const { selling, payments } = money;
  const base = baseUrlOf(input.publicUrl);
  const returnTo = pathOf(input.returnPath);
  const key = input.idempotency && {
    key: `${input.accountId}:${input.idempotency.key}`,
    fingerprint: input.idempotency.fingerprint,
  };
  const known = key && (await payments.byIdempotencyKey(key.key));
  const payment = known ? sameRequest(known, key.fingerprint) : await begin(money, input, key);
  if (payment.status !== 'initiated') return payment;
  if (chargeOf(payment).amountMinor === 0) return await move(money, payment, { to: 'success', source: 'checkout' });
  const provider = money.providers.get(payment.provider) ?? selling;
  if (provider === undefined || provider.name !== payment.provider)
    throw appError('conflict', 'Payments are switched off');
  const { reference, plan } = payment;
  const { accountId } = input;
  return await initialize(money, provider, payment, {
    reference,
    money: chargeOf(payment),
    email: input.email,
    callbackUrl: `${base}${returnTo ?? `/payments/${payment.id}`}`,
    publicUrl: base,
    metadata: { paymentId: payment.id, accountId, planId: plan.id, planName: plan.name },
  });
}

function sameRequest(known: { payment: PaymentRecord; fingerprint: string }, fingerprint: string): PaymentRecord {
  if (known.fingerprint !== fingerprint) throw appError('idempotency_key_reused');
  return known.payment;
}

/** The payment's document, before anyone outside hears of it. */
async function begin(money: Money, input: CheckoutInput, key: IdempotencyMark | undefined): Promise<PaymentRecord> {
  const { plans, selling, payments, subscriptions } = money;
  const { accountId } = input;
  const plan = plans.find(input.planId);
  if (plan === undefined) throw appError('not_found', 'There is no such plan');
  if (plan.price === null) throw appError('conflict', 'This plan costs nothing and is not bought');
  if (selling === undefined) throw appError('conflict', 'Payments are switched off');
  const now = money.now();
  const running = periodAt((await subscriptions.get(accountId)).grants, now);
  if (running !== null && running.end === null) throw appError('conflict', 'This account has its plan for good');
  const creditMinor = creditFor(running, plan, now);
  const payment: PaymentRecord = {
    id: newId(),
    accountId,
    reference: `coffer-${randomBytes(20).toString('hex')}`,
    provider: selling.name,
    plan,
    money: plan.price,
    creditMinor,
    creditPlanId: creditMinor > 0 ? (running?.plan.id ?? null) : null,
    status: 'initiated',
    history: [{ status: 'initiated', at: now, source: 'checkout' }],
    checkoutUrl: null,
    createdAt: now,
    settledAt: null,
    periodStart: null,
    periodEnd: null,
    work: [],
    checkAt: nextCheck('initiated', now, now) ?? now,
  };
  const inserted = await payments.insert(payment, key);
  // Read after the insert: see `removeAccount`.
  if ((await subscriptions.get(accountId)).isRemoved) {
    await payments.forgetAccount(accountId);
    throw appError('not_found', 'There is no such account');
  }
  if (inserted !== null) return inserted;
  const winner = key && (await payments.byIdempotencyKey(key.key));
  if (!winner) throw appError('busy', 'The same checkout is being made');
  return sameRequest(winner, key.fingerprint);
}

async function initialize(
  money: Money,
  provider: Provider,
  payment: PaymentRecord,
  request: Parameters<Provider['initialize']>[0],
): Promise<PaymentRecord> {
  const { payments, logger } = money;
  const current = async (): Promise<PaymentRecord> => (await payments.get(payment.id)) ?? payment;
  let checkoutUrl: string;
  try {
    ({ checkoutUrl } = await provider.initialize(request, AbortSignal.timeout(providerTimeoutMs)));
  } catch (error) {
    // A twin of this request may have got through with the reference, which the provider then refuses the second time.
    const now = await current();
    if (now.status !== 'initiated') return now;
    logger.warn({ err: error, paymentId: payment.id }, 'a payment could not be begun with the provider');
    if (isAppError(error)) throw error;
    throw appError('timeout', 'The provider did not answer in time', { cause: error });
  }
  const moved = await payments.transit(payment, { to: 'pending', at: money.now(), source: 'checkout', checkoutUrl });
  return moved ?? (await current());
}

function baseUrlOf(publicUrl: string): string {
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw badField('/publicUrl', 'must be an http or https address');
  }
  return url.href.replace(/\/+$/, '');
}

/** Below the product's own address, and nowhere else. */
function pathOf(returnPath: string | undefined): string | undefined {
  if (returnPath === undefined) return undefined;
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(returnPath)) throw badField('/returnPath', 'must be a path');
  return returnPath;
}

const badField = (path: string, message: string) =>
  appError('invalid_body', `${path} ${message}`, { errors: [{ path, message }] });
