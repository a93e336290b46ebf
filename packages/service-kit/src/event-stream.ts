import type { EventEnvelope } from '@coffer/contracts';
import { DiscardPolicy, headers, JSONCodec, type NatsConnection, nanos, RetentionPolicy, StorageType } from 'nats';
import { appError } from './errors.ts';
import { type ConsumeOptions, createConsumers } from './event-consumers.ts';
import type { Logger } from './logger.ts';
import type { NatsLink } from './nats-link.ts';

const MAX_AGE_MS = 7 * 24 * 3_600_000;
const DUPLICATE_WINDOW_MS = 2 * 60_000;
const ACK_TIMEOUT_MS = 5_000;

/** The JetStream stream `COFFER`: events that are kept, deduplicated by id and delivered at least once. */
export interface EventStream {
  publish(type: string, event: EventEnvelope, o: { id: string }): Promise<void>;
  subscribe(type: string, handler: (e: EventEnvelope) => void): void;
  consume(o: ConsumeOptions): void;
  /** Stops consuming and waits for handlers that run. */
  close(): Promise<void>;
}

const json = JSONCodec<EventEnvelope>();

/** `maxBytes` is set aside by the server when the stream is made; the bus never holds the only copy of an event. */
export function createEventStream(o: {
  link: NatsLink;
  prefix: string;
  maxBytes: number;
  logger: Logger;
}): EventStream {
  const { link, prefix, maxBytes, logger } = o;
  const name = `${prefix}COFFER`;
  const subscriptions: { subject: string; handler: (e: EventEnvelope) => void }[] = [];
  const subjectOf = (type: string): string => `${prefix}coffer.${type.replace(/^coffer\./, '')}`;
  let ready: { nc: NatsConnection; made: Promise<void> } | undefined;

  /** The stream exists, as of this connection; tried again after a failure. */
  const ensure = (nc: NatsConnection): Promise<void> => {
    if (ready?.nc === nc) return ready.made;
    const made = makeStream(nc);
    ready = { nc, made };
    made.catch(() => {
      if (ready?.made === made) ready = undefined;
    });
    return made;
  };
  const makeStream = async (nc: NatsConnection): Promise<void> => {
    const { streams } = await nc.jetstreamManager({ timeout: ACK_TIMEOUT_MS });
    const config = {
      subjects: [`${prefix}coffer.>`, `${prefix}coffer-dead.>`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(MAX_AGE_MS),
      max_bytes: maxBytes,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    };
    const known = await streams.info(name).catch(() => undefined);
    if (known) await streams.update(name, config);
    else await streams.add({ name, ...config });
  };

  const listen = (nc: NatsConnection, subject: string, handler: (e: EventEnvelope) => void): void => {
    nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) return;
        try {
          handler(json.decode(message.data));
        } catch (failure) {
          logger.error({ err: failure, subject }, 'an event handler failed');
        }
      },
    });
  };

  link.onConnection((nc) => {
    for (const one of subscriptions) listen(nc, one.subject, one.handler);
  });
  const prepare = (): void => {
    const nc = link.live();
    if (nc) ensure(nc).catch((error: unknown) => logger.warn({ err: error }, 'cannot make the event stream'));
  };
  link.onState((connected) => {
    // The server may have come back without its disk.
    ready = undefined;
    if (connected) prepare();
  });

  const publishTo = async (subject: string, event: EventEnvelope, id: string): Promise<void> => {
    const nc = link.live();
    if (!nc) throw appError('unavailable', 'The event bus is away');
    await ensure(nc);
    const head = headers();
    if (event.traceparent !== undefined) head.set('traceparent', event.traceparent);
    try {
      await nc
        .jetstream({ timeout: ACK_TIMEOUT_MS })
        .publish(subject, json.encode(event), { msgID: id, headers: head });
    } catch (error) {
      // Perhaps the stream was removed; the next attempt looks.
      ready = undefined;
      throw error;
    }
  };

  const consumers = createConsumers({
    link,
    stream: name,
    subjectOf,
    logger,
    // Looked at anew with each start of consuming: it may have been removed.
    ensure: (nc) => {
      ready = undefined;
      return ensure(nc);
    },
    bury: (event, durable) =>
      publishTo(`${prefix}coffer-dead.${durable}.${event.type}`, event, `dead:${durable}:${event.id}`),
  });

  return {
    publish: (type, event, { id }) => publishTo(subjectOf(type), event, id),
    subscribe: (type, handler) => {
      const subject = subjectOf(type);
      subscriptions.push({ subject, handler });
      const nc = link.live();
      if (nc) listen(nc, subject, handler);
    },
    consume: consumers.consume,
    close: consumers.close,
  };
}
