import { type authContract, events, Revocation } from '@coffer/contracts';
import type { Client, ServiceContext } from '@coffer/service-kit';
import Type from 'typebox';
import { Value } from 'typebox/value';
import type { Revocations } from './revocations.ts';

const POLL_MS = 5_000;
const RETRY_MS = 500;
const Revoked = Type.Object({ items: Type.Array(Revocation) });

/**
 * Keeps `revocations` up to date: from the bus at once, from the auth service's list at the start and when the bus was away (it repeats
 * nothing). While the bus is away the list is read every few seconds. Resolves when it was read for the first time.
 */
export function watchRevocations(
  ctx: ServiceContext,
  auth: Client<typeof authContract>,
  revocations: Revocations,
): Promise<void> {
  ctx.bus.subscribe(events.revoked.type, ({ data }) => {
    if (Value.Check(Revoked, data)) revocations.add(data.items);
    else ctx.logger.error('a revocation that cannot be read');
  });

  const stop = ctx.shutdown.signal;
  let timer: NodeJS.Timeout | undefined;
  const { promise: firstRead, resolve } = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    clearTimeout(timer);
    let nextMs: number | undefined = ctx.bus.connected() ? undefined : POLL_MS;
    try {
      const { items } = await auth.call('listRevocations', {});
      revocations.add(items);
      resolve();
    } catch (error) {
      nextMs = RETRY_MS;
      ctx.logger.debug({ err: error }, 'revocations could not be read');
    }
    if (nextMs !== undefined && !stop.aborted) timer = setTimeout(() => void read(), nextMs).unref();
  };
  ctx.bus.onState((connected) => {
    // What came between the connection and this list comes twice, which is harmless; nothing is missed.
    if (!stop.aborted) void read();
    if (!connected) ctx.logger.warn('the bus is away: ended sessions are learnt of by asking');
  });
  ctx.shutdown.onPhase('leave', 'revocations', () => clearTimeout(timer));
  void read();
  return firstRead;
}
