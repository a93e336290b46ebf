import { type EventData, type EventName, events } from '@coffer/contracts';
import { Value } from 'typebox/value';
import type { ServiceContext } from './context.ts';
import { appError } from './errors.ts';

/**
 * Acts on a fact that must not be missed: the event comes again, without a limit, until `handle` has done its work, which bears repeats.
 * Before `isPrepared` nothing is done. One that does not fit its schema would not do so the next time, and is passed over.
 */
export function consumeFacts<N extends EventName>(
  ctx: ServiceContext,
  name: N,
  o: { durable: string; isPrepared: () => boolean; handle: (data: EventData<N>) => Promise<void> },
): void {
  const { type, data: schema } = events[name];
  ctx.bus.consume({
    durable: o.durable,
    subject: type,
    maxDeliver: Number.MAX_SAFE_INTEGER,
    handler: async ({ id, data }) => {
      if (!Value.Check(schema, data)) {
        ctx.logger.error({ eventId: id, type }, 'an event does not fit its schema and is passed over');
        return;
      }
      if (!o.isPrepared()) throw appError('unavailable', 'The database does not answer at present');
      // Checked against the very schema that the type is derived from.
      await o.handle(data as EventData<N>);
    },
  });
}
