import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, SECRET_HEADER } from '@coffer/service-kit';
import { exchange } from '../http.ts';
import type { SandboxCheckout, SandboxStore, Send } from './model.ts';
import { webhookOf } from './provider.ts';

export interface SenderOptions {
  readonly store: SandboxStore;
  readonly key: Buffer;
  readonly internalSecret: string;
  /** Where this service listens; undefined before it does, and nothing is sent until then. */
  readonly address: () => string | undefined;
  readonly logger: Logger;
}

export interface Sender {
  start(): void;
  /** Looks at once instead of at the next turn. */
  wake(): void;
  /** Ends after what is being sent. What is left is sent by another instance, or after the next start. */
  stop(): Promise<void>;
}

const POLL_MS = 1_000;
const LEASE_MS = 30_000;
const TIMEOUT_MS = 8_000;
/** So many at a time: providers do not wait for one before the next, and races are the point. Three rounds at the longest fit into a lease. */
const AT_ONCE = 8;
const PER_CLAIM = 3 * AT_ONCE;
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 60_000;
const GIVE_UP_AFTER_MS = 72 * 60 * 60 * 1000;

/** Sends what is due to this service's own endpoint for webhooks, over HTTP, until it is taken with a 2xx. At least once each. */
export function createSender({ store, key, internalSecret, address, logger }: SenderOptions): Sender {
  let stopping = false;
  let alarm = new AbortController();
  let running: Promise<void> | undefined;

  async function isTaken(url: string, checkout: SandboxCheckout, { event }: Send): Promise<boolean> {
    const { body, headers } = webhookOf(key, checkout, event);
    try {
      const { status } = await exchange({
        method: 'POST',
        url: `${url}/webhooks/sandbox`,
        headers: { 'content-type': 'application/json', [SECRET_HEADER]: internalSecret },
        body: JSON.stringify({ bodyBase64: body.toString('base64'), headers }),
        timeoutMs: TIMEOUT_MS,
      });
      if (status >= 200 && status < 300) return true;
      logger.warn({ reference: checkout.reference, event, status }, 'a webhook of the sandbox was not taken');
    } catch (error) {
      logger.warn({ err: error, reference: checkout.reference, event }, 'a webhook of the sandbox did not arrive');
    }
    return false;
  }

  /** Whether there was anything to do. */
  async function turn(url: string): Promise<boolean> {
    const now = new Date();
    const checkout = await store.claimDue(now, new Date(now.getTime() + LEASE_MS));
    if (!checkout) return false;
    const due = checkout.sends
      .filter((send) => send.dueAt <= now)
      .sort((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
      .slice(0, PER_CLAIM);
    const outcomes = new Map<string, boolean>();
    for (let first = 0; first < due.length && !stopping; first += AT_ONCE) {
      const some = due.slice(first, first + AT_ONCE);
      await Promise.all(some.map(async (send) => outcomes.set(send.id, await isTaken(url, checkout, send))));
    }
    await note(checkout.reference, outcomes);
    return true;
  }

  async function note(reference: string, outcomes: ReadonlyMap<string, boolean>): Promise<void> {
    for (;;) {
      const checkout = await store.get(reference);
      if (!checkout) return;
      const now = Date.now();
      const sends = checkout.sends.flatMap((send) => afterwards(send, outcomes.get(send.id), now));
      if (await store.replace({ ...checkout, sends })) return;
    }
  }

  function afterwards(send: Send, taken: boolean | undefined, now: number): Send[] {
    if (taken === undefined) return [send];
    if (taken) return [];
    if (now - send.since.getTime() > GIVE_UP_AFTER_MS) {
      logger.warn({ event: send.event, attempts: send.attempts + 1 }, 'a webhook of the sandbox is given up');
      return [];
    }
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** send.attempts, LONGEST_BACKOFF_MS);
    return [{ ...send, attempts: send.attempts + 1, dueAt: new Date(now + backoffMs) }];
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      // Before the look, so that what is added during it is not slept over.
      alarm = new AbortController();
      const url = address();
      try {
        if (url !== undefined && (await turn(url))) continue;
      } catch (error) {
        logger.warn({ err: error }, 'the webhooks of the sandbox cannot be looked through');
      }
      await sleep(POLL_MS, undefined, { signal: alarm.signal, ref: false }).catch(() => {});
    }
  }

  return {
    start() {
      running ??= loop();
    },
    wake: () => alarm.abort(),
    async stop() {
      stopping = true;
      alarm.abort();
      await running;
    },
  };
}

/** The address of a server as this host reaches it. */
export function ownUrl(address: AddressInfo | string | null): string | undefined {
  if (address === null || typeof address === 'string') return undefined;
  const { address: host, port } = address;
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
