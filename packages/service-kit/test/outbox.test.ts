import { randomBytes } from 'node:crypto';
import { type EventEnvelope, events } from '@coffer/contracts';
import { type Collection, MongoClient } from 'mongodb';
import t, { type Test } from 'tap';
import { createOutbox, createTestContext, newId, type OutboxPort, type ServiceContext } from '../src/index.ts';
import { engineUrl, removeStream, sleep, uniquePrefix, until, wireTo } from './helpers.ts';

t.setTimeout(180_000);

interface Account {
  _id: string;
  name: string;
  gone?: boolean;
  outbox: EventEnvelope[];
  outboxAt?: Date;
}

/** The port as a store would write it. */
function portOf(accounts: Collection<Account>): OutboxPort {
  return {
    clear: async (entries) => {
      const byDocument = Map.groupBy(entries, (one) => one.documentId);
      await accounts.bulkWrite(
        [...byDocument].flatMap(([_id, own]) => [
          {
            updateOne: {
              filter: { _id },
              update: { $pull: { outbox: { id: { $in: own.map((one) => one.eventId) } } } },
            },
          },
          { updateOne: { filter: { _id, outbox: { $size: 0 } }, update: { $unset: { outboxAt: true } } } },
          { deleteOne: { filter: { _id, gone: true, outbox: { $size: 0 } } } },
        ]),
      );
    },
    overdue: async (before, limit) => {
      const found = await accounts
        .find({ outboxAt: { $lt: before } })
        .limit(limit)
        .toArray();
      return found.map((one) => ({ documentId: one._id, events: one.outbox }));
    },
  };
}

async function start(t: Test) {
  const prefix = uniquePrefix();
  const mongo = await new MongoClient(engineUrl('MONGODB_URL')).connect();
  const db = mongo.db(`kit_${process.pid}_${randomBytes(4).toString('hex')}`);
  const accounts = db.collection<Account>('accounts');
  await accounts.createIndex({ outboxAt: 1 }, { sparse: true });
  const contexts: ServiceContext[] = [];
  const join = async (url = engineUrl('NATS_URL'), service = 'auth'): Promise<ServiceContext> => {
    const ctx = createTestContext(service, { NATS_URL: url, NATS_PREFIX: prefix });
    contexts.push(ctx);
    return ctx;
  };
  const seen: EventEnvelope[] = [];
  const listener = await join(engineUrl('NATS_URL'), 'listener');
  listener.bus.consume({
    durable: 'listener',
    subject: '>',
    handler: async (e) => {
      seen.push(e);
    },
  });
  t.teardown(async () => {
    await Promise.all(contexts.map((ctx) => ctx.shutdown.run('test')));
    await removeStream(prefix);
    await db.dropDatabase();
    await mongo.close();
  });
  const cleared = (): Promise<boolean> =>
    accounts
      .countDocuments({ $or: [{ outboxAt: { $exists: true } }, { 'outbox.0': { $exists: true } }] })
      .then((n) => n === 0);
  return { accounts, join, seen, cleared };
}

t.test('what is announced is published at once, and pulled out of its document', async (t) => {
  const { accounts, join, seen, cleared } = await start(t);
  const ctx = await join();
  const outbox = createOutbox(ctx, portOf(accounts));
  await until('connected', () => ctx.bus.connected());
  const accountId = newId();
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const event = outbox.makeEvent('accountCreated', { accountId }, traceparent);
  t.match(event, { type: events.accountCreated.type, schema: 1, data: { accountId }, traceparent, at: /Z$/ });
  await accounts.insertOne({ _id: accountId, name: 'x', outbox: [event], outboxAt: new Date() });
  outbox.announce(accountId, [event]);
  await outbox.flush();
  t.ok(await cleared());
  t.match(await accounts.findOne({ _id: accountId }), { name: 'x', outbox: [] }, 'the document stays');
  await until('delivered', () => seen.length === 1);
  t.same(seen, [event]);
});

