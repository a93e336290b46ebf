import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import { signalGroup } from './processes.ts';
import type { EnginePart } from './types.ts';

const shortestPauseMs = 100;
const longestPauseMs = 5_000;
/** A process that lived this long has earned a short pause again. */
const stableMs = 10_000;
const startTimeoutMs = 60_000;
const stopTimeoutMs = 15_000;
const longestLogBytes = 32 * 1024 * 1024;

/** The end of an engine's log, for an error message. */
export function logTail(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
  } catch {
    return '';
  }
}

/** One process that is kept alive: started again when it ends unasked, on the same terms, after a pause that grows. */
export class Supervised {
  readonly #part: EnginePart;
  readonly #logFile: string;
  readonly #guard: Guard;
  readonly #onStart: () => void;
  #child: ChildProcess | undefined;
  #stopping = false;
  #pauseMs = shortestPauseMs;
  #restart: NodeJS.Timeout | undefined;
  #starting: Promise<void> = Promise.resolve();

  /** `onStart` is called after each start of the process. */
  constructor(part: EnginePart, logFile: string, guard: Guard, onStart: () => void = () => {}) {
    this.#part = part;
    this.#logFile = logFile;
    this.#guard = guard;
    this.#onStart = onStart;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it serves. Throws, with the end of its log, when it ends before or takes too long. */
  async start(): Promise<void> {
    await this.#spawn();
    const end = Date.now() + startTimeoutMs;
    const child = this.#child;
    while (!(await this.#part.ready())) {
      const late = Date.now() > end;
      if (late || child === undefined || this.#child !== child) {
        await this.stop();
        throw new Error(
          `${this.#part.title} ${late ? 'does not answer' : 'ended at once'}:\n${logTail(this.#logFile)}`,
        );
      }
      await sleep(25);
    }
    // Whoever answered was this process only if it is still there: another one may have taken the port.
    if (this.#child !== child) throw new Error(`${this.#part.title} ended at once:\n${logTail(this.#logFile)}`);
    await this.#part.started?.();
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) signalGroup(this.#child.pid, signal);
  }

  /** Asks the process to end, forces it after 15 seconds, and resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    await this.#starting.catch(() => {});
    const child = this.#child;
    if (child?.pid === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    signalGroup(child.pid, this.#part.stopSignal);
    const pid = child.pid;
    const force = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(force);
    // What it could not take along itself (a killed parent's children).
    signalGroup(pid, 'SIGKILL');
  }

  async #spawn(): Promise<void> {
    await this.#part.prepare?.();
    if (this.#stopping) return;
    const { command, args, env, uid, gid } = this.#part;
    const log = openLog(this.#logFile);
    const child = spawn(command, args, {
      // A group of its own: the terminal's Ctrl-C goes to the launcher alone, which stops the engines last.
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: env ?? process.env,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    const startedAt = Date.now();
    const over = () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (child.pid !== undefined) this.#guard.remove(child.pid);
      if (!this.#stopping) this.#again(startedAt);
    };
    child.once('exit', over).once('error', over);
    this.#child = child;
    if (child.pid === undefined) return;
    this.#guard.add(child.pid);
    this.#onStart();
  }

  #again(startedAt: number): void {
    if (Date.now() - startedAt > stableMs) this.#pauseMs = shortestPauseMs;
    this.#restart = setTimeout(() => {
      this.#starting = this.#spawn().catch(() => this.#again(Date.now()));
    }, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }
}

function openLog(logFile: string): number {
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > longestLogBytes)
    renameSync(logFile, `${logFile}.old`);
  return openSync(logFile, 'a', 0o600);
}
