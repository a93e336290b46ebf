import type { Money, ProviderName } from '@coffer/contracts';

/** What a provider is asked to take. `reference` is ours, unguessable, and names this payment for ever. */
export interface CheckoutRequest {
  readonly reference: string;
  readonly money: Money;
  /** Null where the account has no address. */
  readonly email: string | null;
  /** Where the person is sent afterwards. What it says is never believed. */
  readonly callbackUrl: string;
  /** The gateway's own address as the person reached it. */
  readonly publicUrl: string;
  readonly metadata: {
    readonly paymentId: string;
    readonly accountId: string;
    readonly planId: string;
    readonly planName: string;
  };
}

/**
 * How a payment stands by the provider's own account of it. `failed` and `abandoned` are said only of what is over; a provider that says
 * so of a page that is merely not filled in yet (Paystack does) is read as `pending`, which the core ends by its own clock.
 */
export interface Verification {
  readonly status: 'pending' | 'success' | 'failed' | 'abandoned' | 'reversed';
  readonly money: Money;
  readonly reference: string;
  readonly paidAt?: Date;
}

/** What a signed message says. A hint only: `verify` is asked before anything is done. */
export interface WebhookHint {
  readonly reference: string;
  readonly event: 'settled' | 'reversed' | 'other';
}

/**
 * Whoever takes the money. Calls that reach it raise `upstream`, `unavailable`, `timeout` or `rate_limited` when it does not answer
 * as it should, and `not_found` from `verify` where it has never heard of the reference.
 */
export interface Provider {
  readonly name: ProviderName;
  /** Repeated with the same reference it may answer with the same address or fail; it never takes money twice. */
  initialize(request: CheckoutRequest, signal?: AbortSignal): Promise<{ readonly checkoutUrl: string }>;
  verify(reference: string, signal?: AbortSignal): Promise<Verification>;
  /** Checks the signature first (`invalid_token`), over the bytes as they came. Null: signed, but about no payment. */
  parseWebhook(rawBody: Buffer, headers: Readonly<Record<string, string>>): WebhookHint | null;
}
