import { paymentContract } from '@coffer/contracts';
import { type App, createApp, createClient, registerOps, type ServiceContext } from '@coffer/service-kit';
import type { Config } from './config.ts';
import { consumeMailCauses } from './events/mail-causes.ts';
import { createQueueDesk } from './queues/desk.ts';
import { openLedgerQueue } from './queues/ledger.ts';
import { openMailQueue } from './queues/mail.ts';
import { askServices } from './queues/mail-contents.ts';
import { openPaymentsQueue } from './queues/payments.ts';
import queueRoutes from './routes/queues.ts';
import { openMailer } from './store/mailer.ts';
import { openRedis } from './store/redis.ts';

export type ServiceConfig = Pick<
  Config,
  | 'REDIS_URL'
  | 'REDIS_PREFIX'
  | 'PUBLIC_URL'
  | 'SMTP_URL'
  | 'MAIL_FROM'
  | 'MAIL_DIR'
  | 'MAIL_CONCURRENCY'
  | 'PAYMENTS_EVERY_SECONDS'
  | 'LEDGER_EVERY_SECONDS'
>;

/**
 * The service as an app that does not listen yet: it answers operators alone, and its work comes from the bus and by the clock. It starts
 * without NATS and Redis, and goes on when they come.
 */
export async function buildApp(ctx: ServiceContext, config: ServiceConfig): Promise<App> {
  const { logger, shutdown } = ctx;
  const { REDIS_URL: url, PUBLIC_URL: publicUrl, MAIL_CONCURRENCY: concurrency } = config;
  const mailer = await openMailer({
    smtpUrl: config.SMTP_URL,
    directory: config.MAIL_DIR,
    from: config.MAIL_FROM,
    logger,
  });
  const producer = openRedis({ url, role: 'producer', logger });
  const worker = openRedis({ url, role: 'worker', logger });
  const around = { ctx, prefix: `${config.REDIS_PREFIX}queues`, producer, worker };
  const mails = openMailQueue(around, { concurrency, publicUrl, mailer, facts: askServices(ctx) });
  consumeMailCauses(ctx, mails);
  const payment = createClient(ctx, paymentContract);
  const payments = openPaymentsQueue(around, {
    everyMs: config.PAYMENTS_EVERY_SECONDS * 1000,
    reconcile: (call) => payment.call('reconcile', { body: {} }, call),
  });
  const ledger = openLedgerQueue(around, {
    everyMs: config.LEDGER_EVERY_SECONDS * 1000,
    checkLedger: (call) => payment.call('checkLedger', { body: {} }, call),
  });
  shutdown.onPhase('connections', 'redis', () => {
    producer.close();
    worker.close();
  });

  const app = createApp(ctx);
  registerOps(app, ctx, { ready: { nats: () => ctx.bus.ping(), redis: () => producer.ping() } });
  queueRoutes(app, createQueueDesk([mails.work, payments, ledger]));
  return app;
}
