import type { EventEnvelope } from '@coffer/contracts';
import {
  AckPolicy,
  type ConsumerMessages,
  DiscardPolicy,
  headers,
  JSONCodec,
  type JsMsg,
  type NatsConnection,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';
import { appError } from './errors.ts';
import type { Logger } from './logger.ts';
import { type NatsLink, pause } from './nats-link.ts';

const MAX_AGE_MS = 7 * 24 * 3_600_000;
// Reserved on the server's disk when the stream is made; events are small and the bus never holds the only copy.
const MAX_BYTES = 256 * 1024 * 1024;
const DUPLICATE_WINDOW_MS = 2 * 60_000;
const ACK_TIMEOUT_MS = 5_000;
const ACK_WAIT_MS = 30_000;
const MAX_DELIVER = 8;
const BACKOFF_MS = [100, 500, 2_000, 10_000, 30_000, 60_000, 300_000];
const REMEMBERED_EVENTS = 10_000;

export interface ConsumeOptions {
  /** Name of the consumer, shared by all instances of a service: each event goes to one of them. */
  durable: string;
  /** An event's type, or several with NATS wildcards: `metadata.>`. */
  subject: string;
  /** At least once per event: it must bear being called again for the same `id` (after a crash before the acknowledgement). */
  handler: (e: EventEnvelope, o: { attempt: number }) => Promise<void>;
  /** After so many failures the event goes to `coffer-dead.<durable>.<type>` and is not tried again. */
  maxDeliver?: number;
  backoffMs?: readonly number[];
}

/** The JetStream stream `COFFER`: events that are kept, deduplicated by id and delivered at least once. */
export interface EventStream {
  publish(type: string, event: EventEnvelope, o: { id: string }): Promise<void>;
  subscribe(type: string, handler: (e: EventEnvelope) => void): void;
  consume(o: ConsumeOptions): void;
  /** Stops consuming and waits for handlers that run. */
  close(): Promise<void>;
}

const json = JSONCodec<EventEnvelope>();

export function createEventStream(o: { link: NatsLink; prefix: string; logger: Logger }): EventStream {
  const { link, prefix, logger } = o;
  const name = `${prefix}COFFER`;
  const closing = new AbortController();
  const consumers: Promise<void>[] = [];
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
      max_bytes: MAX_BYTES,
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

  const handle = async (message: JsMsg, c: ConsumeOptions, done: Set<string>): Promise<void> => {
    const attempt = message.info.redeliveryCount + (message.info.redeliveryCount === 0 ? 1 : 0);
    let event: EventEnvelope;
    try {
      event = json.decode(message.data);
    } catch {
      logger.error({ subject: message.subject, durable: c.durable }, 'dropped an event that is not JSON');
      message.term();
      return;
    }
    // Redelivered because its acknowledgement was lost: this instance knows that it is done.
    if (done.has(event.id)) {
      message.ack();
      return;
    }
    const working = setInterval(() => message.working(), ACK_WAIT_MS / 2);
    try {
      await c.handler(event, { attempt });
      remember(done, event.id);
      message.ack();
    } catch (error) {
      const about = { err: error, durable: c.durable, eventId: event.id, type: event.type, attempt };
      if (attempt < (c.maxDeliver ?? MAX_DELIVER)) {
        logger.warn(about, 'an event was not handled, it comes again');
        const backoffMs = c.backoffMs ?? BACKOFF_MS;
        message.nak(backoffMs[Math.min(attempt, backoffMs.length) - 1] ?? 1_000);
        return;
      }
      logger.error(about, 'an event was not handled, given up');
      try {
        await publishTo(`${prefix}coffer-dead.${c.durable}.${event.type}`, event, `dead:${c.durable}:${event.id}`);
        message.term();
      } catch {
        message.nak(10_000);
      }
    } finally {
      clearInterval(working);
    }
  };

  const consumeOnce = async (nc: NatsConnection, c: ConsumeOptions, done: Set<string>): Promise<void> => {
    await ensure(nc);
    const { consumers: manager } = await nc.jetstreamManager({ timeout: ACK_TIMEOUT_MS });
    await manager.add(name, {
      durable_name: c.durable,
      filter_subject: subjectOf(c.subject),
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
    });
    const consumer = await nc.jetstream().consumers.get(name, c.durable);
    const messages: ConsumerMessages = await consumer.consume({ max_messages: 32 });
    const stop = (): void => messages.stop();
    closing.signal.addEventListener('abort', stop, { once: true });
    const running = new Set<Promise<void>>();
    try {
      for await (const message of messages) {
        const work = handle(message, c, done).finally(() => running.delete(work));
        running.add(work);
        if (running.size >= 32) await Promise.race(running);
        if (closing.signal.aborted) break;
      }
    } finally {
      closing.signal.removeEventListener('abort', stop);
      await Promise.allSettled(running);
    }
  };

  const consumeForever = async (c: ConsumeOptions): Promise<void> => {
    const done = new Set<string>();
    while (!closing.signal.aborted) {
      const nc = link.live();
      if (nc) {
        try {
          await consumeOnce(nc, c, done);
        } catch (error) {
          if (!closing.signal.aborted) logger.warn({ err: error, durable: c.durable }, 'consuming stopped, trying on');
        }
      }
      await pause(500, closing.signal);
    }
  };

  return {
    publish: (type, event, { id }) => publishTo(subjectOf(type), event, id),
    subscribe: (type, handler) => {
      const subject = subjectOf(type);
      subscriptions.push({ subject, handler });
      const nc = link.live();
      if (nc) listen(nc, subject, handler);
    },
    consume: (c) => {
      consumers.push(consumeForever(c));
    },
    close: async () => {
      closing.abort();
      await Promise.all(consumers);
    },
  };
}

function remember(done: Set<string>, id: string): void {
  done.add(id);
  if (done.size <= REMEMBERED_EVENTS) return;
  for (const oldest of done) {
    done.delete(oldest);
    return;
  }
}
