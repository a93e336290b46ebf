import { setTimeout as sleep } from 'node:timers/promises';
import { type EventEnvelope, events } from '@coffer/contracts';
import { type CallOptions, isAppError, newId } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import t from 'tap';
import { as, startWorld } from './helpers.ts';

t.setTimeout(180_000);

const world = await startWorld(t, ['auth']);
const { post, worker, queue } = world;
const LATE = { timeoutMs: 30_000 };
await world.startWorker();
const operator = as({ id: newId() }, { role: 'operator' });

const passwordChanged = (accountId: string): EventEnvelope => ({
  id: newId(),
  type: events.passwordReset.type,
  schema: 1,
  at: new Date().toISOString(),
  data: { accountId, resetId: newId() },
});
const listed = async (state: 'waiting' | 'active' | 'delayed' | 'completed' | 'failed', name = 'mail') =>
  (await worker.call('listJobs', { params: { queue: name }, query: { state } }, operator)).items;

/** A job whose mail is refused for good. */
async function failOne() {
  const account = await world.register();
  const email = String(account.email);
  post.refuse = (address) => (address === email ? 550 : undefined);
  const event = passwordChanged(account.id);
  const jobId = `${event.id}_${account.id}`;
  await world.publish(event);
  await waitFor('the failure', async () => (await listed('failed')).some(({ id }) => id === jobId), LATE);
  return { account, email, event, jobId };
}

t.test(
  'operators see what failed and why, without the person; again, it succeeds; done, it can be forgotten',
  async (t) => {
    const { email, jobId } = await failOne();
    const job = (await listed('failed')).find(({ id }) => id === jobId);
    t.match(job, { queue: 'mail', state: 'failed', attempts: 1, error: /^The mail was not taken: 550/ });
    t.notMatch(JSON.stringify(job), email);
    t.ok(Date.parse(String(job?.finishedAt)) >= Date.parse(String(job?.createdAt)));
    const { items } = await worker.call('listQueues', {}, operator);
    t.strictSame(
      items.map(({ name }) => name),
      ['mail', 'payments', 'ledger'],
    );
    t.match(items[0]?.counts, { waiting: 0, active: 0, failed: 1 });

    post.refuse = () => undefined;
    const params = { queue: 'mail', jobId };
    await worker.call('retryJob', { params }, operator);
    await waitFor('the mail', () => post.mailsTo(email).length === 1, LATE);
    await waitFor('the end', async () => (await listed('completed')).some(({ id }) => id === jobId), LATE);
    t.strictSame(await listed('failed'), []);
    t.match((await listed('completed'))[0], { id: jobId, state: 'completed', error: null });
    await t.rejects(worker.call('retryJob', { params }, operator), { code: 'conflict' });
    await worker.call('discardJob', { params }, operator);
    await t.rejects(worker.call('discardJob', { params }, operator), { code: 'not_found' });
    await t.rejects(worker.call('retryJob', { params }, operator), { code: 'not_found' });
  },
);

t.test('what is under way cannot be discarded, what waits to be tried again can', async (t) => {
  const held = Promise.withResolvers<void>();
  t.teardown(() => held.resolve());
  const account = await world.register();
  const event = passwordChanged(account.id);
  const params = { queue: 'mail', jobId: `${event.id}_${account.id}` };
  post.hold = held.promise;
  await world.publish(event);
  await waitFor('the job', async () => (await listed('active')).length === 1, LATE);
  await t.rejects(worker.call('discardJob', { params }, operator), { code: 'conflict' });
  await t.rejects(worker.call('retryJob', { params }, operator), { code: 'conflict' });
  post.hold = undefined;
  held.resolve();
  await waitFor('the end', async () => (await listed('active')).length === 0, LATE);

  const busy = await world.register();
  post.refuse = (address) => (address === busy.email ? 451 : undefined);
  const later = passwordChanged(busy.id);
  const jobId = `${later.id}_${busy.id}`;
  await world.publish(later);
  await waitFor('the wait', async () => (await listed('delayed')).some(({ id }) => id === jobId), LATE);
  t.match((await listed('delayed'))[0]?.error, /^The mail was not taken: 451/);
  await worker.call('discardJob', { params: { queue: 'mail', jobId } }, operator);
  t.equal(await queue.getJob(jobId), undefined);
  post.refuse = () => undefined;
  await sleep(3_000);
  t.equal(post.mailsTo(String(busy.email)).length, 0);
});

