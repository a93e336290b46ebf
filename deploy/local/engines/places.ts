import { createHash } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Provision } from './types.ts';

/** PostgreSQL refuses to run as root; this is the user `nobody` of Debian. */
const nobody = 65534;
/** The longest path of a Unix socket is 107 bytes, of which `/.s.PGSQL.5432.lock` takes 19. */
const longestSocketDir = 88;

const isRoot = process.getuid?.() === 0;

/** What `spawn` and `execFile` need to start PostgreSQL as a user that it accepts. */
export const unprivileged: { uid?: number; gid?: number } = isRoot ? { uid: nobody, gid: nobody } : {};

/** Gives a folder to PostgreSQL's user. */
export function giveAway(dir: string): void {
  if (isRoot) chownSync(dir, nobody, nobody);
}

/** Makes a folder that others may read, whatever the umask is. */
export function makeOpen(dir: string): void {
  mkdirSync(dir, { recursive: true });
  if ((statSync(dir).mode & 0o777) !== 0o755) chmodSync(dir, 0o755);
}

/** Whether everybody may pass through all folders above this one; those that are not there yet do not count. */
export function isReachable(dir: string): boolean {
  for (let above = path.dirname(path.resolve(dir)); ; above = path.dirname(above)) {
    if (!isPassable(above)) return false;
    if (above === path.dirname(above)) return true;
  }
}

function isPassable(dir: string): boolean {
  const mode = statSync(dir, { throwIfNoEntry: false })?.mode ?? 0o001;
  return (mode & 0o001) !== 0;
}

/**
 * Where PostgreSQL's data goes: the engine's folder in the state folder, where PostgreSQL's user can get there; below /var/lib where a
 * folder above (root's home, say) is closed.
 */
export function placeFor({ stateDir, dataDir }: Provision): string {
  if (!isRoot || isReachable(stateDir)) return dataDir;
  return path.join('/var/lib/coffer', nameFor(stateDir));
}

/** Makes that place, and lets everybody pass through (not look into) the state folder where it is there. */
export function makePlace(place: string, { stateDir, dataDir }: Provision): void {
  mkdirSync(place, { recursive: true });
  if (!isRoot) return;
  const ours = place === dataDir ? [stateDir, dataDir] : [path.dirname(place), place];
  for (const dir of ours) if (!isPassable(dir)) chmodSync(dir, statSync(dir).mode | 0o011);
}

/** A folder for the sockets that nobody else can enter: connections are trusted. Its path is short enough for a socket's. */
export function socketDirFor(home: string): string {
  let dir = path.join(path.resolve(home), 'sockets');
  if (Buffer.byteLength(dir) > longestSocketDir) dir = path.join(tmpdir(), `coffer-${nameFor(dir)}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const made = lstatSync(dir);
  if (!made.isDirectory() || ![process.getuid?.(), isRoot ? nobody : undefined].includes(made.uid)) {
    throw new Error(`${dir} belongs to somebody else`);
  }
  giveAway(dir);
  chmodSync(dir, 0o700);
  return dir;
}

function nameFor(dir: string): string {
  return createHash('sha256').update(path.resolve(dir)).digest('hex').slice(0, 16);
}