t.test('many at a time, several per document, a deleted document goes with its last event', async (t) => {
  const { accounts, join, seen, cleared } = await start(t);
  const ctx = await join();
  const outbox = createOutbox(ctx, portOf(accounts));
  await until('connected', () => ctx.bus.connected());
  const documents = Array.from({ length: 100 }, (_, i) => {
    const _id = newId();
    const own = [1, 2].map(() => outbox.makeEvent('accountCreated', { accountId: _id }));
    return { _id, name: 'x', outbox: own, outboxAt: new Date(), ...(i % 10 === 0 ? { gone: true } : {}) };
  });
  await accounts.insertMany(documents);
  for (const one of documents) outbox.announce(one._id, one.outbox);
  await outbox.flush();
  t.ok(await cleared());
  t.equal(await accounts.countDocuments(), 90);
  await until('delivered', () => seen.length === 200);
  t.equal(new Set(seen.map((e) => e.id)).size, 200);
});

t.test('NATS away: events wait and come out when it is back, once each', async (t) => {
  const wire = await wireTo(engineUrl('NATS_URL'));
  t.teardown(() => wire.close());
  const { accounts, join, seen, cleared } = await start(t);
  const ctx = await join(wire.url);
  const outbox = createOutbox(ctx, portOf(accounts));
  await until('connected', () => ctx.bus.connected());
  wire.cut();
  await until('lost', () => !ctx.bus.connected());
  const _id = newId();
  const own = [1, 2, 3].map(() => outbox.makeEvent('accountCreated', { accountId: _id }));
  await accounts.insertOne({ _id, name: 'x', outbox: own, outboxAt: new Date() });
  outbox.announce(_id, own);
  await outbox.flush();
  await sleep(2500);
  t.notOk(await cleared(), 'they wait');
  t.equal(seen.length, 0);
  await wire.mend();
  await until('delivered', () => seen.length === 3);
  await until('cleared', cleared);
  t.same(seen.map((e) => e.id).sort(), own.map((e) => e.id).sort());
});

t.test('what a crashed instance left is found by another; published but not cleared counts once', async (t) => {
  const { accounts, join, seen, cleared } = await start(t);
  const crashed = await join();
  const port = portOf(accounts);
  const leaves: OutboxPort = {
    ...port,
    clear: async () => {
      throw new Error('crashed before the clear');
    },
    overdue: async () => [],
  };
  const before = createOutbox(crashed, leaves);
  await until('connected', () => crashed.bus.connected());
  const [first, second] = [newId(), newId()];
  const published = before.makeEvent('accountCreated', { accountId: first });
  const silent = before.makeEvent('accountCreated', { accountId: second });
  await accounts.insertMany([
    { _id: first, name: 'published', outbox: [published], outboxAt: new Date() },
    { _id: second, name: 'silent', outbox: [silent], outboxAt: new Date() },
  ]);
  before.announce(first, [published]);
  await before.flush();
  await until('published', () => seen.length === 1);
  createOutbox(await join(), port);
  await until('cleared', cleared);
  await until('delivered', () => seen.length === 2);
  await sleep(200);
  t.same(seen.map((e) => e.id).sort(), [published.id, silent.id].sort());
});

t.test('shutdown publishes what was announced', async (t) => {
  const { accounts, join, seen, cleared } = await start(t);
  const ctx = await join();
  const outbox = createOutbox(ctx, portOf(accounts));
  await until('connected', () => ctx.bus.connected());
  const _id = newId();
  const event = outbox.makeEvent('accountCreated', { accountId: _id });
  await accounts.insertOne({ _id, name: 'x', outbox: [event], outboxAt: new Date() });
  outbox.announce(_id, [event]);
  await ctx.shutdown.run('test');
  t.ok(await cleared());
  await until('delivered', () => seen.length === 1);
});
