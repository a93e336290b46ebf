/** The only file here that knows processes: everything else knows a URL. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Engines, provideEngines, type Stack, startStack } from '@coffer/deploy/local';
import { Client } from './client.ts';
import { PASSWORD, type Person } from './factories.ts';
import { Http } from './http.ts';

export type { Engines, Stack };

export interface TestStackOptions {
  /** For all services. */
  readonly env?: Record<string, string>;
  /** Engines of its own, which may be killed: the environment's are not used. */
  readonly ownEngines?: boolean;
  /** Its temporary folder is made here; the system's by default. */
  readonly parentDir?: string;
  /** Gets one line for people per step. */
  readonly progress?: (line: string) => void;
}

export interface TestStack {
  readonly url: string;
  readonly http: Http;
  /** Absent when the tests run against a deployment by `COFFER_URL`. */
  readonly local?: Stack;
  /** Whether an operator's name and password are known (for a deployment: `ADMIN_USERNAME`, `ADMIN_PASSWORD`). */
  readonly hasOperator: boolean;
  /** The operator, logged in anew. Throws where none is known. */
  operator(): Promise<Person>;
  stop(): Promise<void>;
}

/** No limit may refuse what a test does on purpose; limits have tests of their own. */
const ROOMY = {
  RATE_LIMITS: 'off',
  LOGIN_ATTEMPTS_PER_ACCOUNT: '100000',
  LOGIN_ATTEMPTS_PER_ADDRESS: '100000',
  LOG_LEVEL: 'info',
  // Many stacks share one NATS, and their streams stay in it until it ends.
  EVENTS_MAX_BYTES: '16777216',
};

/**
 * A Coffer to test: the deployment that `COFFER_URL` names, or else a stack started here, in a temporary folder, on the engines of the
 * environment (shared, kept apart by a prefix) or its own.
 */
export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  const given = process.env.COFFER_URL;
  if (given !== undefined && given !== '') {
    const { ADMIN_USERNAME, ADMIN_PASSWORD } = process.env;
    return useDeployment(given, ADMIN_USERNAME, ADMIN_PASSWORD);
  }
  return await startOwnStack(options);
}

/** As `startTestStack`, whatever `COFFER_URL` says. */
export async function startOwnStack(options: TestStackOptions = {}): Promise<TestStack> {
  const { env = {}, ownEngines = false, parentDir = tmpdir(), progress = () => {} } = options;
  const folder = mkdtempSync(path.join(parentDir, 'coffer-stack-'));
  // As root, an engine may run as another user, who must be able to pass through.
  chmodSync(folder, 0o711);
  let engines: Engines | undefined;
  try {
    engines = await provideEngines({
      stateDir: path.join(folder, 'engines'),
      progress,
      ...(ownEngines ? { env: withoutEngines(process.env) } : {}),
    });
    const local = await startStack({
      stateDir: folder,
      port: 0,
      engines,
      databasePrefix: `t${randomBytes(6).toString('hex')}-`,
      env: { ADMIN_USERNAME: 'operator', ADMIN_PASSWORD: PASSWORD, ...ROOMY, ...env },
    });
    return wrap(local.url, local, 'operator', PASSWORD, async () => {
      await local.stop();
      await engines?.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    });
  } catch (error) {
    await engines?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    throw error;
  }
}

/** A deployment that runs already, seen by its URL alone. */
export function useDeployment(url: string, operatorName?: string, operatorPassword?: string): TestStack {
  return wrap(url, undefined, operatorName, operatorPassword, async () => {});
}

function wrap(
  url: string,
  local: Stack | undefined,
  username: string | undefined,
  password: string | undefined,
  release: () => Promise<void>,
): TestStack {
  const http = new Http(url);
  let stopping: Promise<void> | undefined;
  return {
    url: http.url,
    http,
    ...(local === undefined ? {} : { local }),
    hasOperator: username !== undefined && password !== undefined,
    operator: async () => {
      if (username === undefined || password === undefined)
        throw new Error('ADMIN_USERNAME and ADMIN_PASSWORD are not set');
      const session = await new Client(http).logIn(username, password);
      const client = new Client(http, `Bearer ${session.accessToken}`);
      return { account: await client.me(), session, password, client };
    },
    stop: () => {
      stopping ??= http.close().then(release);
      return stopping;
    },
  };
}

function withoutEngines({
  MONGODB_URL: _m,
  NATS_URL: _n,
  REDIS_URL: _r,
  ...rest
}: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return rest;
}
