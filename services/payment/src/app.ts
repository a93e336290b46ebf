import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderName } from '@coffer/contracts';
import { type App, appError, createApp, createOutbox, registerOps, type ServiceContext } from '@coffer/service-kit';
import { type Config, chooseProvider } from './config.ts';
import { readPlans } from './domain/plans.ts';
import type { Provider } from './domain/provider.ts';
import { watchDeletedAccounts } from './events/account-deleted.ts';
import type { Money } from './operations/money.ts';
import { createPaystack } from './providers/paystack/provider.ts';
import { createSandbox, type Sandbox } from './providers/sandbox/sandbox.ts';
import { ownUrl } from './providers/sandbox/sender.ts';
import checkoutRoutes from './routes/checkouts.ts';
import paymentRoutes from './routes/payments.ts';
import sandboxRoutes from './routes/sandbox.ts';
import subscriptionRoutes from './routes/subscriptions.ts';
import upkeepRoutes from './routes/upkeep.ts';
import { createIndexes, type Mongo, openMongo, ping } from './store/mongo.ts';
import { createMovementStore } from './store/movements.ts';
import { createOutboxPort } from './store/outbox.ts';
import { createPaymentStore } from './store/payments.ts';
import { createSandboxStore } from './store/sandbox.ts';
import { createSubscriptionStore } from './store/subscriptions.ts';

export interface BuildOptions {
  /** The time that periods and states go by; the clock's without it. */
  now?: () => Date;
}

export interface Built {
  app: App;
  mongo: Mongo;
  money: Money;
  isPrepared: () => boolean;
}

const hourMs = 3_600_000;

/** The service, not listening yet. It starts without its database and answers 503 until that has come. */
export function buildApp(ctx: ServiceContext, config: Readonly<Config>, o: BuildOptions = {}): Built {
  const { logger, shutdown } = ctx;
  const mongo = openMongo({ url: config.MONGODB_URL, database: config.MONGODB_DATABASE });
  const app = createApp(ctx);
  const chosen = chooseProvider(config);
  const sandbox = chosen === 'sandbox' ? openSandbox(ctx, app, mongo) : undefined;
  const providers = new Map<ProviderName, Provider>();
  if (sandbox) providers.set('sandbox', sandbox.provider);
  // Also where another takes new payments: those that it took before are still asked for.
  if (config.PAYSTACK_SECRET_KEY !== undefined) {
    const { PAYSTACK_SECRET_KEY: secretKey, PAYSTACK_URL: url, PAYSTACK_MAIL_DOMAIN: mailDomain } = config;
    providers.set('paystack', createPaystack({ secretKey, url, mailDomain }));
  }
  const money: Money = {
    payments: createPaymentStore(mongo),
    subscriptions: createSubscriptionStore(mongo),
    movements: createMovementStore(mongo),
    outboxes: {
      payments: createOutbox(ctx, createOutboxPort(mongo.db, 'payments')),
      subscriptions: createOutbox(ctx, createOutboxPort(mongo.db, 'subscriptions')),
    },
    plans: readPlans(config.PLANS, config.FREE_LIMIT_BYTES),
    providers,
    selling: chosen === null ? undefined : providers.get(chosen),
    checkoutMs: config.CHECKOUT_HOURS * hourMs,
    logger,
    now: o.now ?? (() => new Date()),
  };

  let prepared = false;
  const preparing = prepareUntilDone();
  async function prepareUntilDone(): Promise<void> {
    for (let waitMs = 100; !shutdown.signal.aborted; waitMs = Math.min(waitMs * 2, 3_000)) {
      try {
        await createIndexes(mongo);
        prepared = true;
        sandbox?.start();
        return;
      } catch (error) {
        logger.warn({ err: error }, 'the database cannot be prepared yet');
        await sleep(waitMs, undefined, { signal: shutdown.signal, ref: false }).catch(() => {});
      }
    }
  }
  // Without the indexes nothing keeps a reference or an idempotency key unique, so nothing is served before they are there.
  async function requirePrepared(): Promise<void> {
    if (prepared) return;
    throw appError('unavailable', 'The service is not ready yet', { headers: { 'retry-after': '2' } });
  }

  app.register((scope: App, _options, done) => {
    scope.addHook('onRequest', requirePrepared);
    for (const routes of [checkoutRoutes, paymentRoutes, subscriptionRoutes, upkeepRoutes]) routes(scope, money);
    sandboxRoutes(scope, { sandbox });
    done();
  });
  registerOps(app, ctx, { ready: { mongodb: () => ping(mongo), preparation: requirePrepared } });
  watchDeletedAccounts(ctx, money, () => prepared);

  shutdown.onPhase('queues', 'payments', async () => {
    await preparing;
    await sandbox?.stop();
  });
  shutdown.onPhase('connections', 'mongodb', () => mongo.client.close());
  logger.info({ provider: chosen ?? 'off', plans: money.plans.items.map(({ id }) => id) }, 'payments');
  return { app, mongo, money, isPrepared: () => prepared };
}

function openSandbox(ctx: ServiceContext, app: App, mongo: Mongo): Sandbox {
  const { logger, internalSecret } = ctx;
  logger.warn('the sandbox takes payments: no money moves');
  return createSandbox({
    store: createSandboxStore(mongo.db),
    internalSecret,
    address: () => ownUrl(app.server.address()),
    logger,
  });
}
