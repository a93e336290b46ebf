import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Account,
  authContract,
  type EventEnvelope,
  metadataContract,
  type Principal,
  paymentContract,
  workerContract,
} from '@coffer/contracts';
import { type CallOptions, type Client, createClient, createTestContext, newId } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { connect } from 'nats';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

interface Teardown {
  teardown(fn: () => Promise<unknown> | unknown): void;
}

export const password = 'correct horse battery staple';
export const uniqueName = (word = 'u'): string => `${word}${randomBytes(6).toString('hex')}`;

export function engines(): { MONGODB_URL: string; NATS_URL: string; REDIS_URL: string } {
  const { MONGODB_URL, NATS_URL, REDIS_URL } = process.env;
  if (!MONGODB_URL || !NATS_URL || !REDIS_URL)
    throw new Error('These tests need MONGODB_URL, NATS_URL and REDIS_URL; `npm test` provides them');
  return { MONGODB_URL, NATS_URL, REDIS_URL };
}

export interface Post {
  readonly url: string;
  /** What was taken, in order. */
  readonly mails: (Email & { raw: string; sentTo: string[] })[];
  /** Recipients as they were named, the refused ones too. */
  readonly asked: string[];
  /** Answers the code to refuse a recipient with; called for each. */
  refuse: (address: string) => number | undefined;
  /** Holds the answer to a mail that was read whole. */
  hold: Promise<void> | undefined;
  mailsTo(address: string): Post['mails'];
}

/** A mail server on a free port of 127.0.0.1, with a user `post office` and a password that must be escaped in URLs. */
export async function startPost(t: Teardown): Promise<Post> {
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username, password: given }, _session, done) =>
      username === 'post office' && given === 'p@ss/w:rd' ? done(null, { user: 1 }) : done(new Error('no')),
    onRcptTo: ({ address }, _session, done) => {
      post.asked.push(address);
      const code = post.refuse(address);
      if (code === undefined) done();
      else done(Object.assign(new Error(`<${address}> is not taken`), { responseCode: code }));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks);
        const mail = await PostalMime.parse(raw);
        const sentTo = session.envelope.rcptTo.map((one) => one.address);
        post.mails.push({ ...mail, raw: raw.toString(), sentTo });
        await post.hold;
        done();
      });
    },
  });
  // Clients that are killed leave their connections in the middle of things.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo; // A TCP listener has no other kind of address.
  const post: Post = {
    url: `smtp://post%20office:p%40ss%2Fw%3Ard@127.0.0.1:${port}`,
    mails: [],
    asked: [],
    refuse: () => undefined,
    hold: undefined,
    mailsTo: (address) => post.mails.filter((one) => one.sentTo.includes(address)),
  };
  return post;
}

export interface Service {
  readonly process: ChildProcess;
  readonly url: string;
  /** Lines of the log so far. */
  readonly log: () => string;
  stop(): Promise<void>;
}

/** The service's own `main.ts`, in a process of its own. */
export async function startService(t: Teardown, name: string, env: Record<string, string>): Promise<Service> {
  const entry = path.resolve(import.meta.dirname, '../..', name, 'src/main.ts');
  const child = fork(entry, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (log += chunk));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(kill);
  };
  t.teardown(stop);
  let url: string | undefined;
  child.on('message', (message) => {
    if (typeof message === 'object' && 'url' in message && typeof message.url === 'string') url = message.url;
  });
  const listening = waitFor(`${name} to listen`, () => url, { timeoutMs: 60_000 });
  const died = ended.then(() => Promise.reject(new Error(`${name} ended: ${log}`)));
  died.catch(() => {});
  return { process: child, url: await Promise.race([listening, died]), log: () => log, stop };
}

export interface World {
  readonly env: Record<string, string>;
  readonly post: Post;
  readonly auth: Client<typeof authContract>;
  readonly metadata: Client<typeof metadataContract>;
  readonly payment: Client<typeof paymentContract>;
  readonly worker: Client<typeof workerContract>;
  /** The queue `mail` itself. */
  readonly queue: Queue;
  queueOf(name: string): Queue;
  /** Publishes under a message id of its own each time, as a bus does that forgot the first. */
  publish(event: EventEnvelope): Promise<void>;
  register(o?: { username?: string; email?: string | null }): Promise<Account>;
  startWorker(env?: Record<string, string>): Promise<Service>;
  start(service: string): Promise<Service>;
}

