import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@coffer/service-kit';
import {
  advance,
  dueAt,
  finishPass,
  firstState,
  oldestCheck,
  parseState,
  type ScrubState,
} from './domain/scrub-schedule.ts';
import type { BlobDriver } from './store/driver.ts';

const STATE = 'scrub';
const SAVE_EVERY_MS = 10_000;
const LEASE_MS = 60_000;
const NAP_MS = 5_000;

export interface Scrub {
  /** No blob's last check is older than this; null while that is not known for all. */
  oldestCheckAt(): Date | null;
  /** Found by the scrub since the store was made. */
  damaged(): number;
  /** Saves where it stands. */
  stop(): Promise<void>;
}

/**
 * Re-hashes every blob within the period, spread evenly over it. Where it stands is kept in the store, so a restart goes
 * on from there; behind its pace it reads at most `maxBytesPerSecond`. Of several instances on one store one does it.
 */
export function startScrub(o: {
  store: BlobDriver;
  log: Logger;
  instance: string;
  periodMs: number;
  maxBytesPerSecond: number;
}): Scrub {
  const { store, log, instance } = o;
  const stopping = new AbortController();
  let state: ScrubState | null = null;
  let savedAtMs = Number.NEGATIVE_INFINITY;

  const save = async (current: ScrubState, heldAt = new Date()): Promise<ScrubState> => {
    const held = { ...current, holder: instance, heldAt: heldAt.toISOString() };
    await store.writeState(STATE, JSON.stringify(held));
    savedAtMs = performance.now();
    return held;
  };
  /** What is stored, and whether it is ours to go on with. */
  const take = async (): Promise<boolean> => {
    const stored = parseState(await store.readState(STATE));
    state = stored ?? firstState(new Date(), await isEmpty(store), instance);
    if (stored !== null && stored.holder !== instance && Date.now() - Date.parse(stored.heldAt) < LEASE_MS)
      return false;
    state = await save(state);
    return true;
  };
  const keep = async (): Promise<boolean> => {
    if (state === null || performance.now() - savedAtMs < SAVE_EVERY_MS) return true;
    const stored = parseState(await store.readState(STATE));
    if (stored !== null && stored.holder !== instance && stored.heldAt > state.heldAt) return false;
    state = await save(state);
    return true;
  };
  const nap = async (ms: number): Promise<void> => {
    await sleep(ms, undefined, { signal: stopping.signal, ref: false });
  };

  /** Waits for a time in short steps, so that the lease stays ours; false once it is not. */
  const waitUntil = async (time: number): Promise<boolean> => {
    for (let left = time - Date.now(); left > 0; left = time - Date.now()) {
      await nap(Math.min(left, NAP_MS));
      if (!(await keep())) return false;
    }
    return keep();
  };

  const pass = async (current: ScrubState): Promise<void> => {
    for await (const blob of store.walk(current.cursor)) {
      if (!(await waitUntil(dueAt(state ?? current, blob.digest, o.periodMs).getTime()))) return;
      const outcome = await store.verify(blob.digest, stopping.signal);
      const after = advance(state ?? current, blob.digest, new Date());
      state = outcome === 'damaged' ? { ...after, damaged: after.damaged + 1 } : after;
      await nap((blob.sizeBytes / o.maxBytesPerSecond) * 1000);
    }
    // The pass is over when its time is, not when its blobs are: an almost empty store is not read all day.
    if (!(await waitUntil(dueAt(state ?? current, 'f'.repeat(64), o.periodMs).getTime()))) return;
    state = await save(finishPass(state ?? current, new Date()));
    log.info({ damaged: state.damaged }, 'scrubbed the whole store');
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        if ((await take()) && state !== null) await pass(state);
        else await nap(LEASE_MS);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.error({ err: error }, 'the scrub stumbled');
        await nap(LEASE_MS).catch(() => undefined);
      }
    }
  };
  const running = run().catch(() => undefined);

  return {
    oldestCheckAt: () => (state === null ? null : oldestCheck(state)),
    damaged: () => state?.damaged ?? 0,
    async stop() {
      stopping.abort();
      await running;
      if (state?.holder !== instance) return;
      // Held since ever ago: whoever comes next goes on at once.
      await save(state, new Date(0)).catch((error: unknown) =>
        log.warn({ err: error }, 'cannot save where the scrub stands'),
      );
    },
  };
}

async function isEmpty(store: BlobDriver): Promise<boolean> {
  for await (const _ of store.walk('')) return false;
  return true;
}
