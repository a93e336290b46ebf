import { JSONCodec, type NatsConnection, RequestStrategy, type Service } from 'nats';
import type { Logger } from './logger.ts';
import { type NatsLink, pause } from './nats-link.ts';

const POLL_MS = 2_000;
const ANSWER_MS = 400;
const MISSED_POLLS = 3;
const REFRESH_AT_MOST_EVERY_MS = 100;

export interface Instance {
  readonly service: string;
  /** Unique to one process; a restarted one has another. */
  readonly instance: string;
  readonly version: string;
  /** `http://host:port` */
  readonly address: string;
}

/** Who is alive and where, by the NATS services convention, plus joined/left messages so that changes are known at once. */
export interface Fleet {
  /** Begins to watch the service, if nobody did, and answers who is known now. They stay known while NATS is away. */
  discover(service: string): readonly Instance[];
  /** Resolves when the service has an instance, or after the time, or when the signal aborts. */
  wait(service: string, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Asks again at once: for a caller whose connection failed. */
  refresh(service: string): void;
  advertise(i: Omit<Instance, 'service' | 'instance'>): void;
  /** Tells the others to stop sending here. */
  leave(): Promise<void>;
  close(): void;
}

interface Known {
  instances: Map<string, { info: Instance; missed: number }>;
  /** The same as an array, made anew only when it changes: it is read with every call. */
  list: readonly Instance[];
  waiters: Set<() => void>;
  refreshedAt: number;
}

const json = JSONCodec<unknown>();

export function createFleet(o: {
  link: NatsLink;
  prefix: string;
  service: string;
  instance: string;
  logger: Logger;
}): Fleet {
  const { link, prefix, logger } = o;
  const watched = new Map<string, Known>();
  const closing = new AbortController();
  const subject = (what: 'joined' | 'left'): string => `${prefix}coffer-fleet.${what}`;
  let advertised: Instance | undefined;
  let registered: Service | undefined;

  const changed = (known: Known): void => {
    known.list = [...known.instances.values()].map((one) => one.info);
    if (known.list.length === 0) return;
    for (const wake of known.waiters) wake();
  };
  const add = (info: Instance): void => {
    const known = watched.get(info.service);
    if (!known) return;
    const there = known.instances.get(info.instance);
    if (there && there.info.address === info.address) {
      there.missed = 0;
      return;
    }
    known.instances.set(info.instance, { info, missed: 0 });
    changed(known);
  };
  const remove = (service: string, instance: string): void => {
    const known = watched.get(service);
    if (known?.instances.delete(instance)) changed(known);
  };

  const poll = async (service: string): Promise<void> => {
    const nc = link.live();
    const known = watched.get(service);
    if (!nc || !known) return;
    const asked = [...known.instances.keys()];
    const seen = new Set<string>();
    try {
      const answers = await nc.services
        .client({ strategy: RequestStrategy.JitterTimer, maxWait: ANSWER_MS, jitter: 100 })
        .info(prefix + service);
      for await (const answer of answers) {
        const info = instanceOf(service, { version: answer.version, ...answer.metadata });
        if (!info) continue;
        seen.add(info.instance);
        add(info);
      }
    } catch {
      // No responder, or NATS is gone: nobody is forgotten for that.
      if (!link.live()) return;
    }
    for (const instance of asked) {
      const one = known.instances.get(instance);
      // A busy process may miss a poll. The last one stays in any case: if it is dead, its connections will say so.
      if (one && !seen.has(instance) && ++one.missed >= MISSED_POLLS && known.instances.size > 1) {
        remove(service, instance);
      }
    }
  };

  const pollAll = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await pause(POLL_MS, closing.signal);
      await Promise.all([...watched.keys()].map(poll));
    }
  };
  void pollAll();

  const register = async (nc: NatsConnection): Promise<void> => {
    const self = advertised;
    if (!self) return;
    registered = await nc.services.add({
      name: prefix + self.service,
      version: self.version,
      description: `Coffer ${self.service}`,
      metadata: { instance: self.instance, address: self.address },
    });
    nc.publish(subject('joined'), json.encode(self));
  };
  const registerOn = (nc: NatsConnection): void => {
    register(nc).catch((error: unknown) => logger.warn({ err: error }, 'cannot register at NATS'));
  };

  link.onConnection((nc) => {
    nc.subscribe(`${prefix}coffer-fleet.*`, {
      callback: (error, message) => {
        if (error) return;
        const info = instanceOf(undefined, message.json());
        if (!info) return;
        if (message.subject === subject('joined')) add(info);
        if (message.subject === subject('left')) remove(info.service, info.instance);
      },
    });
    registerOn(nc);
    for (const service of watched.keys()) void poll(service);
  });
  link.onState((connected) => {
    // After a reconnect: those who came or went meanwhile.
    if (!connected) return;
    for (const service of watched.keys()) void poll(service);
    if (advertised && registered) link.live()?.publish(subject('joined'), json.encode(advertised));
  });

  const watch = (service: string): Known => {
    let known = watched.get(service);
    if (known) return known;
    known = { instances: new Map(), list: [], waiters: new Set(), refreshedAt: 0 };
    watched.set(service, known);
    void poll(service);
    return known;
  };
  const refresh = (service: string): void => {
    const known = watch(service);
    const now = Date.now();
    if (now - known.refreshedAt < REFRESH_AT_MOST_EVERY_MS) return;
    known.refreshedAt = now;
    void poll(service);
  };

  return {
    discover: (service) => watch(service).list,
    refresh,
    wait: async (service, timeoutMs, signal) => {
      const known = watch(service);
      if (known.list.length > 0) return;
      refresh(service);
      const found = new AbortController();
      const wake = (): void => found.abort();
      known.waiters.add(wake);
      const signals = [found.signal, closing.signal];
      if (signal) signals.push(signal);
      await pause(timeoutMs, AbortSignal.any(signals));
      known.waiters.delete(wake);
    },
    advertise: ({ version, address }) => {
      advertised = { service: o.service, instance: o.instance, version, address };
      const nc = link.live();
      if (nc) registerOn(nc);
    },
    leave: async () => {
      const self = advertised;
      advertised = undefined;
      const nc = link.live();
      if (!self || !nc) return;
      nc.publish(subject('left'), json.encode(self));
      await registered?.stop();
      await nc.flush();
    },
    close: () => closing.abort(),
  };
}

/** What a message says about an instance, or undefined if it is none of ours. */
function instanceOf(service: string | undefined, data: unknown): Instance | undefined {
  if (typeof data !== 'object' || data === null) return;
  const facts: { service?: unknown; instance?: unknown; version?: unknown; address?: unknown } = data;
  const name = service ?? facts.service;
  const { instance, version, address } = facts;
  if (typeof name !== 'string' || typeof instance !== 'string' || typeof version !== 'string') return;
  if (typeof address !== 'string') return;
  return { service: name, instance, version, address };
}