/** Auth (and metadata) in processes of their own, a mail server, and databases, streams and keys that no other run uses. */
export async function startWorld(t: Teardown, services = ['auth', 'metadata']): Promise<World> {
  const name = `wk-${process.pid}-${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-worker-'));
  const urls = engines();
  const env = {
    ...urls,
    REDIS_PREFIX: `${name}:`,
    NATS_PREFIX: `${name}-`,
    INTERNAL_SECRET: 'a secret that all the services of a test share',
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    MAIL_DIR: path.join(folder, 'mail'),
    MAIL_FROM: 'Coffer <coffer@files.example>',
    PUBLIC_URL: 'https://files.example',
    PAYMENT_PROVIDER: 'sandbox',
    LOG_LEVEL: 'info',
  };
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  t.teardown(() => cleanEngines(name));
  const post = await startPost(t);
  const redis = new Redis(urls.REDIS_URL, { maxRetriesPerRequest: null });
  const queues: Queue[] = [];
  const queueOf = (name: string): Queue => {
    const queue = new Queue(name, { connection: redis, prefix: `${env.REDIS_PREFIX}queues` });
    queue.on('error', () => {});
    queues.push(queue);
    return queue;
  };
  t.teardown(async () => {
    await Promise.all(queues.map((queue) => queue.close()));
    redis.disconnect();
  });
  const start = (one: string) => startService(t, one, { ...env, MONGODB_DATABASE: `${name}-${one}` });
  await Promise.all(services.map(start));
  const ctx = createTestContext('test', env);
  t.teardown(() => ctx.shutdown.run('test'));
  const auth = createClient(ctx, authContract);
  const metadata = createClient(ctx, metadataContract);
  await waitFor('auth', async () => (await auth.call('getKeySet', {})).keys.length > 0, { timeoutMs: 60_000 });
  return {
    env,
    post,
    auth,
    metadata,
    payment: createClient(ctx, paymentContract),
    worker: createClient(ctx, workerContract),
    queue: queueOf('mail'),
    queueOf,
    publish: (event) => ctx.bus.publish(event.type, event, { id: newId() }),
    register: ({ username = uniqueName(), email = `${username}@example.org` } = {}) =>
      auth.call('createAccount', { body: { username, email, password } }),
    start,
    startWorker: (more = {}) => startService(t, 'worker', { ...env, SMTP_URL: post.url, ...more }),
  };
}

async function cleanEngines(name: string): Promise<void> {
  const { MONGODB_URL, NATS_URL, REDIS_URL } = engines();
  const { MongoClient } = await import('mongodb');
  const mongo = new MongoClient(MONGODB_URL);
  for (const database of ['auth', 'metadata', 'payment']) await mongo.db(`${name}-${database}`).dropDatabase();
  await mongo.close();
  const nc = await connect({ servers: NATS_URL });
  await (await nc.jetstreamManager()).streams.delete(`${name}-COFFER`).catch(() => {});
  await nc.close();
  const redis = new Redis(REDIS_URL);
  const keys = await redis.keys(`${name}:*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
}

export function as(account: Pick<Account, 'id'>, more: Partial<Principal> = {}): CallOptions {
  return { principal: { accountId: account.id, role: 'user', readOnly: false, ...more } };
}

/** A TCP line to a server, which can be cut and mended. */
export async function lineTo(
  t: Teardown,
  target: string,
): Promise<{ url: string; cut(): void; mend(): Promise<void> }> {
  const { hostname, port: farPort } = new URL(target);
  const sockets = new Set<Socket>();
  const make = (): Server =>
    createServer((near) => {
      const far = dial(Number(farPort || 6379), hostname);
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
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo; // A TCP listener has no other kind of address.
  const cut = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(cut);
  const mend = async (): Promise<void> => {
    server = make();
    await listen(port);
  };
  return { url: target.replace(/\/\/.*$/, `//127.0.0.1:${port}`), cut, mend };
}
