import { type EventData, type EventEnvelope, type EventName, events } from '@coffer/contracts';
import { createBatcher } from './batcher.ts';
import type { ServiceContext } from './context.ts';
import { newId } from './ids.ts';
import { pause } from './nats-link.ts';

const BATCH = 200;
const SWEEP_EVERY_MS = 1_000;
const OVERDUE_AFTER_MS = 2_000;

/** What the outbox needs of a store, whose documents carry `outbox: EventEnvelope[]` and `outboxAt`. */
export interface OutboxPort {
  /**
   * Pulls the given events out of their documents, unsets `outboxAt` where none is left, and removes documents that only
   * waited for that. Clearing what is cleared already does nothing.
   */
  clear(entries: { documentId: string; eventId: string }[]): Promise<void>;
  /** Documents whose `outboxAt` is older than `before`, with their events in the order they happened. */
  overdue(before: Date, limit: number): Promise<{ documentId: string; events: EventEnvelope[] }[]>;
}

export interface Outbox {
  /** The envelope to push into the document, in the very update that the event speaks of. */
  makeEvent<N extends EventName>(name: N, data: EventData<N>, traceparent?: string): EventEnvelope;
  /** Call right after that update; publishes in the background, and what fails is found again by a sweep. */
  announce(documentId: string, events: EventEnvelope[]): void;
  /** Resolves when what was announced so far has been tried, and everything overdue too. */
  flush(): Promise<void>;
}

/**
 * The in-document outbox: an event exists if and only if the write does, on any MongoDB. It is published at once by the
 * instance that wrote it and then pulled out; what stays longer than two seconds (a crash, NATS away) is published by
 * whichever instance finds it. The event's id is the JetStream message id, so publishing twice counts once.
 */
export function createOutbox(ctx: ServiceContext, port: OutboxPort): Outbox {
  const { bus, logger } = ctx;
  const pending = new Set<Promise<unknown>>();

  const publish = async (batch: { documentId: string; event: EventEnvelope }[]): Promise<number> => {
    if (!bus.connected()) return 0;
    const results = await bus.publishMany(batch.map((one) => one.event));
    const entries: { documentId: string; eventId: string }[] = [];
    for (const [i, one] of batch.entries()) {
      if (results[i]?.status === 'fulfilled') entries.push({ documentId: one.documentId, eventId: one.event.id });
    }
    const refused = results.find((one) => one.status === 'rejected');
    if (refused)
      logger.warn({ err: refused.reason, events: batch.length - entries.length }, 'events wait in the outbox');
    if (entries.length > 0) await port.clear(entries);
    return entries.length;
  };

  const batcher = createBatcher<{ documentId: string; event: EventEnvelope }, undefined>({
    maxItems: BATCH,
    run: async (batch) => {
      try {
        await publish(batch);
      } catch (error) {
        // Published but not cleared: the sweep publishes it again, which JetStream drops, and clears it.
        logger.warn({ err: error, events: batch.length }, 'the outbox could not be cleared');
      }
      return batch.map(() => undefined);
    },
  });

  /** One pass over what is overdue; ends early when nothing can be published. */
  const sweep = async (): Promise<void> => {
    while (bus.connected()) {
      const before = new Date(Date.now() - OVERDUE_AFTER_MS);
      const documents = await port.overdue(before, BATCH);
      const batch = documents.flatMap(({ documentId, events: waiting }) =>
        waiting.map((event) => ({ documentId, event })),
      );
      if (batch.length === 0) return;
      const cleared = await publish(batch);
      if (cleared < batch.length || documents.length < BATCH) return;
    }
  };
  const sweepForever = async (): Promise<void> => {
    while (!ctx.shutdown.signal.aborted) {
      await pause(SWEEP_EVERY_MS, ctx.shutdown.signal);
      if (ctx.shutdown.signal.aborted) return;
      await sweep().catch((error: unknown) => logger.warn({ err: error }, 'the outbox could not be swept'));
    }
  };
  const sweeping = sweepForever();
  ctx.shutdown.onPhase('queues', 'outbox', async () => {
    await sweeping;
    await Promise.all(pending);
  });
  ctx.metrics.gauge('outbox_waiting', 'Announced events that wait to be published', () => batcher.size());

  return {
    makeEvent: (name, data, traceparent) => {
      const { type, schema } = events[name];
      const envelope: EventEnvelope = { id: newId(), type, schema, at: new Date().toISOString(), data };
      if (traceparent !== undefined) envelope.traceparent = traceparent;
      return envelope;
    },
    announce: (documentId, announced) => {
      for (const event of announced) {
        // Never rejects: what fails is found by the sweep.
        const one = batcher.add({ documentId, event }).finally(() => pending.delete(one));
        pending.add(one);
      }
    },
    flush: async () => {
      await Promise.all(pending);
      await sweep();
    },
  };
}
