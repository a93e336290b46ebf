import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Directories } from './directories.ts';
import { hasCode, link, mkdir, orNull, readdir, stat, unlink } from './files.ts';
import type { Layout } from './layout.ts';
import type { Log } from './store-error.ts';

const HEARTBEAT_MS = 5_000;
const SWEEP_MS = 60_000;
/** An owner whose process cannot be looked up (another machine or container) is dead after this silence. */
const SILENCE_MS = 60_000;
const LOCK = 'owner.json';

/** Which process a folder of temporary files belongs to; enough to tell it from a later one with the same pid. */
interface Identity {
  readonly pid: number;
  /** Machine start and pid namespace: only where both are ours does the pid mean anything to us. */
  readonly where: string;
  readonly startedAt: string;
}

export interface Owner {
  /** Path of a file that does not exist yet, in this instance's own folder. */
  newTemp(): string;
  newAside(digest: string): string;
  /** Makes the folder again if somebody took it away. */
  restore(): Promise<void>;
  /** Whether the last heartbeat could be written. */
  writable(): boolean;
  close(): Promise<void>;
}

/**
 * Claims a folder for this instance's temporary files and clears what dead instances left, now and every minute: their
 * half-written files are removed, blobs that they had moved aside are put back. On a disk that takes no writes the store
 * still opens, to be read.
 */
export async function openOwner(o: {
  layout: Layout;
  directories: Directories;
  instance: string;
  log: Log;
}): Promise<Owner> {
  const { layout, log } = o;
  const identity = whoAmI();
  const name = `${o.instance.replace(/[^A-Za-z0-9_-]/g, '_')}-${process.pid}`;
  const folder = path.join(layout.temp, name);
  const lock = path.join(folder, LOCK);
  let serial = 0;
  let writable = false;

  const claim = async (): Promise<void> => {
    // Not `recursive` where the parent is there: on a disk that takes no writes that fails with ENOENT instead of EROFS.
    await mkdir(folder).catch(async (error: unknown) => {
      if (hasCode(error, 'EEXIST')) return;
      if (!hasCode(error, 'ENOENT')) throw error;
      await mkdir(layout.temp);
      await mkdir(folder);
    });
    await writeFile(lock, JSON.stringify(identity));
  };
  const beat = async (): Promise<void> => {
    try {
      const now = new Date();
      await utimes(lock, now, now).catch(claim);
      if (!writable) log.info({ folder }, 'the store takes writes');
      writable = true;
    } catch (error) {
      if (writable) log.error({ err: error }, 'the store takes no writes');
      writable = false;
    }
  };
  const sweep = async (): Promise<void> => {
    if (!writable) return;
    await removeLeftovers(o, name, identity).catch((error: unknown) =>
      log.error({ err: error }, 'cannot clear what dead instances left'),
    );
  };

  // A pid that comes around again with the same instance name would find its own folder full.
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  await claim().then(
    () => {
      writable = true;
    },
    (error: unknown) => log.error({ err: error }, 'the store takes no writes'),
  );
  await sweep();
  const timers = [setInterval(() => void beat(), HEARTBEAT_MS), setInterval(() => void sweep(), SWEEP_MS)];
  for (const timer of timers) timer.unref();

  return {
    newTemp: () => `${folder}/${serial++}`,
    newAside: (digest) => `${layout.removing}/${digest}.${name}.${serial++}`,
    restore: claim,
    writable: () => writable,
    async close() {
      for (const timer of timers) clearInterval(timer);
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    },
  };
}

async function removeLeftovers(
  o: { layout: Layout; directories: Directories; log: Log },
  own: string,
  me: Identity,
): Promise<void> {
  const { layout, directories, log } = o;
  const alive = new Set([own]);
  for (const name of (await orNull(readdir(layout.temp))) ?? []) {
    if (name === own) continue;
    if (await isAlive(path.join(layout.temp, name), me)) {
      alive.add(name);
      continue;
    }
    await rm(path.join(layout.temp, name), { recursive: true, force: true });
    log.warn({ owner: name }, 'removed what a dead instance was writing');
  }
  for (const name of (await orNull(readdir(layout.removing))) ?? []) {
    const [digest = '', owner = ''] = name.split('.');
    if (alive.has(owner)) continue;
    await putBack(layout, directories, path.join(layout.removing, name), digest);
    log.warn({ digest }, 'put back a blob that a dead instance was removing');
  }
}

/** A fresh copy that took the place meanwhile is as good. The name aside goes only after the other is durable. */
export async function putBack(layout: Layout, directories: Directories, aside: string, digest: string): Promise<void> {
  if (!(await linkBack(layout, directories, aside, digest))) return;
  await directories.publish(digest);
  await orNull(unlink(aside));
}

/** Gives a blob its name back beside the one it was moved to; false if there is nothing aside any more. */
export async function linkBack(
  layout: Layout,
  directories: Directories,
  aside: string,
  digest: string,
): Promise<boolean> {
  for (let round = 0; round < 2; round++) {
    await directories.make(digest);
    try {
      await link(aside, layout.blob(digest));
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return true;
      if (!hasCode(error, 'ENOENT')) throw error;
      // Either name may be what is missing: only with its folders made anew is it surely the one aside.
      directories.forget(digest);
    }
  }
  return false;
}

async function isAlive(folder: string, me: Identity): Promise<boolean> {
  const lock = path.join(folder, LOCK);
  // Its owner may be between making the folder and writing the lock.
  const seen = (await orNull(stat(lock))) ?? (await orNull(stat(folder)));
  if (seen === null) return false;
  const owner = parseIdentity(await orNull(readFile(lock, 'utf8')));
  if (owner !== null && owner.where === me.where) {
    return startOf(owner.pid) === owner.startedAt;
  }
  return Date.now() - seen.mtimeMs < SILENCE_MS;
}

function parseIdentity(text: string | null): Identity | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value !== 'object' || value === null) return null;
    const { pid, where, startedAt } = value as Partial<Record<keyof Identity, unknown>>;
    if (typeof pid !== 'number' || typeof where !== 'string' || typeof startedAt !== 'string') return null;
    return { pid, where, startedAt };
  } catch {
    return null;
  }
}

function whoAmI(): Identity {
  const boot = readText('/proc/sys/kernel/random/boot_id') ?? '';
  const where = `${hostname()} ${boot.trim()} ${namespaceOf()}`;
  return { pid: process.pid, where, startedAt: startOf(process.pid) ?? '' };
}

/** When the process started, in the kernel's ticks; where there is no /proc, whether it runs at all. */
function startOf(pid: number): string | null {
  const line = readText(`/proc/${pid}/stat`);
  // Field 22; the second, the command's name in parentheses, may hold spaces (proc(5)).
  if (line !== null) return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  if (readText('/proc/self/stat') !== null) return null;
  try {
    process.kill(pid, 0);
    return '';
  } catch (error) {
    return hasCode(error, 'EPERM') ? '' : null;
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function namespaceOf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
