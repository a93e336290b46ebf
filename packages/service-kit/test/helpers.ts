import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { type Contract, contract } from '@coffer/contracts';
import { connect } from 'nats';
import Type from 'typebox';

/** An engine's URL from the environment; `npm test` sets them. */
export function engineUrl(name: 'NATS_URL' | 'MONGODB_URL'): string {
  const url = process.env[name];
  if (!url) throw new Error(`${name} is not set: run the tests with npm test, or with the engines' URLs`);
  return url;
}

/** Keeps runs on shared engines apart. */
export function uniquePrefix(): string {
  return `kit-${process.pid}-${randomBytes(4).toString('hex')}-`;
}

export async function removeStream(prefix: string): Promise<void> {
  const nc = await connect({ servers: engineUrl('NATS_URL') });
  const { streams } = await nc.jetstreamManager();
  await streams.delete(`${prefix}COFFER`).catch(() => {});
  await nc.close();
}

/** Resolves when the condition holds; rejects after the time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface Wire {
  readonly url: string;
  /** Nobody gets through, and who was through is cut off. */
  cut(): void;
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** A TCP wire to a real server that can be cut and mended, for one test to lose an engine that others keep. */
export async function wireTo(target: string): Promise<Wire> {
  const to = new URL(target.replace(/^nats:/, 'http:'));
  const sockets = new Set<Socket>();
  const make = (): Server =>
    createServer((near) => {
      const far = dial(Number(to.port), to.hostname);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  let server = make();
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    cut,
    mend: async () => {
      server = make();
      await listen(port);
    },
    close: async () => cut(),
  };
}

const Item = Type.Object({ id: Type.String(), count: Type.Integer() });

/** A small service to serve and call. */
export const shopContract = contract({
  service: 'shop',
  endpoints: {
    get: {
      op: 'items.get',
      method: 'GET',
      path: '/items/:id',
      idempotent: true,
      params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
      query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }, { additionalProperties: false }),
      response: Item,
    },
    create: {
      op: 'items.create',
      method: 'POST',
      path: '/items',
      idempotent: false,
      body: Type.Object({ count: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
      response: Item,
    },
    slow: { op: 'items.slow', method: 'GET', path: '/slow', idempotent: true, timeoutMs: 200, response: Item },
    remove: {
      op: 'items.remove',
      method: 'DELETE',
      path: '/items/:id',
      idempotent: true,
      params: Type.Object({ id: Type.String() }),
    },
    upload: { op: 'bytes.put', method: 'POST', path: '/bytes', idempotent: false, body: 'bytes', response: Item },
    download: {
      op: 'bytes.get',
      method: 'GET',
      path: '/bytes',
      idempotent: true,
      query: Type.Object({ size: Type.Integer() }),
      response: 'bytes',
    },
  },
} as const satisfies Contract);

/** Collects log lines as objects. */
export function logSink(): {
  write(line: string): void;
  lines: Record<string, unknown>[];
  of(op: string): Record<string, unknown>[];
} {
  const lines: Record<string, unknown>[] = [];
  return {
    lines,
    write: (line) => {
      lines.push(JSON.parse(line));
    },
    of: (op) => lines.filter((line) => line.op === op && line.msg === 'request'),
  };
}
