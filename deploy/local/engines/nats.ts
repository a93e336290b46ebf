import { debianRoot, inRoot, onPath } from './debian.ts';
import { natsReady } from './probes.ts';
import type { EngineRecipe, Provision } from './types.ts';

type Program = { command: string; args: string[] };

/** The `nats-server` of the PATH, or undefined. */
export function installedNats(provision: Provision): EngineRecipe | undefined {
  const command = onPath('nats-server', provision.env);
  return command === undefined ? undefined : natsServer({ command, args: [] }, provision);
}

/** Debian's nats-server. */
export async function debianNats(provision: Provision): Promise<EngineRecipe> {
  const root = await debianRoot({ name: 'nats', package: 'nats-server' }, provision.env, provision.progress);
  return natsServer(inRoot(root, 'usr/sbin/nats-server'), provision);
}

function natsServer({ command, args }: Program, { dataDir }: Provision): EngineRecipe {
  return {
    url: (port) => `nats://127.0.0.1:${port}`,
    parts: (port) => [
      {
        title: 'nats-server',
        command,
        args: [...args, '-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dataDir],
        stopSignal: 'SIGINT',
        ready: () => natsReady(port),
      },
    ],
  };
}
