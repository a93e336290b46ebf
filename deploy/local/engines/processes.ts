import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Something that tells this process from a later one with the same pid; undefined when it is gone (or a zombie). */
export function identityOf(pid: number): string | undefined {
  try {
    // proc(5): after the command in parentheses, which may hold anything, field 3 is the state and field 22 the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'latin1' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Signals a process group, or the process where it leads none; true when there was somebody to signal. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return true;
    } catch {
      // ESRCH: gone, or not a leader.
    }
  }
  return false;
}

/** Processes (Linux) that work in this folder and in whose command line this word is. */
export function processesIn(dir: string, word: string): number[] {
  const found: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readlinkSync(`/proc/${entry}/cwd`) !== dir) continue;
      if (readFileSync(`/proc/${entry}/cmdline`, 'latin1').includes(word)) found.push(Number(entry));
    } catch {
      // Ended meanwhile, or not ours.
    }
  }
  return found;
}

/** Waits until the processes are gone; false when the time is over before. */
export async function gone(isAlive: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (isAlive()) {
    if (Date.now() > end) return false;
    await sleep(20);
  }
  return true;
}

const taken = new Set<number>();

/**
 * A port of 127.0.0.1 that nobody listens on. Below the range from which systems take the ports of outgoing connections: an engine
 * that is restarted must find its port free, and under load such connections use up any gap.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port)) continue;
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
    });
    if (!free) continue;
    taken.add(port);
    return port;
  }
  throw new Error('no free port between 12000 and 32000 on 127.0.0.1');
}
