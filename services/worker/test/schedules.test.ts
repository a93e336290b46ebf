import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { provideEngines } from '@coffer/deploy/local';
import { createTestContext } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import t from 'tap';
import { openPaymentsQueue } from '../src/queues/payments.ts';
import { openRedis } from '../src/store/redis.ts';

t.setTimeout(180_000);

// A Redis of its own, which may be emptied and killed.
const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-worker-schedules-'));
t.teardown(() => rmSync(stateDir, { recursive: true, force: true, maxRetries: 3 }));
const { REDIS_URL: _, ...env } = process.env;
const own = await provideEngines({ stateDir, only: ['redis'], env });
t.teardown(() => own.stop());
const redis = new Redis(own.redisUrl, { maxRetriesPerRequest: null });
redis.on('error', () => {});
t.teardown(() => redis.disconnect());

const EVERY_MS = 500;
const NOTHING = { verified: 0, settled: 0, abandoned: 0, ended: 0, repaired: 0 };
const LATE = { timeoutMs: 60_000 };

interface Run {
  readonly id: string;
  readonly by: string;
}

/** An instance of the worker, as far as the queue `payments` goes. */
function startInstance(by: string, runs: Run[], o: { everyMs?: number; prefix: string; work?: () => Promise<void> }) {
  const ctx = createTestContext('worker', process.env);
  const { logger } = ctx;
  const producer = openRedis({ url: own.redisUrl, role: 'producer', logger });
  const worker = openRedis({ url: own.redisUrl, role: 'worker', logger });
  ctx.shutdown.onPhase('connections', 'redis', () => {
    producer.close();
    worker.close();
  });
  openPaymentsQueue(
    { ctx, prefix: o.prefix, producer, worker },
    {
      everyMs: o.everyMs ?? EVERY_MS,
      reconcile: async ({ requestId = '' }) => {
        runs.push({ id: requestId, by });
        await o.work?.();
        return NOTHING;
      },
    },
  );
  let stopping: Promise<unknown> | undefined;
  const stop = () => (stopping ??= ctx.shutdown.run('test'));
  t.teardown(stop);
  return { stop };
}

const untilMore = (runs: Run[], count: number) => {
  const before = runs.length;
  return waitFor(`${count} more runs`, () => runs.length >= before + count, LATE);
};

t.test('several workers share one schedule: each tick is one run, whatever Redis goes through', async (t) => {
  const runs: Run[] = [];
  const prefix = 'shared';
  const instances = ['a', 'b', 'c'].map((by) => startInstance(by, runs, { prefix }));
  await untilMore(runs, 1);
  const began = performance.now();
  const before = runs.length;
  await sleep(4_000);
  const ticks = (performance.now() - began) / EVERY_MS;
  const count = runs.length - before;
  t.ok(Math.abs(count - ticks) <= 3, `${count} runs in ${ticks} intervals`);
  t.equal(new Set(runs.map(({ id }) => id)).size, runs.length, 'no tick ran twice');

  await redis.flushall();
  await untilMore(runs, 4);
  t.pass('goes on after Redis was emptied');

  for (const engine of own.processes) engine.kill('SIGKILL');
  await untilMore(runs, 4);
  t.pass('goes on after Redis died');

  await redis.flushall();
  for (const engine of own.processes) engine.kill('SIGKILL');
  await untilMore(runs, 4);
  t.equal(new Set(runs.map(({ id }) => id)).size, runs.length, 'still no tick ran twice');
  const queue = new Queue('payments', { connection: redis, prefix });
  t.teardown(() => queue.close());
  t.equal(await queue.getJobSchedulersCount(), 1);
  await Promise.all(instances.map(({ stop }) => stop()));
});

t.test('a run that takes long keeps nobody from the next, and an instance runs one at a time', async (t) => {
  const runs: Run[] = [];
  const prefix = 'slow';
  const held = Promise.withResolvers<void>();
  const slow = startInstance('slow', runs, { prefix, work: () => held.promise });
  await waitFor('the long run', () => runs.some(({ by }) => by === 'slow'), LATE);
  const quick = startInstance('quick', runs, { prefix });
  await waitFor('others', () => runs.filter(({ by }) => by === 'quick').length >= 3, LATE);
  t.equal(runs.filter(({ by }) => by === 'slow').length, 1);
  held.resolve();
  await Promise.all([slow.stop(), quick.stop()]);
});

t.test('another interval replaces the one before, and a schedule of a newer worker stays', async (t) => {
  const runs: Run[] = [];
  const prefix = 'changed';
  const hourly = startInstance('hourly', runs, { prefix, everyMs: 3_600_000 });
  await untilMore(runs, 1);
  await hourly.stop();
  const queue = new Queue('payments', { connection: redis, prefix });
  t.teardown(() => queue.close());
  t.equal((await queue.getJobScheduler('reconcile'))?.every, 3_600_000);
  const often = startInstance('often', runs, { prefix });
  await untilMore(runs, 3);
  t.equal((await queue.getJobScheduler('reconcile'))?.every, EVERY_MS);
  t.strictSame((await queue.getJobScheduler('reconcile'))?.template?.data, { version: 1 });
  await often.stop();

  await queue.upsertJobScheduler('reconcile', { every: 700 }, { name: 'payments', data: { version: 2 } });
  const count = runs.length;
  const old = startInstance('old', runs, { prefix });
  await waitFor('refusals', async () => (await queue.getFailedCount()) > 1, LATE);
  const [refused] = await queue.getFailed(0, 0);
  t.equal(refused?.failedReason, "the job's data has version 2");
  t.equal(runs.length, count, 'what it does not understand it does not do');
  t.equal((await queue.getJobScheduler('reconcile'))?.every, 700);
  await old.stop();
});
