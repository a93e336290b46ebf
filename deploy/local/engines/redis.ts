import { debianRoot, inRoot, onPath } from './debian.ts';
import { redisReady } from './probes.ts';
import type { EngineRecipe, Provision } from './types.ts';

type Program = { command: string; args: string[] };

/** The `redis-server` of the PATH, or undefined. */
export function installedRedis(provision: Provision): EngineRecipe | undefined {
  const command = onPath('redis-server', provision.env);
  return command === undefined ? undefined : redisServer({ command, args: [] }, provision);
}

/** Debian's redis-server. */
export async function debianRedis(provision: Provision): Promise<EngineRecipe> {
  const root = await debianRoot({ name: 'redis', package: 'redis-server' }, provision.env, provision.progress);
  return redisServer(inRoot(root, 'usr/bin/redis-server'), provision);
}

function redisServer({ command, args }: Program, { dataDir }: Provision): EngineRecipe {
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    dir: dataDir,
    daemonize: 'no',
    // Jobs must neither be lost by a crash nor be thrown away when memory is short.
    appendonly: 'yes',
    'maxmemory-policy': 'noeviction',
    save: '',
  };
  const options = (port: number) =>
    Object.entries({ port: String(port), ...settings }).flatMap(([name, value]) => [`--${name}`, value]);
  return {
    url: (port) => `redis://127.0.0.1:${port}`,
    parts: (port) => [
      {
        title: 'redis-server',
        command,
        args: [...args, ...options(port)],
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
        stopSignal: 'SIGTERM',
        ready: () => redisReady(port),
      },
    ],
  };
}
