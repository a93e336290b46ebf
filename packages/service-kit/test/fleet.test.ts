import { connect } from 'nats';
import t, { type Test } from 'tap';
import { createClient, createTestContext } from '../src/index.ts';
import { type ShopProcess, startShop } from './fleet-fixture.ts';
import { engineUrl, removeStream, shopContract, sleep, uniquePrefix, until, wireTo } from './helpers.ts';

t.setTimeout(180_000);

async function start(t: Test, natsUrl = engineUrl('NATS_URL')) {
  const prefix = uniquePrefix();
  const env = { NATS_URL: engineUrl('NATS_URL'), NATS_PREFIX: prefix };
  const ctx = createTestContext('caller', { ...env, NATS_URL: natsUrl });
  const client = createClient(ctx, shopContract);
  const processes: ShopProcess[] = [];
  t.teardown(async () => {
    for (const one of processes) one.child.kill('SIGKILL');
    await Promise.all(processes.map((one) => one.exited));
    await ctx.shutdown.run('test');
    await removeStream(prefix);
  });
  const launch = async (extra: Record<string, string> = {}): Promise<ShopProcess> => {
    const one = await startShop({ ...env, ...extra });
    processes.push(one);
    return one;
  };
  const ask = (id = 'x', timeoutMs = 5000): Promise<{ id: string; count: number }> =>
    client.call('get', { params: { id } }, { timeoutMs });
  return { ctx, client, launch, ask, prefix };
}

t.test('a call waits for the first instance, finds it, and the fleet is listed', async (t) => {
  const { ctx, launch, ask } = await start(t);
  const call = ask('x', 10_000);
  await sleep(100);
  const one = await launch();
  t.equal((await call).count, one.pid);
  const [info] = ctx.bus.discover('shop');
  t.match(info, { service: 'shop', address: one.url, version: /^\d+\.\d+\.\d+$/ });
});

t.test('nobody comes: unavailable when the time is over', async (t) => {
  const { ask } = await start(t);
  const before = performance.now();
  await t.rejects(ask('x', 500), { code: 'unavailable' });
  t.ok(performance.now() - before >= 490);
});

t.test('two instances share the work; prefixes keep fleets apart', async (t) => {
  const { launch, ask } = await start(t);
  const other = await start(t);
  const pids = [await launch(), await launch()].map((one) => one.pid);
  const stranger = await other.launch();
  await ask();
  await until('both answer', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask()));
    const seen = new Set(answers.map((one) => one.count));
    t.notOk(seen.has(stranger.pid));
    return pids.every((pid) => seen.has(pid));
  });
});

t.test('who joins and who leaves says so, and is believed at once', async (t) => {
  const { ctx, launch, ask, prefix } = await start(t);
  const nc = await connect({ servers: engineUrl('NATS_URL') });
  t.teardown(() => nc.close());
  const heard: { subject: string; data: unknown }[] = [];
  nc.subscribe(`${prefix}coffer-fleet.*`, {
    callback: (_error, message) => heard.push({ subject: message.subject.slice(prefix.length), data: message.json() }),
  });
  await nc.flush();
  const one = await launch();
  await ask();
  await until('joined', () => heard.length > 0);
  t.match(heard, [{ subject: 'coffer-fleet.joined', data: { service: 'shop', address: one.url, version: String } }]);
  const ghost = { service: 'shop', instance: 'ghost', version: '0.0.0', address: 'http://127.0.0.1:1' };
  const known = (): boolean => ctx.bus.discover('shop').some((info) => info.instance === 'ghost');
  nc.publish(`${prefix}coffer-fleet.joined`, JSON.stringify(ghost));
  // No poll finds it, for it is not registered.
  await until('known', known, 1000);
  nc.publish(`${prefix}coffer-fleet.left`, JSON.stringify(ghost));
  await until('forgotten', () => !known(), 1000);
  one.child.kill('SIGTERM');
  await until('left', () => heard.some(({ subject }) => subject === 'coffer-fleet.left' && heard.length === 4));
  t.match(heard.at(-1), { data: { address: one.url } });
});

t.test('a killed instance is left at once, and its successor found at once', async (t) => {
  const { launch, ask, client } = await start(t);
  const first = await launch();
  const second = await launch();
  await until('both known', async () => (await ask()).count === second.pid);
  second.child.kill('SIGKILL');
  await second.exited;
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask()));
  t.ok(
    answers.every((one) => one.count === first.pid),
    'no call fails: it goes to the other one',
  );
  const created = await Promise.all(Array.from({ length: 20 }, () => client.call('create', { body: { count: 1 } })));
  t.equal(created.length, 20, 'nor one that is not idempotent, for nothing was sent');
  first.child.kill('SIGKILL');
  await first.exited;
  await t.rejects(ask('x', 1000), { code: 'unavailable' });
  const third = await launch();
  const before = performance.now();
  await until(
    'the new one answers',
    async () => (await ask('x', 1000).catch(() => ({ count: 0 }))).count === third.pid,
    3000,
  );
  t.ok(performance.now() - before < 1500);
});

t.test('an instance that stops is left before it closes: no call fails', async (t) => {
  const { launch, ask, client } = await start(t);
  const first = await launch();
  const second = await launch();
  await until('both known', async () => (await ask()).count === second.pid);
  let failures = 0;
  let done = false;
  let calls = 0;
  const load = Array.from({ length: 8 }, async () => {
    while (!done) {
      await client.call('create', { body: { count: ++calls } }).catch(() => failures++);
    }
  });
  const slow = Promise.all([ask('slow'), ask('slow'), ask('slow'), ask('slow')]);
  await sleep(100);
  second.child.kill('SIGTERM');
  t.equal(await second.exited, 0);
  t.equal((await slow).length, 4, 'what was in flight ended well');
  await sleep(100);
  done = true;
  await Promise.all(load);
  t.equal(failures, 0);
  t.ok(calls > 50);
  t.equal((await ask()).count, first.pid);
});

t.test('without NATS known instances stay known, and newcomers are found when it is back', async (t) => {
  const wire = await wireTo(engineUrl('NATS_URL'));
  t.teardown(() => wire.close());
  const { ctx, launch, ask } = await start(t, wire.url);
  const first = await launch();
  await ask();
  wire.cut();
  await until('lost', () => !ctx.bus.connected());
  await sleep(2500);
  t.equal((await ask()).count, first.pid);
  const second = await launch();
  await wire.mend();
  await until('found', async () => (await ask()).count === second.pid);
  t.ok(ctx.bus.connected());
});

t.test('a start without NATS is a start; it connects when NATS is there', async (t) => {
  const wire = await wireTo(engineUrl('NATS_URL'));
  wire.cut();
  t.teardown(() => wire.close());
  const { ctx, launch, ask } = await start(t, wire.url);
  await launch();
  t.notOk(ctx.bus.connected());
  const call = ask('x', 8000);
  await sleep(300);
  await wire.mend();
  t.ok(await call);
});
