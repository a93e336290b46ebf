/**
 * Processes that a test left behind, found by a mark that every descendant inherits in its environment. Only Linux
 * shows other processes' environments (`/proc`); elsewhere nothing is found.
 */
import { readdirSync, readFileSync } from 'node:fs';

export const MARK = 'COFFER_TEST_MARK';

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** Processes whose environment says `variable=value`, other than this one. */
export function processesWith(variable: string, value: string): Leftover[] {
  const found: Leftover[] = [];
  for (const entry of listProcesses()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (read(`/proc/${pid}/environ`).split('\0').includes(`${variable}=${value}`)) {
      found.push({ pid, command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() });
    }
  }
  // A process that has ended and is not yet reaped shows no command: it is no leftover.
  return found.filter((one) => one.command !== '');
}

/** Waits up to `graceMs` until none is left, ends the rest by force, and returns those it had to end. */
export async function sweep(mark: string, graceMs: number): Promise<Leftover[]> {
  const deadline = performance.now() + graceMs;
  let left = processesWith(MARK, mark);
  while (left.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    left = processesWith(MARK, mark);
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  return left;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
