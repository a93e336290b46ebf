import { connect, Events, type NatsConnection } from 'nats';
import type { Logger } from './logger.ts';

const RETRY_MS = 500;
const CONNECT_TIMEOUT_MS = 2_000;
// A server that hangs without closing is given up after two of these.
const PING_INTERVAL_MS = 5_000;

export interface NatsLink {
  /** The connection, or undefined while there is none that can be used right now. */
  live(): NatsConnection | undefined;
  /** Called with each new connection object, at once if there is one. Subscriptions on it survive its reconnects. */
  onConnection(cb: (nc: NatsConnection) => void): void;
  /** Called with true after each connect and reconnect, with false after each loss. */
  onState(cb: (connected: boolean) => void): void;
  close(): Promise<void>;
}

export interface NatsOptions {
  url: string;
  user?: string | undefined;
  password?: string | undefined;
  name: string;
}

/** Connects in the background and never gives up; nothing here fails the caller's start. */
export function linkNats(o: NatsOptions, logger: Logger): NatsLink {
  const connectionListeners: ((nc: NatsConnection) => void)[] = [];
  const stateListeners: ((connected: boolean) => void)[] = [];
  let connection: NatsConnection | undefined;
  let connected = false;
  const closing = new AbortController();

  const setConnected = (now: boolean): void => {
    if (connected === now) return;
    connected = now;
    if (!closing.signal.aborted) logger[now ? 'info' : 'warn'](now ? 'connected to NATS' : 'lost NATS, trying on');
    for (const cb of stateListeners) cb(now);
  };

  const follow = async (nc: NatsConnection): Promise<void> => {
    connection = nc;
    setConnected(true);
    for (const cb of connectionListeners) cb(nc);
    void (async () => {
      for await (const status of nc.status()) {
        if (status.type === Events.Disconnect) setConnected(false);
        if (status.type === Events.Reconnect) setConnected(true);
      }
    })();
    const error = await nc.closed();
    if (error) logger.warn({ err: error }, 'the NATS connection ended');
    connection = undefined;
    setConnected(false);
  };

  const run = async (): Promise<void> => {
    let told = false;
    while (!closing.signal.aborted) {
      try {
        const nc = await connect({
          servers: o.url.split(',').map((server) => server.trim()),
          name: o.name,
          ...(o.user === undefined ? {} : { user: o.user, pass: o.password ?? '' }),
          timeout: CONNECT_TIMEOUT_MS,
          pingInterval: PING_INTERVAL_MS,
          maxPingOut: 2,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RETRY_MS,
          reconnectJitter: 100,
          ignoreAuthErrorAbort: true,
        });
        if (closing.signal.aborted) {
          await nc.close();
          return;
        }
        told = false;
        await follow(nc);
      } catch (error) {
        // Once per outage; a line every half second would bury the rest.
        if (!told) logger.warn({ err: error }, 'cannot reach NATS, trying on');
        told = true;
      }
      await pause(RETRY_MS, closing.signal);
    }
  };
  const running = run();

  return {
    live: () => (connected ? connection : undefined),
    onConnection: (cb) => {
      connectionListeners.push(cb);
      if (connection) cb(connection);
    },
    onState: (cb) => {
      stateListeners.push(cb);
    },
    close: async () => {
      closing.abort();
      await connection?.close();
      await running;
    },
  };
}

/** Waits, but no longer than until the signal aborts; never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