t.test('the next run of a schedule is no job to discard', async (t) => {
  const [next] = await waitFor('the next run', async () => (await listed('delayed', 'payments')).length > 0, LATE).then(
    () => listed('delayed', 'payments'),
  );
  const params = { queue: 'payments', jobId: String(next?.id) };
  await t.rejects(worker.call('discardJob', { params }, operator), { code: 'conflict' });
  t.equal((await listed('delayed', 'payments'))[0]?.id, next?.id);
});

t.test('pages hold each job once, those with and without a priority alike', async (t) => {
  // A worker would take them: these lie in a queue that only this test fills, while nothing else goes on.
  const mail = world.queueOf('mail');
  await mail.pause();
  t.teardown(() => mail.resume());
  const ids = Array.from({ length: 25 }, (_, n) => `page-${n}`);
  for (const [n, jobId] of ids.entries()) await mail.add('mail', {}, { jobId, ...(n % 2 ? { priority: n } : {}) });
  for (const limit of [1, 4, 12, 13, 25, 26]) {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { state: 'waiting' as const, limit, ...(cursor === undefined ? {} : { cursor }) };
      const page = await worker.call('listJobs', { params: { queue: 'mail' }, query }, operator);
      t.ok(page.items.length <= limit);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    t.strictSame(seen.toSorted(), ids.toSorted(), `pages of ${limit}`);
  }
  t.equal((await worker.call('listQueues', {}, operator)).items[0]?.counts.waiting, 25);
  for (const jobId of ids) await worker.call('discardJob', { params: { queue: 'mail', jobId } }, operator);
  t.equal((await worker.call('listQueues', {}, operator)).items[0]?.counts.waiting, 0);
});

t.test('nobody but operators, and nothing that is not there', async (t) => {
  const params = { queue: 'mail', jobId: newId() };
  const query = { state: 'failed' as const };
  const calls = (
    call: CallOptions,
  ): Record<'listQueues' | 'listJobs' | 'retryJob' | 'discardJob', () => Promise<unknown>> => ({
    listQueues: () => worker.call('listQueues', {}, call),
    listJobs: () => worker.call('listJobs', { params: { queue: 'mail' }, query }, call),
    retryJob: () => worker.call('retryJob', { params }, call),
    discardJob: () => worker.call('discardJob', { params }, call),
  });
  for (const [name, call] of Object.entries(calls({}))) await t.rejects(call(), { code: 'unauthorized' }, name);
  for (const [name, call] of Object.entries(calls(as({ id: newId() }))))
    await t.rejects(call(), { code: 'forbidden' }, name);
  const reader = calls(as({ id: newId() }, { role: 'operator', readOnly: true }));
  t.ok(await reader.listQueues());
  t.ok(await reader.listJobs());
  await t.rejects(reader.retryJob(), { code: 'read_only' });
  await t.rejects(reader.discardJob(), { code: 'read_only' });

  const at = (queueName: string, more: object = {}) =>
    worker.call('listJobs', { params: { queue: queueName }, query: { ...query, ...more } }, operator);
  await t.rejects(at('nothing'), { code: 'not_found' });
  await t.rejects(at('No Queue'), { code: 'invalid_parameter' });
  for (const cursor of ['x', '1.0', '0.-1', '0.1e9', '9.9', '0.99999999999'])
    await t.rejects(at('mail', { cursor }), { code: 'invalid_cursor' }, cursor);
  await t.rejects(at('mail', { limit: 0 }), { code: 'invalid_query' });
  await t.rejects(worker.call('retryJob', { params: { queue: 'nothing', jobId: 'x' } }, operator), {
    code: 'not_found',
  });
  const long = { queue: 'mail', jobId: 'x'.repeat(201) };
  const refused: unknown = await worker.call('discardJob', { params: long }, operator).catch((error: unknown) => error);
  t.ok(isAppError(refused, 'invalid_parameter') || isAppError(refused, 'uri_too_long'), String(refused));
});
