import type { ProviderName } from '@coffer/contracts';
import type { Logger, Outbox } from '@coffer/service-kit';
import type { Plans } from '../domain/plans.ts';
import type { Provider } from '../domain/provider.ts';
import type { MovementStore } from '../store/movements.ts';
import type { PaymentStore } from '../store/payments.ts';
import type { SubscriptionStore } from '../store/subscriptions.ts';

/** What every operation works with. */
export interface Money {
  readonly payments: PaymentStore;
  readonly subscriptions: SubscriptionStore;
  readonly movements: MovementStore;
  readonly outboxes: { readonly payments: Outbox; readonly subscriptions: Outbox };
  readonly plans: Plans;
  /** Those that can be asked; payments of any other wait until theirs is configured again. */
  readonly providers: ReadonlyMap<ProviderName, Provider>;
  /** Who takes new payments; undefined: switched off. */
  readonly selling: Provider | undefined;
  /** After so long without payment a checkout is over. */
  readonly checkoutMs: number;
  readonly logger: Logger;
  readonly now: () => Date;
}
