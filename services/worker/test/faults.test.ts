import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EventEnvelope, events } from '@coffer/contracts';
import { provideEngines } from '@coffer/deploy/local';
import { newId } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import t from 'tap';
import { lineTo, type Service, startWorld } from './helpers.ts';

t.setTimeout(300_000);

const world = await startWorld(t, ['auth']);
const { post, auth, queue } = world;
// A lock must run out and a check must find it.
const LATE = { timeoutMs: 60_000 };

const passwordChanged = (accountId: string): EventEnvelope => ({
  id: newId(),
  type: events.passwordReset.type,
  schema: 1,
  at: new Date().toISOString(),
  data: { accountId, resetId: newId() },
});
const readiness = async (service: Service): Promise<number> =>
  (await fetch(`${service.url}/readyz`, { headers: { 'x-coffer-secret': String(world.env.INTERNAL_SECRET) } })).status;

t.test(
  'a worker that is killed while it sends leaves its mail to another, which says that it is the same',
  async (t) => {
    const first = await world.startWorker();
    const account = await world.register();
    const email = String(account.email);
    const held = Promise.withResolvers<void>();
    post.hold = held.promise;
    const event = passwordChanged(account.id);
    await world.publish(event);
    await waitFor('the mail on its way', () => post.mailsTo(email).length === 1, LATE);
    first.process.kill('SIGKILL');
    post.hold = undefined;
    held.resolve();
    const second = await world.startWorker();
    await waitFor('the mail again', () => post.mailsTo(email).length === 2, LATE);
    const [before, after] = post.mailsTo(email);
    // The server had taken it, and nobody was left to note that: with SMTP that cannot be told from a loss.
    t.equal(before?.messageId, after?.messageId);
    t.equal(before?.date, after?.date);
    const job = () => queue.getJob(`${event.id}_${account.id}`);
    await waitFor('the job', async () => (await job())?.returnvalue === 'sent', LATE);
    await sleep(1_000);
    t.equal(post.mailsTo(email).length, 2);
    await second.stop();
  },
);

t.test('a worker that must end lets mails end, and leaves those that take too long to others', async (t) => {
  const first = await world.startWorker();
  const [quick, slow] = await Promise.all([world.register(), world.register()]);
  const [short, long] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  t.teardown(() => long.resolve());
  post.hold = short.promise;
  await world.publish(passwordChanged(quick.id));
  await waitFor('the first', () => post.mailsTo(String(quick.email)).length === 1, LATE);
  post.hold = long.promise;
  const event = passwordChanged(slow.id);
  await world.publish(event);
  await waitFor('the second', () => post.mailsTo(String(slow.email)).length === 1, LATE);
  post.hold = undefined;
  const began = performance.now();
  const stopped = first.stop();
  await sleep(500);
  short.resolve();
  await stopped;
  const tookMs = performance.now() - began;
  t.ok(tookMs > 2_000 && tookMs < 12_000, `${tookMs} ms`);
  t.equal(first.process.exitCode, 0);
  const slowJob = await queue.getJob(`${event.id}_${slow.id}`);
  t.equal(await slowJob?.getState(), 'delayed', 'cancelled, and to be tried again');
  const second = await world.startWorker();
  await waitFor('the slow one again', () => post.mailsTo(String(slow.email)).length === 2, LATE);
  t.equal(post.mailsTo(String(quick.email)).length, 1, 'the quick one was done');
  await second.stop();
});

t.test('while Redis is away requests succeed, and their mails follow once it is back', async (t) => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-worker-redis-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true, maxRetries: 3 }));
  const { REDIS_URL: _, ...env } = process.env;
  const own = await provideEngines({ stateDir, only: ['redis'], env });
  t.teardown(() => own.stop());
  const line = await lineTo(t, own.redisUrl);
  const worker = await world.startWorker({ REDIS_URL: line.url });
  await waitFor('readiness', async () => (await readiness(worker)) === 200, LATE);
  const accounts = await Promise.all(Array.from({ length: 60 }, () => world.register()));
  let asked = 0;
  // From another address each: few are answered to one.
  const ask = (email: string | null) =>
    auth.call('requestPasswordReset', { body: { email: String(email), address: `10.0.1.${asked++}` } });

  line.cut();
  await waitFor('no readiness', async () => (await readiness(worker)) === 503, LATE);
  await Promise.all(accounts.slice(0, 50).map(({ email }) => ask(email)));
  // More events than are handled at a time.
  await sleep(2_000);
  t.equal(post.mails.filter(({ subject }) => subject === 'Set a new password').length, 0);
  await line.mend();
  const mailed = (from: number, to: number): boolean =>
    accounts.slice(from, to).every(({ email }) => post.mailsTo(String(email)).length >= 1);
  await waitFor('fifty mails', () => mailed(0, 50), LATE);
  await waitFor('readiness again', async () => (await readiness(worker)) === 200, LATE);

  // Redis itself dies and comes back with what it had.
  for (const engine of own.processes) engine.kill('SIGKILL');
  await Promise.all(accounts.slice(50).map(({ email }) => ask(email)));
  await waitFor('the rest', () => mailed(50, 60), LATE);
  t.ok(
    accounts.every(({ email }) => post.mailsTo(String(email)).length === 1),
    'each once',
  );
  await worker.stop();
});

t.test('a worker that starts before Redis, and ends without it, does both', async (t) => {
  const line = await lineTo(t, String(world.env.REDIS_URL));
  line.cut();
  const worker = await world.startWorker({ REDIS_URL: line.url });
  const account = await world.register();
  await world.publish(passwordChanged(account.id));
  await sleep(1_000);
  t.equal(await readiness(worker), 503);
  await line.mend();
  await waitFor('the mail', () => post.mailsTo(String(account.email)).length === 1, LATE);
  line.cut();
  const waiting = await world.register();
  await world.publish(passwordChanged(waiting.id));
  await sleep(500);
  const began = performance.now();
  await worker.stop();
  t.ok(performance.now() - began < 10_000);
  t.equal(worker.process.exitCode, 0, worker.log().split('\n').slice(-8).join('\n'));
  const next = await world.startWorker();
  await waitFor('what it held', () => post.mailsTo(String(waiting.email)).length === 1, LATE);
  await next.stop();
});
