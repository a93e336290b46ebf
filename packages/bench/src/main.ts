/** `npm run bench`: see `--help`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { startOwnStack, type TestStack, useDeployment } from '@coffer/testing';
import { machineLimit, startBareServer, startGenerator } from './children.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { formatReport, type RowResult, type Sample, summarise } from './report.ts';
import { prepareRows } from './rows.ts';
import { Target } from './target.ts';
import { watch } from './usage-meter.ts';

const progress = (line: string): void => console.error(line);

async function main(options: Options): Promise<void> {
  const parentDir = options.dir ?? tmpdir();
  const folder = mkdtempSync(path.join(parentDir, 'coffer-bench-'));
  const cleanUps: (() => Promise<void> | void)[] = [
    () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  ];
  const cleanAll = async (): Promise<void> => {
    for (let one = cleanUps.pop(); one !== undefined; one = cleanUps.pop()) {
      // What cannot be cleaned up must not keep the rest from it.
      try {
        await one();
      } catch (error) {
        progress(String(error));
      }
    }
  };
  let cleaning: Promise<void> | undefined;
  // A signal and the failure that it causes meet here: both wait for the one clean-up.
  const cleanUp = (): Promise<void> => {
    cleaning ??= cleanAll();
    return cleaning;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      progress('Stopping');
      void cleanUp().finally(() => process.exit(1));
    });
  }
  try {
    const bare = await startBareServer(path.join(folder, 'bare'));
    cleanUps.push(() => bare.stop());
    const generator = await startGenerator();
    cleanUps.push(() => generator.stop());
    const stack = await stackFor(options, parentDir);
    cleanUps.push(() => stack.stop());
    const target = await Target.prepare(stack, options);
    cleanUps.push(() => target.cleanUp());

    const rows = await prepareRows({ generator, bare, target, options }, progress);
    const samples = rows.map((): Sample[] => []);
    const machine: Record<string, number[]> = {};
    for (let round = 1; round <= options.rounds; round++) {
      progress(`Round ${round} of ${options.rounds}`);
      await measureMachine(folder, options, machine);
      for (const [index, row] of rows.entries()) {
        const bareUsed = watch({ bare: [bare.pid] });
        const bareOutcome = await row.bare?.(round);
        const bareCpuSeconds = bareUsed().bare?.cpuSeconds;
        const used = watch(stack.local?.pids() ?? {});
        const coffer = await row.coffer(round);
        samples[index]?.push({
          coffer,
          ...(bareOutcome === undefined ? {} : { bare: bareOutcome }),
          ...(bareOutcome === undefined || bareCpuSeconds === undefined ? {} : { bareCpuSeconds }),
          parts: used(),
        });
      }
    }
    const results = rows.map((row, index) => summarise(row, samples[index] ?? []));
    console.log(`\n${formatReport(results, machine)}\n`);
    if (options.json !== undefined) writeFileSync(options.json, toJson(options, results, machine));
  } finally {
    await cleanUp();
  }
}

async function stackFor({ url }: Options, parentDir: string): Promise<TestStack> {
  if (url !== undefined) return useDeployment(url, process.env.ADMIN_USERNAME, process.env.ADMIN_PASSWORD);
  progress('Starting a stack');
  return await startOwnStack({ env: { RATE_LIMITS: 'off', LOG_LEVEL: 'info' }, parentDir, progress });
}

/** In each round anew: a disk that others share is not the same from minute to minute. */
async function measureMachine(folder: string, options: Options, machine: Record<string, number[]>): Promise<void> {
  const { seconds, largeMebibytes } = options;
  const limits: [title: string, kind: string, amount: number][] = [
    ['4 KiB write + fdatasync + rename + folder sync, 32 in flight (/s)', 'durable-32', seconds],
    ['the same, 1 in flight (/s)', 'durable-1', seconds],
    [`${largeMebibytes} MiB written and synced (MB/s)`, 'sequential', largeMebibytes],
    ['sha256, one thread (MB/s)', 'sha256', Math.min(1, seconds)],
  ];
  for (const [title, kind, amount] of limits) {
    machine[title] ??= [];
    machine[title].push(await machineLimit(kind, folder, amount));
  }
}

function toJson(options: Options, results: readonly RowResult[], machine: Record<string, readonly number[]>): string {
  const host = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    node: process.version,
    platform: process.platform,
  };
  return `${JSON.stringify({ at: new Date().toISOString(), host, options, machine, rows: results }, null, 2)}\n`;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(HELP);
  else await main(options);
  process.exit(0);
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${HELP}`);
  else console.error(error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
