/**
 * What programs on the same machine may know of an installation by its state folder: where it runs, and the session of
 * the operator at the terminal. Imports nothing heavy: it is read for each command.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { acquireLock, lockHolder } from './lock.mjs';

export interface OperatorSession {
  /** What it is for: a URL, or `local` for whatever runs with this state folder, on whatever port. */
  readonly target: string;
  readonly sessionId: string;
  readonly accessToken: string;
  /** ISO 8601, of the access token. */
  readonly expiresAt: string;
  readonly refreshToken: string;
}

const LOCK_PATIENCE_MS = 45_000;
const LOCK_RETRY_MS = 50;

/** The folder given (`COFFER_STATE_DIR`), or `.coffer` of the project. */
export function stateDirFor(given: string | undefined): string {
  return path.resolve(given ?? path.join(import.meta.dirname, '../../.coffer'));
}

export const launcherLock = (stateDir: string): string => path.join(stateDir, 'launcher.lock');

/** Where the installation with this folder answers; undefined while none runs, and until it has started. */
export function runningAt(stateDir: string): string | undefined {
  const note = lockHolder(launcherLock(stateDir))?.note ?? '';
  return note === '' ? undefined : note;
}

/**
 * Hands the stored session to `work` and stores what it gives back (undefined: none). One process at a time: a refresh
 * token works once, and its second use would end the session.
 */
export async function withOperatorSession(
  stateDir: string,
  work: (stored: OperatorSession | undefined) => Promise<OperatorSession | undefined>,
): Promise<void> {
  const file = path.join(stateDir, 'operator-session.json');
  const release = await turn(`${file}.lock`);
  try {
    const stored = read(file);
    const next = await work(stored);
    if (next === stored) return;
    if (next === undefined) rmSync(file, { force: true });
    else write(file, next);
  } finally {
    release();
  }
}

async function turn(lockFile: string): Promise<() => void> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const answer = acquireLock(lockFile);
    if ('lock' in answer) return answer.lock.release;
    if (performance.now() > deadline) {
      throw new Error(`process ${answer.holder.pid} has held ${lockFile} for too long`);
    }
    await delay(LOCK_RETRY_MS);
  }
}

function write(file: string, session: OperatorSession): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(session, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/** A file that is not there, and one that is damaged, are no session: logging in makes another. */
function read(file: string): OperatorSession | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  return isSession(value) ? value : undefined;
}

function isSession(value: unknown): value is OperatorSession {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ['target', 'sessionId', 'accessToken', 'expiresAt', 'refreshToken'].every(
    (name) => typeof fields.get(name) === 'string',
  );
}
