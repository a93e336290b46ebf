import { chargeOf, type PaymentRecord } from './payment.ts';

/** One entry: positive is a debit, negative a credit, in minor units. */
export interface Line {
  readonly account: string;
  readonly currency: string;
  readonly amountMinor: number;
}
export type MovementKind = 'success' | 'reversed';

/** What is written once per payment and kind, and never changed. */
export interface Movement {
  /** `<payment>:<kind>`: the same movement cannot be written twice. */
  readonly id: string;
  readonly paymentId: string;
  readonly kind: MovementKind;
  readonly at: Date;
  readonly lines: readonly Line[];
}

type Booked = Pick<PaymentRecord, 'id' | 'provider' | 'plan' | 'money' | 'creditMinor' | 'creditPlanId'>;

/**
 * The movement of a payment: what the provider took and what the unused days of another plan gave back become revenue of the plan that
 * was bought. A reversal is the same with the signs turned. Zero lines are left out; the lines of a movement add up to zero.
 */
export function movementOf(payment: Booked, kind: MovementKind, at: Date): Movement {
  const { money, creditMinor, creditPlanId } = payment;
  const sign = kind === 'success' ? 1 : -1;
  const line = (account: string, amountMinor: number): Line => ({
    account,
    currency: money.currency,
    amountMinor: sign * amountMinor,
  });
  const lines = [
    line(`provider:${payment.provider}`, chargeOf(payment).amountMinor),
    line(`revenue:plan:${creditPlanId ?? payment.plan.id}`, creditMinor),
    line(`revenue:plan:${payment.plan.id}`, -money.amountMinor),
  ].filter(({ amountMinor }) => amountMinor !== 0);
  return { id: `${payment.id}:${kind}`, paymentId: payment.id, kind, at, lines };
}

/** What is wrong with a movement by itself. */
export function isBalanced({ lines }: Movement): boolean {
  const sums = new Map<string, bigint>();
  for (const { currency, amountMinor } of lines) {
    if (!Number.isSafeInteger(amountMinor)) return false;
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(amountMinor));
  }
  return [...sums.values()].every((sum) => sum === 0n);
}

/** Which movements a payment must have by its status. */
export function kindsOf({ status }: Pick<PaymentRecord, 'status'>): readonly MovementKind[] {
  if (status === 'success') return ['success'];
  return status === 'reversed' ? ['success', 'reversed'] : [];
}

/** What is wrong between a payment and the movements that name it; nothing where they agree. */
export function problemsOf(payment: PaymentRecord, movements: readonly Movement[]): string[] {
  const problems: string[] = [];
  const due = kindsOf(payment);
  for (const kind of due) {
    const found = movements.filter((one) => one.kind === kind);
    if (found.length === 0) problems.push(`the movement of its ${kind} is missing`);
    if (found.length > 1) problems.push(`the movement of its ${kind} is there ${found.length} times`);
    const expected = textOf(movementOf(payment, kind, payment.createdAt).lines);
    if (found.some(({ lines }) => textOf(lines) !== expected)) {
      problems.push(`the movement of its ${kind} does not have the amounts of the payment`);
    }
  }
  for (const { kind } of movements.filter((one) => !due.includes(one.kind))) {
    problems.push(`there is a movement of a ${kind} while the payment is ${payment.status}`);
  }
  if (movements.some((one) => !isBalanced(one))) problems.push('a movement is not balanced');
  return problems;
}

function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ account, currency, amountMinor }) => `${account} ${currency} ${amountMinor}`)
    .toSorted()
    .join('\n');
}
