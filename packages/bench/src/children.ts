/** The bench's own processes: generator, bare server, and the measures of the machine. */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Job, Outcome } from './jobs.ts';

const file = (name: string): string => path.join(import.meta.dirname, name);
/** Synced writes wait in the thread pool: with Node's four threads, 32 in flight would be 4. */
const env = { ...process.env, UV_THREADPOOL_SIZE: '64' };

export interface Generator {
  run(job: Job): Promise<Outcome>;
  stop(): void;
}

export async function startGenerator(): Promise<Generator> {
  const child = fork(file('generator.ts'), { env });
  await nextMessage(child);
  return {
    run: async (job) => {
      const answer = nextMessage(child);
      child.send(job);
      const { outcome, error } = await answer;
      if (error !== undefined) throw new Error(String(error));
      return outcome as Outcome;
    },
    stop: () => child.disconnect(),
  };
}

export interface BareServer {
  readonly url: string;
  readonly pid: number;
  stop(): void;
}

export async function startBareServer(folder: string): Promise<BareServer> {
  const child = fork(file('bare-server.ts'), [folder], { env });
  const { url } = await nextMessage(child);
  return { url: String(url), pid: child.pid ?? 0, stop: () => child.disconnect() };
}

/** One figure of the machine, as `limits.ts` gives it. */
export async function machineLimit(kind: string, folder: string, amount: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [file('limits.ts'), kind, folder, String(amount)], {
    env,
  });
  return Number(stdout);
}

function nextMessage(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onError);
    };
    const onMessage = (message: unknown): void => {
      settle();
      resolve(message as Record<string, unknown>);
    };
    const onExit = (code: number | null): void => {
      settle();
      reject(new Error(`${child.spawnargs.at(-1)} ended with ${code}`));
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', onError);
  });
}
