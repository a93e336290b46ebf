import { hostname } from 'node:os';
import { type Bus, createBus, createNoBus } from './bus.ts';
import { BaseConfig, parseConfig } from './config.ts';
import { newId } from './ids.ts';
import { createLoggers, type Logger, type Loggers } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createShutdown, endWithSignals, type Shutdown } from './shutdown.ts';

/** What a service is made of; made once in `main.ts` and handed down. */
export interface ServiceContext {
  readonly service: string;
  /** Unique to this process. */
  readonly instance: string;
  readonly version: string;
  readonly logger: Logger;
  readonly accessLogger: Logger;
  readonly metrics: Metrics;
  readonly bus: Bus;
  readonly shutdown: Shutdown;
  readonly internalSecret: string;
  readonly config: BaseConfig;
}

const VERSION = '0.1.0';

/**
 * Logger, metrics, bus and shutdown of a service process. The bus connects in the background: a start without NATS is
 * a start. Signals and the loss of the parent process run the shutdown and end the process.
 */
export async function createService(o: { service: string; config: BaseConfig }): Promise<ServiceContext> {
  const instance = newInstanceName(o.service);
  const { LOG_LEVEL: level, LOG_PRETTY: pretty } = o.config;
  const loggers = createLoggers({ service: o.service, instance, level, pretty });
  const ctx = assemble({ ...o, instance, loggers, bus: 'nats' });
  endWithSignals(ctx.shutdown, ctx.logger, loggers.flush);
  return ctx;
}

export interface TestContextOptions {
  /** `none`: no server at all. Default: NATS_URL of `env` if it is there, else none. */
  bus?: 'nats' | 'none';
  /** Log lines go here instead of nowhere. */
  log?: { write(line: string): void };
  level?: string;
}

/**
 * A context for tests: silent, without signal handlers, on NATS_URL of `env` (pass `process.env`) or without a bus.
 * `ctx.shutdown.run('test')` at the end closes everything that was opened.
 */
export function createTestContext(
  service: string,
  env: Record<string, string | undefined> = {},
  o: TestContextOptions = {},
): ServiceContext {
  const config = parseConfig(BaseConfig, {
    INTERNAL_SECRET: 'test-secret-'.padEnd(40, 'x'),
    // Tests make many streams on one server.
    EVENTS_MAX_BYTES: '4194304',
    ...env,
  });
  const instance = newInstanceName(service);
  const level = o.level ?? (o.log ? 'debug' : 'silent');
  const loggers = createLoggers({ service, instance, level, pretty: false }, o.log ?? { write: () => {} });
  const bus = o.bus ?? (env.NATS_URL === undefined ? 'none' : 'nats');
  return assemble({ service, config, instance, loggers, bus, processFigures: false });
}

function assemble(o: {
  service: string;
  config: BaseConfig;
  instance: string;
  loggers: Loggers;
  bus: 'nats' | 'none';
  processFigures?: boolean;
}): ServiceContext {
  const { service, config, instance } = o;
  const { logger, access: accessLogger } = o.loggers;
  const shutdown = createShutdown(logger);
  const { NATS_URL: url, NATS_USER: user, NATS_PASSWORD: password, NATS_PREFIX: prefix } = config;
  const { EVENTS_MAX_BYTES: eventsMaxBytes } = config;
  const nats = { url, user, password, name: instance };
  const bus = o.bus === 'none' ? createNoBus() : createBus({ nats, prefix, service, instance, eventsMaxBytes, logger });
  shutdown.onPhase('leave', 'fleet', () => bus.fleet.leave());
  shutdown.onPhase('queues', 'events', () => bus.drain());
  shutdown.onPhase('connections', 'bus', () => bus.close());
  return {
    service,
    instance,
    version: VERSION,
    logger,
    accessLogger,
    metrics: createMetrics({ service, instance, ...(o.processFigures === false ? { processFigures: false } : {}) }),
    bus,
    shutdown,
    internalSecret: config.INTERNAL_SECRET,
    config,
  };
}

function newInstanceName(service: string): string {
  // For people, with the host first; for machines, unique.
  return `${service}-${hostname().split('.')[0]}-${newId().slice(-8)}`;
}
