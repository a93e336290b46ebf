import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { type Account, authContract, type Principal, type Session } from '@coffer/contracts';
import {
  type CallOptions,
  createClient,
  createTestContext,
  parseConfig,
  type ServiceContext,
} from '@coffer/service-kit';
import { buildApp } from '../src/app.ts';
import { ConfigSchema } from '../src/config.ts';
import { type Mongo, openMongo } from '../src/store/mongo.ts';

/** Just enough of a tap test to clean up after itself. */
interface Teardown {
  teardown(fn: () => Promise<void> | void): void;
}

export const password = 'correct horse battery staple';
const keyEncryptionKey = randomBytes(32).toString('base64');

export const uniqueName = (word = 'u'): string => `${word}${randomBytes(6).toString('hex')}`;

export function engines(): { MONGODB_URL: string; NATS_URL: string; REDIS_URL: string } {
  const { MONGODB_URL, NATS_URL, REDIS_URL } = process.env;
  if (!MONGODB_URL || !NATS_URL || !REDIS_URL)
    throw new Error('These tests need MONGODB_URL, NATS_URL and REDIS_URL; `npm test` provides them');
  return { MONGODB_URL, NATS_URL, REDIS_URL };
}

/** A database and prefixes of this run's own, so that runs side by side do not meet. Dropped at the end. */
export function ownSpace(t: Teardown): { env: Record<string, string>; mongo: Mongo } {
  const name = `coffer-test-auth-${process.pid}-${randomBytes(4).toString('hex')}`;
  const { MONGODB_URL, REDIS_URL } = engines();
  const mongo = openMongo({ url: MONGODB_URL, database: name });
  t.teardown(async () => {
    await mongo.db.dropDatabase();
    await mongo.client.close();
  });
  const env = {
    MONGODB_URL,
    REDIS_URL,
    MONGODB_DATABASE: name,
    REDIS_PREFIX: `${name}:`,
    NATS_PREFIX: `${name}-`,
    KEY_ENCRYPTION_KEY: keyEncryptionKey,
    // What a run leaves in Redis goes away soon after it.
    LOGIN_WINDOW_SECONDS: '60',
    INTERNAL_SECRET: 'a secret that all the services of a test share',
  };
  return { env, mongo };
}

export type Client = ReturnType<typeof createClient<typeof authContract>>;

export interface Auth {
  ctx: ServiceContext;
  client: Client;
  url: string;
  env: Record<string, string>;
  mongo: Mongo;
  /** Makes a user with `password`. */
  register(username?: string): Promise<Account & { email: string }>;
  logIn(login: string, secret?: string, address?: string): Promise<Session>;
}

let lastAddress = 0;
/** Another client address for each caller, so that tests do not use up each other's attempts. */
export const newAddress = (): string => {
  lastAddress++;
  return `10.${lastAddress >> 16}.${(lastAddress >> 8) & 255}.${lastAddress & 255}`;
};

/** A real instance on a free port, with its client. Several may share one space. */
export async function startAuth(
  t: Teardown,
  o: {
    env?: Record<string, string>;
    space?: ReturnType<typeof ownSpace>;
    waitReady?: boolean;
    log?: (line: string) => void;
  } = {},
): Promise<Auth> {
  const { env: spaceEnv, mongo } = o.space ?? ownSpace(t);
  const env = { ...spaceEnv, ...o.env };
  const { log } = o;
  const ctx = createTestContext('auth', env, log ? { log: { write: log }, level: 'info' } : {});
  const app = await buildApp(ctx, parseConfig(ConfigSchema, env));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const callerCtx = createTestContext('test', { ...spaceEnv, NATS_URL: undefined });
  const client = createClient(callerCtx, authContract, { address: url });
  t.teardown(async () => {
    await callerCtx.shutdown.run('test');
    await Promise.all([ctx.shutdown.run('test'), app.close()]);
  });
  if (o.waitReady ?? true) await until(async () => (await client.call('getKeySet', {})).keys.length > 0);

  return {
    ctx,
    client,
    url,
    env,
    mongo,
    register: async (username = uniqueName()) => {
      const email = `${username}@example.org`;
      return { ...(await client.call('createAccount', { body: { username, email, password } })), email };
    },
    logIn: (login, secret = password, address = newAddress()) =>
      client.call('createSession', { body: { login, password: secret, address, userAgent: 'tests' } }),
  };
}

/** Options of a call made by this account. */
export function as(account: { id: string; role?: 'user' | 'operator' }, more: Partial<Principal> = {}): CallOptions {
  return { principal: { accountId: account.id, role: account.role ?? 'user', readOnly: false, ...more } };
}

export const operator = as({ id: '01900000-0000-7000-8000-000000000000', role: 'operator' });

/** A port of 127.0.0.1 where nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 1;
}

/** Asks again every 20 ms until it is so; fails after `timeoutMs`. Errors on the way count as not yet. */
export async function until(ask: () => Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      if (await ask()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error('It did not happen in time', { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The code of the problem that a call is answered with, or `ok`. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

export function tally(outcomes: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of outcomes) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
