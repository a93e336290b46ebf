import { spawnSync } from 'node:child_process';
import path from 'node:path';
import t, { type Test } from 'tap';
import { createShutdown, createTestContext } from '../src/index.ts';
import { type ShopProcess, startShop } from './fleet-fixture.ts';
import { sleep, until } from './helpers.ts';

t.setTimeout(180_000);
const PHASES = ['leave', 'drain', 'queues', 'connections'];
const NO_NATS = { NATS_URL: 'nats://127.0.0.1:1' };

async function shop(t: Test, env: Record<string, string> = {}): Promise<ShopProcess> {
  const one = await startShop({ ...NO_NATS, ...env });
  t.teardown(async () => {
    one.child.kill('SIGKILL');
    await one.exited;
  });
  return one;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function slowCall(url: string): Promise<Response> {
  return fetch(`${url}/items/slow`, { headers: { 'x-coffer-secret': 'test-secret-'.padEnd(40, 'x') } });
}

t.test('phases run in order, each with a deadline; failures are collected and stop nothing', async (t) => {
  const { logger } = createTestContext('x');
  const shutdown = createShutdown(logger, { drain: 50 });
  const seen: string[] = [];
  shutdown.onPhase('connections', 'last', () => void seen.push('connections'));
  shutdown.onPhase('leave', 'broken', () => {
    seen.push('leave');
    throw new Error('broken');
  });
  shutdown.onPhase('drain', 'hanging', () => new Promise<void>(() => {}));
  shutdown.onPhase('drain', 'slow', async () => {
    await sleep(20);
    seen.push('drain');
  });
  shutdown.onPhase('queues', 'queue', () => void seen.push(`queues ${shutdown.signal.aborted}`));
  const first = shutdown.run('test');
  t.equal(shutdown.run('again'), first, 'it runs once');
  await first;
  t.same(seen, ['leave', 'drain', 'queues true', 'connections']);
  t.same(shutdown.errors.map((e) => e.message).sort(), [
    'drain: hanging failed at shutdown',
    'leave: broken failed at shutdown',
  ]);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  t.test(`${signal}: requests in flight end, all phases run, and the process ends with 0`, async (t) => {
    const one = await shop(t);
    const call = slowCall(one.url);
    await sleep(150);
    one.child.kill(signal);
    const answer = await call;
    t.equal(answer.status, 200);
    await answer.text();
    t.equal(await one.exited, 0);
    t.same(one.phases, PHASES);
    t.match(one.output(), /"msg":"shut down"/, 'the log is written out');
    t.match(one.output(), /"op":"items.get"/);
  });
}

t.test('the loss of the parent process ends it as well', async (t) => {
  const one = await shop(t);
  one.child.disconnect();
  t.equal(await one.exited, 0);
});

for (const when of ['while the service still starts', 'when it listens, and nobody reads its output any more']) {
  t.test(`a parent that dies ${when} leaves no orphan`, async (t) => {
    const entry = path.join(import.meta.dirname, 'fleet-service.ts');
    const parent = `const { fork } = require('node:child_process');
      const child = fork(${JSON.stringify(entry)}, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
      const die = () => process.stdout.write(String(child.pid), () => process.exit());
      ${when.includes('starts') ? 'die()' : "child.once('message', die)"};`;
    const env = { PATH: process.env.PATH ?? '', INTERNAL_SECRET: 'test-secret-'.padEnd(40, 'x'), ...NO_NATS };
    const { stdout } = spawnSync(process.execPath, ['-e', parent], { env, encoding: 'utf8' });
    const pid = Number(stdout);
    t.ok(pid > 0);
    t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
    await until('gone', () => !isAlive(pid), 20_000);
  });
}

t.test('a failed step is logged and makes the exit code 1', async (t) => {
  const one = await shop(t, { FAIL_PHASE: 'queues' });
  one.child.kill('SIGTERM');
  t.equal(await one.exited, 1);
  t.same(one.phases, PHASES, 'the phases after it ran');
  t.match(one.output(), /as the test asked/);
});

t.test('the same signal again ends it at once; a different one does not', async (t) => {
  const one = await shop(t, { HANG_PHASE: 'queues' });
  one.child.kill('SIGINT');
  await until('the hanging phase', () => one.phases.includes('queues'));
  one.child.kill('SIGTERM');
  await sleep(200);
  t.equal(one.child.exitCode, null);
  const before = performance.now();
  one.child.kill('SIGINT');
  t.equal(await one.exited, 1);
  t.ok(performance.now() - before < 1500);
});
