import type { EventEnvelope } from '@coffer/contracts';
import { connect, type NatsConnection } from 'nats';
import t, { type Test } from 'tap';
import { createTestContext, newId, type ServiceContext } from '../src/index.ts';
import { engineUrl, removeStream, sleep, uniquePrefix, until, wireTo } from './helpers.ts';

t.setTimeout(180_000);

const eventOf = (type = 'test.happened', n = 0): EventEnvelope => ({
  id: newId(),
  type,
  schema: 1,
  at: new Date().toISOString(),
  data: { n },
});
const publish = (ctx: ServiceContext, event: EventEnvelope): Promise<void> =>
  ctx.bus.publish(event.type, event, { id: event.id });

async function start(t: Test, natsUrl = engineUrl('NATS_URL')) {
  const prefix = uniquePrefix();
  const contexts: ServiceContext[] = [];
  const join = async (service = 'worker', url = natsUrl): Promise<ServiceContext> => {
    const ctx = createTestContext(service, { NATS_URL: url, NATS_PREFIX: prefix });
    contexts.push(ctx);
    await until('connected', () => ctx.bus.connected());
    return ctx;
  };
  t.teardown(async () => {
    await Promise.all(contexts.map((ctx) => ctx.shutdown.run('test')));
    await removeStream(prefix);
  });
  return { prefix, join };
}

async function admin(t: Test): Promise<NatsConnection> {
  const nc = await connect({ servers: engineUrl('NATS_URL') });
  t.teardown(() => nc.close());
  return nc;
}

t.test('an event is kept by JetStream, once per id', async (t) => {
  const { prefix, join } = await start(t);
  const ctx = await join();
  const event = eventOf();
  await publish(ctx, event);
  await publish(ctx, event);
  await Promise.all([publish(ctx, event), publish(ctx, eventOf())]);
  const { streams } = await (await admin(t)).jetstreamManager();
  const { state, config } = await streams.info(`${prefix}COFFER`);
  t.equal(state.messages, 2);
  t.match(config, {
    storage: 'file',
    duplicate_window: 120e9,
    max_age: 7 * 86_400e9,
    subjects: [`${prefix}coffer.>`, String],
  });
  const outcomes = await ctx.bus.publishMany([eventOf(), event, eventOf('test.other')]);
  t.ok(outcomes.every((one) => one.status === 'fulfilled'));
  t.equal((await streams.info(`${prefix}COFFER`)).state.messages, 4);
});

t.test('every subscriber gets every event; handlers that throw harm nobody', async (t) => {
  const { join } = await start(t);
  const [a, b, c] = [await join(), await join(), await join('publisher')];
  const seen: string[] = [];
  a.bus.subscribe('test.happened', () => {
    throw new Error('mine');
  });
  a.bus.subscribe('test.happened', (e) => seen.push(`a ${e.id}`));
  b.bus.subscribe('test.*', (e) => seen.push(`b ${e.id}`));
  const event = eventOf();
  await until('both', async () => {
    // The subscriptions may still be on their way to the server.
    await publish(c, { ...event, id: newId() });
    return seen.some((one) => one.startsWith('a')) && seen.some((one) => one.startsWith('b'));
  });
  t.pass('both got it');
});

t.test('a durable consumer gets what came before it, each event one instance, once', async (t) => {
  const { join } = await start(t);
  const publisher = await join('publisher');
  const events = Array.from({ length: 40 }, (_, n) => eventOf('test.happened', n));
  await publisher.bus.publishMany([...events.slice(0, 20), eventOf('other.happened')]);
  const seen = new Map<string, number>();
  for (const ctx of [await join(), await join()]) {
    ctx.bus.consume({
      durable: 'counter',
      subject: 'test.>',
      handler: async (e) => {
        seen.set(e.id, (seen.get(e.id) ?? 0) + 1);
      },
    });
  }
  await publisher.bus.publishMany(events.slice(20));
  await until('all', () => seen.size === 40);
  await sleep(300);
  t.same([...seen.keys()].sort(), events.map((e) => e.id).sort());
  t.ok([...seen.values()].every((n) => n === 1));
});

t.test('an event that reaches a consumer twice is handled once', async (t) => {
  const { join } = await start(t);
  const ctx = await join();
  const seen: string[] = [];
  ctx.bus.consume({
    durable: 'once',
    subject: 'test.>',
    handler: async (e) => {
      seen.push(e.id);
    },
  });
  const [event, last] = [eventOf(), eventOf()];
  // Under another message id JetStream takes it for another message: as after the end of its duplicate window.
  for (const id of [event.id, newId(), newId()]) await ctx.bus.publish(event.type, event, { id });
  await until('handled', () => seen.length > 0);
  await publish(ctx, last);
  await until('the last', () => seen.includes(last.id));
  t.same(seen, [event.id, last.id]);
});

t.test('an event comes again without a limit where that is asked for', async (t) => {
  const { prefix, join } = await start(t);
  const ctx = await join();
  let attempts = 0;
  ctx.bus.consume({
    durable: 'patient',
    subject: 'test.>',
    maxDeliver: Number.POSITIVE_INFINITY,
    backoffMs: [10],
    handler: async () => {
      attempts++;
      if (attempts <= 12) throw new Error('what it needs is away');
    },
  });
  await publish(ctx, eventOf());
  await until('handled', () => attempts === 13, 20_000);
  const { streams, consumers } = await (await admin(t)).jetstreamManager();
  await until('acknowledged', async () => (await consumers.info(`${prefix}COFFER`, 'patient')).num_ack_pending === 0);
  t.equal((await streams.info(`${prefix}COFFER`)).state.messages, 1, 'and nothing is a dead letter');
});

