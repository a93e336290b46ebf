/**
 * One service process: started, watched, started again when it dies, stopped in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { openLog, rotate, tailOf } from './log-file.ts';

export interface ServiceSpec {
  readonly name: string;
  /** The TypeScript file to run. */
  readonly entry: string;
  /** Asked before each start. */
  readonly env: () => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>;
  readonly logFile: string;
  /** Its address is the one that it announces as public, and not the one that it has for other services. */
  readonly isPublic?: boolean;
}

export interface SupervisorOptions {
  /** Gets one line for people when the service dies or has to be forced. */
  readonly report?: (line: string) => void;
  /** Before the first restart; doubles with each. Default 250. */
  readonly firstBackoffMs?: number;
  /** Default 10,000. */
  readonly maxBackoffMs?: number;
  /** A service that listened this long starts over with the first backoff. Default 30,000. */
  readonly healthyMs?: number;
  /** Between SIGTERM and SIGKILL. Default 10,000. */
  readonly stopTimeoutMs?: number;
}

export interface Supervised {
  readonly name: string;
  /** Its address, once it has first said that it listens. Rejects when it died three times before, or was stopped. */
  readonly listening: Promise<string>;
  pid(): number | undefined;
  /** Signals the process as an outsider would: it is started again. Returns the pids signalled. */
  kill(signal: NodeJS.Signals): number[];
  /** SIGTERM, and SIGKILL at the deadline. Resolves when the process is gone; may be called twice. */
  stop(): Promise<void>;
}

const END_WITH_PARENT = pathToFileURL(path.resolve(import.meta.dirname, 'end-with-parent.mjs')).href;
const STARTS_BEFORE_GIVING_UP = 3;
const LOG_LINES_SHOWN = 15;

/** Starts a service and keeps it running until `stop()`. */
export function supervise(spec: ServiceSpec, options: SupervisorOptions = {}): Supervised {
  const { report = () => {}, firstBackoffMs = 250, maxBackoffMs = 10_000 } = options;
  const { healthyMs = 30_000, stopTimeoutMs = 10_000 } = options;
  const listening = Promise.withResolvers<string>();
  // Whoever waits hears of a failure; nobody has to.
  listening.promise.catch(() => {});
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  let restart: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | undefined;
  let hasListened = false;
  let earlyDeaths = 0;
  let backoffMs = firstBackoffMs;
  const stopRotating = rotate(spec.logFile);

  const start = async (): Promise<void> => {
    const env = await spec.env();
    if (stopping !== undefined) return;
    const started = launch(spec, env);
    child = started;
    let listensSince: number | undefined;
    const gone = Promise.withResolvers<void>();
    exited = gone.promise;
    started.on('message', (message) => {
      const url = listeningUrl(message, spec.isPublic ?? false);
      if (url === undefined) return;
      listensSince ??= performance.now();
      hasListened = true;
      listening.resolve(url);
    });
    const ended = (why: string): void => {
      if (child !== started) return;
      child = undefined;
      gone.resolve();
      signalGroup(started, 'SIGKILL');
      if (listensSince !== undefined && performance.now() - listensSince >= healthyMs) backoffMs = firstBackoffMs;
      died(why);
    };
    started.on('error', (error) => {
      // Without a pid it never started, and no exit will be reported.
      if (started.pid === undefined) ended(error.message);
    });
    started.once('exit', (code, signal) => ended(signal === null ? `exited with ${code}` : `ended by ${signal}`));
  };

  const died = (why: string): void => {
    if (stopping !== undefined) return;
    if (!hasListened && ++earlyDeaths >= STARTS_BEFORE_GIVING_UP) {
      const log = tailOf(spec.logFile, LOG_LINES_SHOWN);
      listening.reject(new Error(`${spec.name} does not start (${why}). The end of its log, ${spec.logFile}:\n${log}`));
      return;
    }
    report(`${spec.name} ${why}; starting it again in ${backoffMs} ms`);
    restart = setTimeout(begin, backoffMs);
    backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
  };

  const begin = (): void => {
    start().catch((error: unknown) => died(error instanceof Error ? error.message : String(error)));
  };

  const stopNow = async (): Promise<void> => {
    clearTimeout(restart);
    stopRotating();
    listening.reject(new Error(`${spec.name} was stopped`));
    const running = child;
    if (!running) return;
    running.kill('SIGTERM');
    const force = setTimeout(() => {
      report(`${spec.name} did not stop in ${stopTimeoutMs} ms; ending it by force`);
      signalGroup(running, 'SIGKILL');
    }, stopTimeoutMs);
    await exited;
    clearTimeout(force);
  };

  begin();
  return {
    name: spec.name,
    listening: listening.promise,
    pid: () => child?.pid,
    kill: (signal) => {
      const pid = child?.pid;
      return pid !== undefined && child?.kill(signal) ? [pid] : [];
    },
    stop: () => {
      stopping ??= stopNow();
      return stopping;
    },
  };
}

function launch({ entry, logFile }: ServiceSpec, env: NodeJS.ProcessEnv): ChildProcess {
  const log = openLog(logFile);
  try {
    // A group of its own: the terminal's Ctrl-C is for the launcher, which then stops the services in order.
    return spawn(process.execPath, ['--import', END_WITH_PARENT, entry], {
      env,
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

/** The service and whatever it started. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // The group is gone.
  }
}

function listeningUrl(message: unknown, wantsPublic: boolean): string | undefined {
  if (typeof message !== 'object' || message === null || !('type' in message) || message.type !== 'listening') return;
  if (wantsPublic && !('public' in message && message.public === true)) return;
  return 'url' in message && typeof message.url === 'string' ? message.url : undefined;
}
