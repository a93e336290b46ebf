import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { copyFile, cp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type DebianRoot, debianMissing, debianRoot, hasRoot, wrapProgram } from './debian.ts';
import { Guard } from './guard.ts';
import { mongodbUrl } from './mongodb.ts';
import { giveAway, makePlace, placeFor, socketDirFor, unprivileged } from './places.ts';
import { postgresPart, sql } from './postgres.ts';
import { mongodbReady } from './probes.ts';
import { Supervised } from './supervise.ts';
import type { EnginePart, EngineRecipe, Provision } from './types.ts';

const run = promisify(execFile);
const gatewayMain = fileURLToPath(new URL('../documentdb/main.ts', import.meta.url));
const rootName = 'documentdb';
const connections = 16;

interface Postgres {
  root: DebianRoot;
  /** The folder of its programs. */
  bin: string;
  major: string;
}

/** DocumentDB where this state folder already holds data of it. */
export async function keptDocumentdb(provision: Provision): Promise<EngineRecipe | undefined> {
  return existsSync(path.join(placeFor(provision), 'postgres')) ? documentdb(provision) : undefined;
}

/** DocumentDB where its programs were fetched before. */
export async function cachedDocumentdb(provision: Provision): Promise<EngineRecipe | undefined> {
  const fit = debianMissing(provision.env) === undefined;
  return fit && hasRoot(rootName, provision.env) ? documentdb(provision) : undefined;
}

/** MongoDB's API from Debian's packages: PostgreSQL with the DocumentDB extension, and the gateway in front of it. */
export async function documentdb(provision: Provision): Promise<EngineRecipe> {
  const { env, progress } = provision;
  const root = await debianRoot(
    { name: rootName, package: /^postgresql-\d+-documentdb$/, finish: (unpacked) => finish(unpacked, progress) },
    env,
    progress,
  );
  const postgres = postgresIn(root);
  const home = placeFor(provision);
  makePlace(home, provision);
  const dataDir = path.join(home, 'postgres');
  await makeDataDir(postgres, dataDir, progress);
  const socketDir = socketDirFor(home);
  return {
    url: mongodbUrl,
    parts: (port) => [postgresPart(postgres.bin, dataDir, socketDir), gateway(socketDir, port)],
    cleanUp: () => rmSync(socketDir, { recursive: true, force: true }),
  };
}

function postgresIn(root: DebianRoot): Postgres {
  const versions = path.join(root.dir, 'usr', 'lib', 'postgresql');
  const major = readdirSync(versions)[0];
  if (major === undefined) throw new Error(`no PostgreSQL in ${root.dir}`);
  return { root, major, bin: path.join(versions, major, 'bin') };
}

/** Completes a fresh root: wrappers, what a package's script would have done, and a ready-made empty data folder. */
async function finish(root: DebianRoot, progress: (line: string) => void): Promise<void> {
  const { bin, major } = postgresIn(root);
  const relative = path.relative(root.dir, bin);
  const libraries = ['blas', 'lapack'].map((dir) => path.relative(root.dir, path.join(root.libDir, dir)));
  libraries.push(`usr/lib/postgresql/${major}/lib`);
  for (const program of ['postgres', 'initdb', 'pg_ctl'])
    await wrapProgram(root, path.join(relative, program), libraries);
  const extensions = path.join(root.dir, 'usr', 'share', 'postgresql', major, 'extension');
  if (!existsSync(path.join(extensions, 'postgis.control'))) {
    await copyFile(path.join(extensions, 'postgis-3.control'), path.join(extensions, 'postgis.control'));
  }
  progress('preparing an empty database');
  await makeTemplate({ root, bin, major });
}

/** An empty data folder with the extensions in it, to be copied: making one takes seconds, a copy does not. */
async function makeTemplate(postgres: Postgres): Promise<void> {
  const template = path.join(postgres.root.dir, 'template');
  mkdirSync(template, { mode: 0o700 });
  giveAway(template);
  const initdb = path.join(postgres.bin, 'initdb');
  await run(initdb, ['-D', template, '-A', 'trust', '-U', 'coffer', '--locale=C', '--encoding=UTF8', '--no-sync'], {
    ...unprivileged,
    cwd: '/',
  });
  const socketDir = socketDirFor(template);
  const guard = new Guard();
  const one = new Supervised(postgresPart(postgres.bin, template, socketDir, false), path.join(template, 'log'), guard);
  try {
    await one.start();
    await sql(
      socketDir,
      'create extension documentdb cascade',
      'create extension documentdb_extended_rum cascade',
      // They look every two seconds for indexes to be built in the background, which the gateway never asks for.
      `update cron.job set active = false where command like '%build_index_concurrently%'`,
    );
  } finally {
    await one.stop();
    guard.close();
    rmSync(socketDir, { recursive: true, force: true });
  }
  await rm(path.join(template, 'log'), { force: true });
}

async function makeDataDir(
  { root, major }: Postgres,
  dataDir: string,
  progress: (line: string) => void,
): Promise<void> {
  if (existsSync(dataDir)) {
    const found = readFileSync(path.join(dataDir, 'PG_VERSION'), 'utf8').trim();
    if (found === major) return;
    throw new Error(
      `${dataDir} was made by PostgreSQL ${found}, and this machine's cache has ${major}: move it away, or dump it with the older one`,
    );
  }
  progress(`making ${dataDir}`);
  const fresh = `${dataDir}.new`;
  await rm(fresh, { recursive: true, force: true });
  await cp(path.join(root.dir, 'template'), fresh, { recursive: true, mode: 2 });
  chmodSync(fresh, 0o700);
  const { uid, gid } = unprivileged;
  if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, fresh]);
  await rename(fresh, dataDir);
}

function gateway(socketDir: string, port: number): EnginePart {
  return {
    title: 'the DocumentDB gateway',
    command: process.execPath,
    args: [
      '--max-semi-space-size=32',
      gatewayMain,
      '--port',
      String(port),
      '--socket-dir',
      socketDir,
      '--pool',
      String(connections),
    ],
    env: { PATH: '/usr/bin:/bin' },
    stopSignal: 'SIGTERM',
    ready: () => mongodbReady(port),
  };
}