t.test('a failed event comes again after its backoff, and is a dead letter in the end', async (t) => {
  const { prefix, join } = await start(t);
  const ctx = await join();
  const attempts: number[] = [];
  const good: string[] = [];
  ctx.bus.consume({
    durable: 'fragile',
    subject: 'test.>',
    maxDeliver: 3,
    backoffMs: [50, 100],
    handler: async (e, { attempt }) => {
      if (e.type === 'test.good') {
        good.push(e.id);
        return;
      }
      attempts.push(attempt);
      if (e.type === 'test.bad' || attempt < 2) throw new Error('as the test asked');
    },
  });
  const recovers = eventOf('test.flaky');
  await publish(ctx, recovers);
  await until('recovered', () => attempts.length === 2);
  t.same(attempts, [1, 2]);
  attempts.length = 0;
  const bad = eventOf('test.bad');
  const after = eventOf('test.good');
  await publish(ctx, bad);
  await publish(ctx, after);
  await until('given up', () => attempts.length === 3);
  t.same(good, [after.id], 'one bad event does not hold up the others');
  const { streams, consumers } = await (await admin(t)).jetstreamManager();
  const subject = `${prefix}coffer-dead.fragile.test.bad`;
  const letter = async () => streams.getMessage(`${prefix}COFFER`, { last_by_subj: subject }).catch(() => null);
  await until('dead letter', async () => (await letter()) !== null);
  t.match((await letter())?.json(), { id: bad.id });
  await sleep(300);
  t.same(attempts, [1, 2, 3], 'it is not tried again');
  t.match(await consumers.info(`${prefix}COFFER`, 'fragile'), { num_ack_pending: 0, num_pending: 0 });
});

t.test(
  'the bus goes away and comes back: publishing fails at once, consuming goes on, nothing is handled twice',
  async (t) => {
    const wire = await wireTo(engineUrl('NATS_URL'));
    t.teardown(() => wire.close());
    const { join } = await start(t);
    const publisher = await join('publisher');
    const ctx = await join('worker', wire.url);
    const states: boolean[] = [];
    ctx.bus.onState((connected) => states.push(connected));
    const seen: string[] = [];
    const heard: string[] = [];
    ctx.bus.subscribe('test.happened', (e) => heard.push(e.id));
    ctx.bus.consume({
      durable: 'patient',
      subject: 'test.>',
      handler: async (e) => {
        seen.push(e.id);
      },
    });
    const first = eventOf();
    await until('subscribed', async () => {
      await publish(publisher, { ...first, id: newId() });
      return seen.length > 0 && heard.length > 0;
    });
    wire.cut();
    await until('lost', () => !ctx.bus.connected());
    const before = performance.now();
    await t.rejects(publish(ctx, eventOf()), { code: 'unavailable' });
    await t.rejects(ctx.bus.ping());
    t.ok(performance.now() - before < 100, 'at once');
    const missed = eventOf();
    await publish(publisher, missed);
    await wire.mend();
    await until('delivered after the outage', () => seen.includes(missed.id), 40_000);
    t.notOk(heard.includes(missed.id), 'a plain subscriber does not hear of what it missed');
    const later = eventOf();
    await publish(ctx, later);
    await until('both live again', () => seen.includes(later.id) && heard.includes(later.id));
    t.equal(new Set(seen).size, seen.length);
    t.same(states, [false, true]);
  },
);

t.test('a stream that was lost is made again, and consuming goes on', async (t) => {
  const { prefix, join } = await start(t);
  const ctx = await join();
  const seen: string[] = [];
  ctx.bus.consume({
    durable: 'survivor',
    subject: 'test.>',
    handler: async (e) => {
      seen.push(e.id);
    },
  });
  await publish(ctx, eventOf());
  await until('consuming', () => seen.length === 1);
  const { streams } = await (await admin(t)).jetstreamManager();
  await streams.delete(`${prefix}COFFER`);
  const event = eventOf();
  await until('published', () =>
    publish(ctx, event).then(
      () => true,
      () => false,
    ),
  );
  await until('consumed', () => seen.includes(event.id), 45_000);
});

t.test('shutdown waits for the handlers that run', async (t) => {
  const { join } = await start(t);
  const ctx = await join();
  const publisher = await join('publisher');
  let begun = false;
  let ended = false;
  ctx.bus.consume({
    durable: 'slow',
    subject: 'test.>',
    handler: async () => {
      begun = true;
      await sleep(500);
      ended = true;
    },
  });
  await publish(publisher, eventOf());
  await until('begun', () => begun);
  await ctx.shutdown.run('test');
  t.ok(ended);
  t.same(ctx.shutdown.errors, []);
  let again = 0;
  const next = await join();
  next.bus.consume({
    durable: 'slow',
    subject: 'test.>',
    handler: async () => {
      again++;
    },
  });
  await publish(publisher, eventOf());
  await until('the next event', () => again > 0);
  await sleep(200);
  t.equal(again, 1, 'the first one was acknowledged');
});
