import type { EventEnvelope } from '@coffer/contracts';
import {
  AckPolicy,
  ConsumerEvents,
  type ConsumerMessages,
  JSONCodec,
  type JsMsg,
  type NatsConnection,
  nanos,
} from 'nats';
import type { Logger } from './logger.ts';
import { type NatsLink, pause } from './nats-link.ts';

const ACK_WAIT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5_000;
const MAX_DELIVER = 8;
const MAX_RUNNING = 32;
const RESTART_MS = 500;
const BACKOFF_MS = [100, 500, 2_000, 10_000, 30_000, 60_000, 300_000];
const REMEMBERED_EVENTS = 10_000;

export interface ConsumeOptions {
  /** Name of the consumer, shared by all instances of a service: each event goes to one of them. */
  durable: string;
  /** An event's type, or several with NATS wildcards: `metadata.>`. */
  subject: string;
  /** At least once per event: it must bear being called again for the same `id` (after a crash before the acknowledgement). */
  handler: (e: EventEnvelope, o: { attempt: number }) => Promise<void>;
  /**
   * After so many failures the event goes to `coffer-dead.<durable>.<type>` and is not tried again. `Infinity` for handlers that fail only
   * where something they need is away: the event then comes again until the stream forgets it, after seven days.
   */
  maxDeliver?: number;
  backoffMs?: readonly number[];
}

const json = JSONCodec<EventEnvelope>();

/** Durable consumers on one stream; each goes on through outages until `close`. */
export function createConsumers(o: {
  link: NatsLink;
  stream: string;
  subjectOf: (type: string) => string;
  logger: Logger;
  /** Makes sure that the stream is there. */
  ensure: (nc: NatsConnection) => Promise<void>;
  /** Keeps an event that could not be handled. */
  bury: (event: EventEnvelope, durable: string) => Promise<void>;
}): { consume(c: ConsumeOptions): void; close(): Promise<void> } {
  const { link, stream, subjectOf, logger, ensure, bury } = o;
  const closing = new AbortController();
  const consumers: Promise<void>[] = [];

  const handle = async (message: JsMsg, c: ConsumeOptions, done: Set<string>): Promise<void> => {
    const attempt = Math.max(1, message.info.redeliveryCount);
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
        await bury(event, c.durable);
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
    const { consumers: manager } = await nc.jetstreamManager({ timeout: ANSWER_TIMEOUT_MS });
    await manager.add(stream, {
      durable_name: c.durable,
      filter_subject: subjectOf(c.subject),
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
    });
    const consumer = await nc.jetstream().consumers.get(stream, c.durable);
    const messages: ConsumerMessages = await consumer.consume({ max_messages: MAX_RUNNING });
    const stop = (): void => messages.stop();
    closing.signal.addEventListener('abort', stop, { once: true });
    void (async () => {
      // The server came back without its disk: begin anew, which makes them again.
      const lost: string[] = [
        ConsumerEvents.ConsumerDeleted,
        ConsumerEvents.ConsumerNotFound,
        ConsumerEvents.StreamNotFound,
      ];
      for await (const status of await messages.status()) if (lost.includes(status.type)) stop();
    })().catch(() => {});
    const running = new Set<Promise<void>>();
    try {
      for await (const message of messages) {
        const work = handle(message, c, done).finally(() => running.delete(work));
        running.add(work);
        if (running.size >= MAX_RUNNING) await Promise.race(running);
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
      await pause(RESTART_MS, closing.signal);
    }
  };

  return {
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
