/**
 * A lock between processes: a file that names its holder. It is made whole under another name and linked into place,
 * so that nobody reads half of it. A holder that was killed leaves the file; it counts for nothing once no process
 * with that pid *and* that start time lives (pids come round again, in containers soon).
 *
 * Plain JavaScript: it runs before packages, and with them TypeScript, are there.
 */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export function acquireLock(file, note = '') {
  mkdirSync(path.dirname(file), { recursive: true });
  const write = (target, text) => {
    writeFileSync(target, JSON.stringify({ pid: process.pid, started: startOf(process.pid), note: text }));
  };
  const mine = `${file}.${process.pid}`;
  for (;;) {
    write(mine, note);
    try {
      linkSync(mine, file);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const seen = read(file);
    if (seen !== null && isAlive(seen)) return { holder: seen };
    discard(file, mine, seen);
  }
  const release = () => {
    if (read(file)?.pid === process.pid) rmSync(file, { force: true });
  };
  const renote = (text) => {
    write(mine, text);
    renameSync(mine, file);
  };
  return { lock: { note: renote, release } };
}

export function lockHolder(file) {
  const seen = read(file);
  return seen !== null && isAlive(seen) ? seen : null;
}

/** Moves a dead holder's lock aside; should another have replaced it in between, that one is put back. */
function discard(file, mine, seen) {
  const aside = `${mine}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved !== null && (moved.pid !== seen?.pid || moved.started !== seen.started) && isAlive(moved)) {
    try {
      linkSync(aside, file);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
  rmSync(aside, { force: true });
}

function read(file) {
  try {
    const { pid, started, note } = JSON.parse(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) ? { pid, started: String(started), note: String(note) } : null;
  } catch {
    return null;
  }
}

function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return startOf(pid) === started;
}

/** When a process started, in whatever form the system has; '' when it cannot be known. */
function startOf(pid) {
  try {
    if (process.platform === 'linux') {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      // The command's name, in brackets, may hold spaces: fields are counted from behind it. The 22nd is the start.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? 'ended' : `${boot} ${fields[19]}`;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
