import type { EventEnvelope } from '@coffer/contracts';
import { appError } from './errors.ts';
import type { ConsumeOptions } from './event-consumers.ts';
import { createEventStream } from './event-stream.ts';
import { createFleet, type Fleet, type Instance } from './fleet.ts';
import type { Logger } from './logger.ts';
import { linkNats, type NatsOptions } from './nats-link.ts';

export type { ConsumeOptions } from './event-consumers.ts';
export type { Instance } from './fleet.ts';

/**
 * The bus as services see it: who is alive, and what happened. Its loss stops nothing: known instances stay known, and
 * publishing fails at once, so that events wait where they are (see the outbox).
 */
export interface Bus {
  connected(): boolean;
  onState(cb: (connected: boolean) => void): void;
  discover(service: string): readonly Instance[];
  readonly fleet: Fleet;
  /** `subject` is the event's type; it is published as `<prefix>coffer.<type>`. Resolves when JetStream has it; a second one with the same id is dropped there. */
  publish(subject: string, data: EventEnvelope, o: { id: string }): Promise<void>;
  /** The same for many at a time, each with its own outcome, in order. */
  publishMany(events: readonly EventEnvelope[]): Promise<PromiseSettledResult<void>[]>;
  /** Every instance gets every event that is published while it is connected; none is repeated. */
  subscribe(subject: string, handler: (e: EventEnvelope) => void): void;
  /** Durable: each event goes to one instance of those that share `durable`, at least once, also after an outage. */
  consume(o: ConsumeOptions): void;
  /** Rejects when there is no connection: for readiness checks. */
  ping(): Promise<void>;
  /** Stops consuming and waits for handlers that run; publishing goes on. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export function createBus(o: {
  nats: NatsOptions;
  prefix: string;
  service: string;
  instance: string;
  eventsMaxBytes: number;
  logger: Logger;
}): Bus {
  const { prefix, service, instance, logger, eventsMaxBytes: maxBytes } = o;
  const link = linkNats(o.nats, logger);
  const fleet = createFleet({ link, prefix, service, instance, logger });
  const stream = createEventStream({ link, prefix, maxBytes, logger });
  return {
    connected: () => link.live() !== undefined,
    onState: (cb) => link.onState(cb),
    discover: (name) => fleet.discover(name),
    fleet,
    publish: (subject, data, { id }) => stream.publish(subject, data, { id }),
    publishMany: (events) => Promise.allSettled(events.map((e) => stream.publish(e.type, e, { id: e.id }))),
    subscribe: (subject, handler) => stream.subscribe(subject, handler),
    consume: (c) => stream.consume(c),
    ping: async () => {
      const nc = link.live();
      if (!nc) throw appError('unavailable', 'The event bus is away');
      await nc.flush();
    },
    drain: () => stream.close(),
    close: async () => {
      fleet.close();
      await stream.close();
      await link.close();
    },
  };
}

/** A bus without a server: nobody is known, and publishing fails as when NATS is away. For tests. */
export function createNoBus(): Bus {
  const away = (): Promise<never> => Promise.reject(appError('unavailable', 'The event bus is away'));
  const nothing = (): void => {};
  return {
    connected: () => false,
    onState: nothing,
    discover: () => [],
    fleet: {
      discover: () => [],
      wait: () => Promise.resolve(),
      refresh: nothing,
      advertise: nothing,
      leave: () => Promise.resolve(),
      close: nothing,
    },
    publish: away,
    publishMany: (events) => Promise.allSettled(events.map(away)),
    subscribe: nothing,
    consume: nothing,
    ping: away,
    drain: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
