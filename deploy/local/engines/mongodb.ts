import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDir, onPath } from './debian.ts';
import { mongodbReady } from './probes.ts';
import type { EngineRecipe, Provision } from './types.ts';

const downloader = fileURLToPath(new URL('./mongod-download.ts', import.meta.url));
/** A download that brings nothing for so long is given up. */
const patienceMs = 6_000;

/**
 * The URL of a server of this machine. `connectTimeoutMS` is also how long the driver waits for the answer to "how are you", which gets
 * lost when the server is killed at that moment: with the driver's default of 30 s, nobody would notice its return for so long.
 */
export function mongodbUrl(port: number): string {
  return `mongodb://127.0.0.1:${port}/?connectTimeoutMS=3000`;
}

/** The `mongod` of the PATH, or undefined. */
export function installedMongod(provision: Provision): EngineRecipe | undefined {
  const binary = onPath('mongod', provision.env);
  return binary === undefined ? undefined : mongod(binary, provision);
}

/** The official `mongod`, fetched by mongodb-memory-server-core where its host answers, or undefined. */
export async function officialMongod(provision: Provision): Promise<EngineRecipe | undefined> {
  const dir = path.join(cacheDir(provision.env), 'mongod');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const binary = await download(dir, provision);
  return binary === undefined ? undefined : mongod(binary, provision);
}

/** Runs the downloader as a process of its own, so that it can be given up at any point; gives the binary's path. */
function download(dir: string, { progress, env }: Provision): Promise<string | undefined> {
  progress('looking for the official mongod');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [downloader, dir], { stdio: ['pipe', 'pipe', 'ignore'], env, cwd: '/' });
    let output = '';
    let size = 0;
    let movedAt = Date.now();
    const watch = setInterval(() => {
      const now = bytesIn(dir);
      if (now !== size) movedAt = Date.now();
      size = now;
      if (Date.now() - movedAt > patienceMs) child.kill('SIGKILL');
    }, 500);
    child.stdout.on('data', (data) => {
      output += String(data);
    });
    const over = (code: number | null) => {
      clearInterval(watch);
      // Before the path come lines about the download's progress.
      const binary = output.trimEnd().split('\n').at(-1) ?? '';
      if (code !== 0) progress('it cannot be fetched here');
      resolve(code === 0 && path.isAbsolute(binary) ? binary : undefined);
    };
    child.once('error', () => over(null)).once('close', over);
  });
}

function bytesIn(dir: string): number {
  let sum = 0;
  for (const name of readdirSync(dir)) sum += statSync(path.join(dir, name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

function mongod(binary: string, provision: Provision): EngineRecipe {
  const dataDir = path.join(provision.dataDir, 'mongod');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return {
    url: mongodbUrl,
    parts: (port) => [
      {
        title: 'mongod',
        command: binary,
        args: ['--dbpath', dataDir, '--port', String(port), '--bind_ip', '127.0.0.1', '--quiet', '--nounixsocket'],
        stopSignal: 'SIGINT',
        ready: () => mongodbReady(port),
      },
    ],
  };
}
