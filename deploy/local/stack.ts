import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Engines, provideEngines } from './engines/index.ts';
import { nextFreePort } from './ports.ts';
import { waitUntilReady } from './ready.ts';
import { loadSecrets, type Secrets, saveSecrets } from './secrets.ts';
import { BACKEND, entryOf, GATEWAY, mailDirOf, type Surroundings, serviceEnvironment, WORKER } from './services.ts';
import { type Supervised, supervise } from './supervisor.ts';

export interface StackOptions {
  /** Data, secrets and logs; made if need be. */
  readonly stateDir: string;
  /** The gateway's, or the next free one; 0 (the default) takes any free one. */
  readonly port?: number;
  /** Engines that run already, and go on running when the stack stops. */
  readonly engines?: Engines;
  /** For all services, e.g. `FREE_LIMIT_BYTES`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps stacks that share engines apart: databases, streams, subjects, service names and keys begin with it. */
  readonly databasePrefix?: string;
  /** Gets one line for people per step. */
  readonly progress?: (line: string) => void;
  /** Gives up a start that is under way, and stops what it started. */
  readonly signal?: AbortSignal;
}

export interface Stack {
  /** The gateway's, without a slash at the end. */
  readonly url: string;
  readonly stateDir: string;
  readonly engines: Engines;
  readonly internalSecret: string;
  readonly adminUsername: string;
  /** Gets mails as `.eml` files; absent where they go to the server of `SMTP_URL`. */
  readonly mailDir?: string;
  /** When it came from the environment, or was made by this start. */
  readonly adminPassword?: string;
  /** Signals a service or an engine by its name, as an outsider would; returns the pids signalled. */
  kill(name: string, signal: NodeJS.Signals): number[];
  /** Of every service and engine, by name. */
  pids(): Record<string, number[]>;
  logFile(service: string): string;
  /** The gateway first, then the other services, then the engines, if this stack started them. May be called twice. */
  stop(): Promise<void>;
}

/** Everything that `npm start` starts. Resolves when the gateway says that it is ready; rejects with nothing left running. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { port = 0, env = {}, databasePrefix = '', progress = () => {}, signal } = options;
  const stateDir = path.resolve(options.stateDir);
  const logsDir = path.join(stateDir, 'logs');
  mkdirSync(logsDir, { recursive: true });
  const logFile = (service: string): string => path.join(logsDir, `${service}.log`);
  const secrets = loadSecrets(stateDir);
  const admin = operator(env, secrets);
  const services = new Map<string, Supervised>();
  let engines: Engines | undefined;
  let stopping: Promise<void> | undefined;

  const stopAll = async (): Promise<void> => {
    await services.get(GATEWAY)?.stop();
    await Promise.all([...services.values()].map((service) => service.stop()));
    if (options.engines === undefined) await engines?.stop();
  };
  const stop = (): Promise<void> => {
    stopping ??= stopAll();
    return stopping;
  };

  try {
    engines = options.engines ?? (await provideEngines({ stateDir, progress }));
    signal?.throwIfAborted();
    const around: Surroundings = { stateDir, engines, secrets, databasePrefix, extra: env, admin };
    progress('Starting the services');
    const start = (name: string, more: () => Promise<NodeJS.ProcessEnv> | NodeJS.ProcessEnv = () => ({})) => {
      const all = async () => ({ ...serviceEnvironment(name, around), ...(await more()) });
      const spec = { name, entry: entryOf(name), env: all, logFile: logFile(name), isPublic: name === GATEWAY };
      const service = supervise(spec, { report: progress });
      services.set(name, service);
      return service.listening;
    };
    await interruptible(Promise.all(BACKEND.map((name) => start(name))), signal);

    const host = env.HOST ?? process.env.HOST ?? '127.0.0.1';
    let bound: string | undefined;
    const gateway = start(GATEWAY, async () => ({
      HOST: host,
      // Once it has listened, it keeps its port over restarts; until then another process may have been quicker.
      PORT: bound ?? String(await nextFreePort(port, host)),
    }));
    const url = (await interruptible(gateway, signal)).replace(/\/$/, '').replace('//0.0.0.0:', '//127.0.0.1:');
    bound = new URL(url).port || '80';
    const publicUrl = env.PUBLIC_URL ?? process.env.PUBLIC_URL ?? url;
    const worker = start(WORKER, () => ({ PUBLIC_URL: publicUrl }));
    await interruptible(Promise.all([waitUntilReady(url, signal), worker]), signal);

    // Handed out once: from here on only its hash is kept, by the auth service.
    if (secrets.adminPassword !== undefined) saveSecrets(stateDir, withoutPassword(secrets));
    return {
      url,
      stateDir,
      engines,
      internalSecret: secrets.internalSecret,
      adminUsername: admin.username,
      ...((env.SMTP_URL ?? process.env.SMTP_URL ?? '') === '' ? { mailDir: mailDirOf(around) } : {}),
      ...(admin.password === undefined ? {} : { adminPassword: admin.password }),
      kill: (name, killSignal) => {
        const service = services.get(name);
        if (service !== undefined) return service.kill(killSignal);
        const engine = around.engines.processes.find((one) => one.name === name);
        const pids = engine?.pids() ?? [];
        engine?.kill(killSignal);
        return pids;
      },
      pids: () => {
        const ofServices = [...services].map(([name, service]) => [
          name,
          [service.pid()].filter((pid) => pid !== undefined),
        ]);
        const ofEngines = around.engines.processes.map((engine) => [engine.name, engine.pids()]);
        return Object.fromEntries([...ofServices, ...ofEngines]);
      },
      logFile,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function operator(env: Readonly<Record<string, string>>, secrets: Secrets): { username: string; password?: string } {
  const username = env.ADMIN_USERNAME ?? process.env.ADMIN_USERNAME ?? 'admin';
  const password = env.ADMIN_PASSWORD ?? process.env.ADMIN_PASSWORD ?? secrets.adminPassword;
  return { username, ...(password === undefined ? {} : { password }) };
}

function withoutPassword({ internalSecret, keyEncryptionKey }: Secrets): Secrets {
  return { internalSecret, keyEncryptionKey };
}

function interruptible<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}
