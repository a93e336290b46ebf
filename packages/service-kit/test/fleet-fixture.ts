import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { finished } from 'node:stream/promises';

export interface ShopProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  /** Shutdown phases as they began. */
  readonly phases: string[];
  readonly output: () => string;
  /** Resolves with the exit code, null when a signal ended it. */
  readonly exited: Promise<number | null>;
}

export async function startShop(env: Record<string, string>): Promise<ShopProcess> {
  const child = fork(path.join(import.meta.dirname, 'fleet-service.ts'), {
    env: { PATH: process.env.PATH ?? '', INTERNAL_SECRET: 'test-secret-'.padEnd(40, 'x'), ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  const phases: string[] = [];
  const url = Promise.withResolvers<string>();
  child.on('message', (message: { type: string; url?: string; phase?: string }) => {
    if (message.type === 'listening') url.resolve(message.url ?? '');
    if (message.type === 'phase') phases.push(message.phase ?? '');
  });
  // Not `close`, which never comes after a disconnect.
  const exited = once(child, 'exit').then(async ([code]) => {
    await Promise.all([child.stdout, child.stderr].map((stream) => stream && finished(stream).catch(() => {})));
    return typeof code === 'number' ? code : null;
  });
  void exited.then((code) => url.reject(new Error(`ended with ${code}: ${output}`)));
  return { child, pid: child.pid ?? 0, url: await url.promise, phases, output: () => output, exited };
}
