import type { Money } from '@coffer/contracts';

export type SandboxStatus = 'open' | 'success' | 'failed' | 'abandoned' | 'reversed';
export type SandboxAction = 'pay' | 'decline' | 'abandon' | 'refund';
export type SandboxEvent = 'charge.success' | 'charge.failed' | 'charge.abandoned' | 'refund.processed';

/** A webhook that was not taken yet. */
export interface Send {
  readonly id: string;
  readonly event: SandboxEvent;
  readonly dueAt: Date;
  /** When the first attempt was due: where giving up counts from. */
  readonly since: Date;
  readonly attempts: number;
}

/** What the sandbox knows of one payment: it is the provider here, and this is its truth. */
export interface SandboxCheckout {
  readonly reference: string;
  readonly planName: string;
  readonly money: Money;
  readonly returnUrl: string;
  readonly status: SandboxStatus;
  readonly paidAt: Date | null;
  readonly createdAt: Date;
  readonly sends: readonly Send[];
  /** Rises with each change. */
  readonly rev: number;
}

export interface SandboxStore {
  /** Keeps the one that is there already under this reference, and answers with it. */
  insert(checkout: SandboxCheckout): Promise<SandboxCheckout>;
  get(reference: string): Promise<SandboxCheckout | undefined>;
  /** Writes it with the next `rev`; false where it has changed since it was read. */
  replace(checkout: SandboxCheckout): Promise<boolean>;
  /** One that has something due, for this caller alone until then (or until it changes). */
  claimDue(now: Date, leaseUntil: Date): Promise<SandboxCheckout | undefined>;
}

/** Which states an action is possible in, where it leads and what is told of it. A failed or abandoned one may be paid late, as with real providers. */
export const actions: Readonly<
  Record<SandboxAction, { from: readonly SandboxStatus[]; to: SandboxStatus; event: SandboxEvent }>
> = {
  pay: { from: ['open', 'failed', 'abandoned'], to: 'success', event: 'charge.success' },
  decline: { from: ['open'], to: 'failed', event: 'charge.failed' },
  abandon: { from: ['open'], to: 'abandoned', event: 'charge.abandoned' },
  refund: { from: ['success'], to: 'reversed', event: 'refund.processed' },
};
