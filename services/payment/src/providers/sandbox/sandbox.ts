import type { Logger } from '@coffer/service-kit';
import type { Provider } from '../../domain/provider.ts';
import { createSandboxCheckouts, type SandboxCheckouts } from './checkouts.ts';
import type { SandboxStore } from './model.ts';
import { createSandboxProvider, webhookKeyOf } from './provider.ts';
import { createSender } from './sender.ts';

export interface Sandbox {
  readonly provider: Provider;
  readonly checkouts: SandboxCheckouts;
  /** Begins to send webhooks, those of before the start included. */
  start(): void;
  stop(): Promise<void>;
}

export interface SandboxOptions {
  readonly store: SandboxStore;
  readonly internalSecret: string;
  /** Where this service listens (`ownUrl(app.server.address())`). */
  readonly address: () => string | undefined;
  readonly logger: Logger;
}

/** A whole provider inside the service, for trying everything out without an account anywhere. */
export function createSandbox({ store, internalSecret, address, logger }: SandboxOptions): Sandbox {
  const key = webhookKeyOf(internalSecret);
  const sender = createSender({ store, key, internalSecret, address, logger });
  return {
    provider: createSandboxProvider({ store, key }),
    checkouts: createSandboxCheckouts({ store, wake: sender.wake }),
    start: sender.start,
    stop: sender.stop,
  };
}
