import { execFile, spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, statSync } from 'node:fs';
import { readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { download, keyring } from './apt.ts';
import { isReachable, makeOpen } from './places.ts';

const run = promisify(execFile);
/** Rises when the way in which roots are made changes, so that older ones are not used. */
const recipe = 2;
const machines: Record<string, { triplet: string; loader: string }> = {
  x64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/** Debian packages unpacked into a folder of their own, with the C library that they were built for. */
export interface DebianRoot {
  dir: string;
  /** The libraries' folder, `<dir>/usr/lib/<triplet>`. */
  libDir: string;
  loader: string;
}

/** The command that runs a program of a root with the root's own dynamic loader and libraries. */
export function inRoot(root: DebianRoot, binary: string): { command: string; args: string[] } {
  const program = path.join(root.dir, binary);
  return { command: root.loader, args: ['--library-path', root.libDir, '--argv0', program, program] };
}

/** The folder for what is fetched once per machine and user. As root, one that the unprivileged user 65534 can reach. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  const own = env.XDG_CACHE_HOME;
  const isRoot = process.getuid?.() === 0;
  if (own !== undefined && path.isAbsolute(own) && (!isRoot || isReachable(path.join(own, 'coffer'))))
    return path.join(own, 'coffer');
  return isRoot ? '/var/cache/coffer' : path.join(env.HOME ?? homedir(), '.cache', 'coffer');
}

/** Whether this machine is Debian, or a relative of it that knows Debian's archive key. Else the reason why not. */
export function debianMissing(env: NodeJS.ProcessEnv): string | undefined {
  if (process.platform !== 'linux') return 'this is not Debian';
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb', 'flock']) {
    if (onPath(tool, env) === undefined) return `${tool} is missing`;
  }
  return existsSync(keyring) ? undefined : `${keyring} is missing`;
}

/** The absolute path of a program of the PATH. */
export function onPath(program: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const dir of (env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(dir, program);
    try {
      accessSync(file, constants.X_OK);
      if (path.isAbsolute(file) && statSync(file).isFile()) return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Where a root is, or will be. */
function rootDir(name: string, env: NodeJS.ProcessEnv): string {
  return path.join(cacheDir(env), `debian-${process.arch}-${recipe}`, name);
}

/** Whether a root was fetched before. */
export function hasRoot(name: string, env: NodeJS.ProcessEnv): boolean {
  return existsSync(rootDir(name, env));
}

export interface RootRequest {
  /** Names the root in the cache. */
  name: string;
  /** A package's name, or what it looks like; of several, the one with the highest number is taken. */
  package: string | RegExp;
  /** Finishes a freshly unpacked root, still under its temporary name: whatever it does must not depend on that. */
  finish?(root: DebianRoot): Promise<void>;
}

/**
 * Gives a root with a Debian package and all that it needs. The first call on a machine fetches it, as an unprivileged user or as
 * root, and changes nothing outside the cache; apt checks the archive's signatures as always. Of several processes that ask at once, one
 * works and the others wait. An interrupted one leaves nothing that could be used by mistake.
 */
export async function debianRoot(
  request: RootRequest,
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
): Promise<DebianRoot> {
  const machine = machines[process.arch];
  if (machine === undefined) throw new Error(`no engines for the ${process.arch} architecture`);
  const at = (dir: string): DebianRoot => {
    const libDir = path.join(dir, 'usr', 'lib', machine.triplet);
    return { dir, libDir, loader: path.join(libDir, machine.loader) };
  };
  const cache = cacheDir(env);
  const final = rootDir(request.name, env);
  if (existsSync(final)) return at(final);

  makeOpen(cache);
  makeOpen(path.dirname(final));
  const unlock = await lock(path.join(cache, 'lock'), () =>
    progress(`waiting for another process that fetches engines`),
  );
  try {
    if (existsSync(final)) return at(final);
    const temporary = path.join(cache, 'unfinished');
    await rm(temporary, { recursive: true, force: true });
    makeOpen(temporary);
    const archives = path.join(temporary, 'archives');
    await download(path.join(cache, 'apt'), archives, request.package, progress);
    const root = at(path.join(temporary, 'root'));
    await unpack(archives, root.dir, progress);
    await request.finish?.(root);
    await rename(root.dir, final).catch((error: unknown) => {
      // The lock does not reach another container that shares the cache: whoever was first is right.
      if (!existsSync(final)) throw error;
    });
    await rm(temporary, { recursive: true, force: true });
    return at(final);
  } finally {
    unlock();
  }
}

/** Holds a lock that the kernel releases with its holder, however that ends: flock(1) keeps it for as long as its stdin is open. */
async function lock(file: string, waiting: () => void): Promise<() => void> {
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo; cat >/dev/null'], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
  });
  const notice = setTimeout(waiting, 500);
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('exit', () => reject(new Error(`cannot lock ${file}`)));
  }).finally(() => clearTimeout(notice));
  return () => holder.stdin.end();
}

async function unpack(archives: string, root: string, progress: (line: string) => void): Promise<void> {
  const packages = (await readdir(archives)).filter((file) => file.endsWith('.deb'));
  progress(`unpacking ${packages.length} packages`);
  for (const dir of [root, path.join(root, 'usr')]) makeOpen(dir);
  for (const dir of ['bin', 'lib', 'lib64', 'sbin']) {
    makeOpen(path.join(root, 'usr', dir));
    await symlink(`usr/${dir}`, path.join(root, dir));
  }
  const queue = [...packages];
  const worker = async () => {
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      await run('dpkg-deb', ['-x', path.join(archives, file), root]);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  // Nobody needs programs with another user's rights in a cache, nor the documentation.
  await run('find', [root, '-perm', '/6000', '-type', 'f', '-exec', 'chmod', 'ug-s', '{}', '+']);
  for (const dir of ['doc', 'man', 'locale', 'info'])
    await rm(path.join(root, 'usr', 'share', dir), { recursive: true, force: true });
  chmodSync(root, 0o755);
}

/** Puts a script in a program's place that starts it with the root's own loader: for programs that start each other by path. */
export async function wrapProgram(root: DebianRoot, binary: string, moreLibraries: string[] = []): Promise<void> {
  const file = path.join(root.dir, binary);
  if ((await readFile(file)).subarray(0, 4).toString('latin1') !== '\x7fELF') return;
  await rename(file, `${file}.real`);
  // Everything is relative to the script, because the root is renamed when it is complete.
  const up = path.relative(path.dirname(file), root.dir);
  const libraries = [root.libDir, ...moreLibraries.map((dir) => path.join(root.dir, dir))]
    .map((dir) => `$root/${path.relative(root.dir, dir)}`)
    .join(':');
  const loader = path.relative(root.dir, root.loader);
  await writeFile(
    file,
    `#!/bin/sh\nroot=\${0%/*}/${up}\nexec "$root/${loader}" --library-path "${libraries}" --argv0 "$0" "$0.real" "$@"\n`,
  );
  chmodSync(file, 0o755);
}
