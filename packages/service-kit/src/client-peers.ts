import { Pool } from 'undici';
import type { ServiceContext } from './context.ts';

const CALL_CONNECTIONS = 128;
const CONNECT_TIMEOUT_MS = 2_000;
// Shorter than the server's (see app.ts): the side that sends is the one that closes.
const KEEP_ALIVE_MS = 30_000;
const STREAM_STALL_MS = 120_000;
const DOWN_MS = 1_000;
const DEFAULT_WAIT_MS = 10_000;
// Who was there before and left is likely to be back in a moment, or not at all.
const WAIT_AGAIN_MS = 2_000;

/** One instance of a service and the connections to it. */
export interface Peer {
  readonly address: string;
  inFlight: number;
  /** For calls with small bodies. */
  calls(): Pool;
  /** For bytes: without a bound, because a transfer may hold its connection for hours and must not keep calls waiting. */
  streams(): Pool;
}

interface OwnPeer extends Peer {
  downUntil: number;
  close(): Promise<void>;
}

export interface Peers {
  /** The less busy of two that are not known to be down, never `not`; undefined when there is none. */
  pick(not?: Peer): Peer | undefined;
  /** Waits for the first instance, at most this long (0: a default). */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<Peer | undefined>;
  /** A connection to it failed: others are preferred for a while, and the bus is asked who is there. */
  failed(peer: Peer): void;
}

export function createPeers(ctx: ServiceContext, service: string, fixed?: string): Peers {
  const known = new Map<string, OwnPeer>();
  const { fleet } = ctx.bus;
  const fixedList = fixed === undefined ? undefined : [{ address: fixed }];
  let lastList: readonly { address: string }[] = [];
  let candidates: OwnPeer[] = [];
  let seenAny = false;

  ctx.metrics.gauge(`client_${service.replaceAll('-', '_')}_in_flight`, `Calls to ${service} in flight`, () => {
    let sum = 0;
    for (const peer of known.values()) sum += peer.inFlight;
    return sum;
  });
  ctx.shutdown.onPhase('connections', `client of ${service}`, async () => {
    await Promise.all([...known.values()].map((peer) => peer.close()));
  });

  const doubt = (peer: OwnPeer): void => {
    peer.downUntil = Date.now() + DOWN_MS;
    if (!fixedList) fleet.refresh(service);
  };

  const newPeer = (address: string): OwnPeer => {
    const pools: Pool[] = [];
    const open = (connections: number | null, bodyTimeout: number): Pool => {
      const pool = new Pool(address, {
        connections,
        bodyTimeout,
        pipelining: 1,
        headersTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
        connect: { timeout: CONNECT_TIMEOUT_MS },
        allowH2: false,
      });
      // A live peer never closes an idle connection before we do, so this one is leaving or dead.
      pool.on('disconnect', (_origin, _targets, error) => {
        if (error?.code === 'UND_ERR_SOCKET' || error?.code === 'ECONNRESET') doubt(peer);
      });
      pools.push(pool);
      return pool;
    };
    let calls: Pool | undefined;
    let streams: Pool | undefined;
    const peer: OwnPeer = {
      address,
      inFlight: 0,
      downUntil: 0,
      calls: () => (calls ??= open(CALL_CONNECTIONS, 0)),
      streams: () => (streams ??= open(null, STREAM_STALL_MS)),
      close: async () => {
        await Promise.all(pools.map((pool) => (peer.inFlight > 0 ? pool.close() : pool.destroy())));
      },
    };
    return peer;
  };

  /** The peers of the instances known now; those of instances that left close when their last answer is in. */
  const current = (): OwnPeer[] => {
    const list = fixedList ?? fleet.discover(service);
    if (list === lastList) return candidates;
    lastList = list;
    const addresses = new Set(list.map((one) => one.address));
    for (const [address, peer] of known) {
      if (addresses.has(address)) continue;
      known.delete(address);
      peer.close().catch(() => {});
    }
    for (const address of addresses) if (!known.has(address)) known.set(address, newPeer(address));
    candidates = [...known.values()];
    if (candidates.length > 0) seenAny = true;
    return candidates;
  };

  const lessBusy = (peers: OwnPeer[]): OwnPeer | undefined => {
    if (peers.length < 2) return peers[0];
    const first = Math.floor(Math.random() * peers.length);
    const second = (first + 1 + Math.floor(Math.random() * (peers.length - 1))) % peers.length;
    const [a, b] = [peers[first], peers[second]];
    return a && b && b.inFlight < a.inFlight ? b : a;
  };

  const pick = (not?: Peer): Peer | undefined => {
    const peers = current();
    if (peers.length === 1 && not === undefined) return peers[0];
    const now = Date.now();
    const up = peers.filter((peer) => peer !== not && peer.downUntil <= now);
    return lessBusy(up) ?? lessBusy(peers.filter((peer) => peer !== not));
  };

  return {
    pick,
    wait: async (timeoutMs, signal) => {
      const limitMs = timeoutMs === 0 ? DEFAULT_WAIT_MS : timeoutMs;
      await fleet.wait(service, seenAny ? Math.min(limitMs, WAIT_AGAIN_MS) : limitMs, signal);
      signal?.throwIfAborted();
      return pick();
    },
    failed: (peer) => {
      const own = known.get(peer.address);
      if (own) doubt(own);
    },
  };
}
