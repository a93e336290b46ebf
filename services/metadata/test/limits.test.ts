import { createServer } from 'node:net';
import { events, NOBODY, type PlanLimit } from '@coffer/contracts';
import { createOutbox, newId } from '@coffer/service-kit';
import t from 'tap';
import { applyPlanLimit } from '../src/operations/limits.ts';
import { bench, codeOf, hasty, Person, type Service, until } from './helpers.ts';
import { startPayment } from './payment.ts';

t.setTimeout(300_000);

const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => [Math.random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);

/** As the payment service says it; each time as another message, which the bus does not know for a repeat. */
async function tell(service: Service, limits: readonly PlanLimit[]): Promise<void> {
  const outbox = createOutbox(service.ctx, { clear: async () => {}, overdue: async () => [] });
  for (const limit of limits) {
    const event = outbox.makeEvent('limitChanged', limit);
    await until('the bus takes it', async () => {
      try {
        await service.ctx.bus.publish(events.limitChanged.type, event, { id: event.id });
        return true;
      } catch {
        return false;
      }
    });
  }
}

const limitOf = async (person: Person): Promise<number> => (await person.usage()).limitBytes;

t.test('limits that plans give: replayed, shuffled and late ones, the newest counts', async (t) => {
  const place = await bench(t);
  const services = [await place.start({ bus: 'nats' }), await place.start({ bus: 'nats' })] as const;
  const [ann, bob] = [new Person([...services]), new Person([...services])];
  await ann.file('root', 'f', 10);
  // Bob was never seen here before: what he bought is there when he comes.
  const all = [ann, bob].flatMap(({ id }) =>
    Array.from({ length: 20 }, (_, i) => ({ accountId: id, limitBytes: 1_000 + i, seq: i + 1 })),
  );
  await tell(services[0], shuffled([...all, ...all, ...all]));
  for (const one of [ann, bob]) await until('the newest counts', async () => (await limitOf(one)) === 1_019);
  await tell(services[0], shuffled(all));
  await tell(services[0], [{ accountId: ann.id, limitBytes: 5, seq: 21 }]);
  await until('all were heard', async () => (await limitOf(ann)) === 5);
  t.equal(await limitOf(bob), 1_019);
  t.equal((await ann.usage()).usedBytes, 10, 'a limit below what is used takes nothing away');
  t.equal(await codeOf(ann.file('root', 'g', 1)), 'quota_exceeded');
  t.equal(await codeOf(ann.folder('root', 'd')), 'none', 'what takes no space goes on');
});

t.test('an operator’s limit stands until it is taken back or the plan gives something else', async (t) => {
  const place = await bench(t);
  const service = await place.start({ freeLimitBytes: 100 });
  const operator = new Person(service, { role: 'operator' });
  const ann = new Person(service);
  let seq = 0;
  const plan = (limitBytes: number) => applyPlanLimit(service.tree, { accountId: ann.id, limitBytes, seq: ++seq });
  const set = (limitBytes: number | null, by = operator) =>
    by.call('setLimit', { params: { accountId: ann.id }, body: { limitBytes } });

  t.equal((await set(500)).limitBytes, 500);
  t.equal((await set(null)).limitBytes, 100, 'what new accounts have');
  await set(500);
  await plan(100);
  t.equal(await limitOf(ann), 500, 'a plan that gives what it gave before leaves it');
  await plan(2_000);
  t.equal(await limitOf(ann), 2_000);
  t.equal((await set(50)).limitBytes, 50);
  await plan(2_000);
  t.equal(await limitOf(ann), 50, 'so does a renewal');
  t.equal((await set(null)).limitBytes, 2_000, 'taken back, the plan counts');
  t.equal((await set(0)).limitBytes, 0, 'nothing is a limit too');
  await plan(100);
  t.equal(await limitOf(ann), 100);

  t.equal(await codeOf(set(1, ann)), 'forbidden');
  t.equal(await codeOf(set(null, new Person(service, NOBODY))), 'forbidden');
  t.equal(await codeOf(set(1, new Person(service, { role: 'operator', readOnly: true }))), 'read_only');
  t.equal(await codeOf(set(-1)), 'invalid_body');
  t.equal(await codeOf(set(1.5)), 'invalid_body');
});

t.test('what no event brought is found at the payment service, when it is there', async (t) => {
  const place = await bench(t);
  const port = await freePort();
  const patience = { ...hasty, limitsEveryMs: 300 };
  const service = await place.start({ paymentAddress: `http://127.0.0.1:${port}`, patience });
  const [ann, bob] = [new Person(service), new Person(service)];
  await ann.file('root', 'f', 10);
  const free = await limitOf(ann);
  // Nobody answers there yet: everything else goes on.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.equal(await codeOf(ann.file('root', 'g', 10)), 'none');
  const payment = await startPayment(t, port);
  await until('it is ready', async () => (await codeOf(payment.setPlan(ann.id, 'basic'))) === 'none');
  await payment.setPlan(bob.id, 'premium');
  const { items } = await payment.client.call('listPlans', {});
  const bytesOf = (planId: string) => items.find(({ id }) => id === planId)?.limitBytes;
  t.not(bytesOf('basic'), free);
  await until(
    'both are found',
    async () => (await limitOf(ann)) === bytesOf('basic') && (await limitOf(bob)) === bytesOf('premium'),
  );
  await payment.setPlan(ann.id, 'free');
  await until('a smaller one too', async () => (await limitOf(ann)) === bytesOf('free'));
});

t.test('five hundred racing uploads at a limit that goes up and down are never let over it', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()] as const;
  const ann = new Person([...services]);
  const [one] = services;
  const folder = await ann.folder('root', 'd');
  let seq = 0;
  const set = (limitBytes: number) => applyPlanLimit(one.tree, { accountId: ann.id, limitBytes, seq: ++seq });
  await set(500);
  let isOver = false;
  const changing = (async () => {
    while (!isOver) {
      await set([300, 500, 900, 1_500, 2_200, 700][seq % 6] ?? 500);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const broken: object[] = [];
  let looks = 0;
  const watching = (async () => {
    let before: { usedBytes: number; seq: number } | undefined;
    while (!isOver) {
      const doc = await one.database.usage.findOne({ _id: ann.id });
      if (doc?.planLimit === undefined) continue;
      const { usedBytes, limitBytes, planLimit } = doc;
      looks++;
      // What was let in since the last look was let in at this very limit.
      if (before?.seq === planLimit.seq && usedBytes > before.usedBytes && usedBytes > limitBytes) {
        broken.push({ before, usedBytes, limitBytes });
      }
      before = { usedBytes, seq: planLimit.seq };
    }
  })();
  const codes = await Promise.all(Array.from({ length: 500 }, (_, i) => codeOf(ann.file(folder.id, `f${i}`, 10))));
  isOver = true;
  await Promise.all([changing, watching]);
  const written = codes.filter((code) => code === 'none').length;
  t.same([...new Set(codes)].sort(), ['none', 'quota_exceeded'], 'some fit and some did not');
  t.same(broken, [], `${looks} looks`);
  const { usedBytes, files } = await ann.usage();
  t.equal(usedBytes, written * 10);
  t.equal(files, written);
  t.ok(usedBytes <= 2_200, `${usedBytes} bytes`);
  await ann.recount(t);
  await set(usedBytes - 10);
  t.equal(
    await codeOf(ann.file(folder.id, 'late', 1)),
    'quota_exceeded',
    'over a lowered limit nothing more is let in',
  );
});

t.test('that space runs out is told once, and again only after it was below', async (t) => {
  const place = await bench(t);
  const services = [
    await place.start({ bus: 'nats', freeLimitBytes: 1_000 }),
    await place.start({ bus: 'nats', freeLimitBytes: 1_000 }),
  ] as const;
  const [one] = services;
  const ann = new Person([...services]);
  const seen: { accountId: string; percent: number }[] = [];
  one.ctx.bus.consume({
    durable: `heard-${newId()}`,
    subject: events.spaceRunningOut.type,
    handler: async ({ data }) => {
      seen.push(data as { accountId: string; percent: number }); // Published by this service under the type of this event.
    },
  });
  const settled = async () => {
    for (const { tree } of services) {
      await tree.ledger.flush();
      await tree.outbox.flush();
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  };
  await ann.file('root', 'a', 790);
  await settled();
  t.equal(await codeOf(ann.file('root', 'too-big', 900)), 'quota_exceeded');
  t.same(seen, [], 'below the mark nothing is told');
  // Many pass it together.
  await Promise.all(Array.from({ length: 20 }, (_, i) => ann.file('root', `b${i}`, 5)));
  await until('it is told', async () => seen.length > 0);
  await ann.file('root', 'c', 10);
  await settled();
  t.same(seen, [{ accountId: ann.id, percent: 80 }], 'once');

  const remove = async (name: string, leftBytes: number) => {
    await ann.trash((await ann.at([name])).id, true);
    await until(`${name} is gone`, async () => (await ann.usage()).usedBytes === leftBytes);
  };
  await remove('a', 110);
  await ann.file('root', 'd', 750);
  await until('it is told again', async () => seen.length === 2);
  await ann.file('root', 'e', 40);
  await settled();
  t.equal(seen.length, 2);
  await remove('e', 860);
  await ann.file('root', 'e', 40);
  await settled();
  t.equal(seen.length, 2, 'not by what comes and goes above it');

  const operator = new Person(one, { role: 'operator' });
  await operator.call('setLimit', { params: { accountId: ann.id }, body: { limitBytes: 2_000 } });
  await ann.file('root', 'f', 10);
  await settled();
  const doc = await one.database.usage.findOne({ _id: ann.id });
  t.equal(doc?.warnedAt, undefined, 'a higher limit makes it calm');
  t.equal(doc?.outbox?.length ?? 0, 0);
  await ann.file('root', 'g', 800);
  await until('and the next mark is told', async () => seen.length === 3);
});

t.test('usage of all accounts together', async (t) => {
  const place = await bench(t);
  const service = await place.start({ freeLimitBytes: 1_000 });
  const operator = new Person(service, { role: 'operator', readOnly: true });
  t.same(await operator.call('getTotals', {}), { accounts: 0, usedBytes: 0, limitBytes: 0, files: 0, folders: 0 });
  const people = [new Person(service), new Person(service), new Person(service)];
  for (const [i, person] of people.entries()) {
    await person.folder('root', 'd');
    for (let n = 0; n <= i; n++) await person.file('root', `f${n}`, 10);
  }
  t.same(await operator.call('getTotals', {}), {
    ...{ accounts: 3, usedBytes: 60, limitBytes: 3_000, files: 6, folders: 3 },
  });
  t.equal(await codeOf(new Person(service).call('getTotals', {})), 'forbidden');
  t.equal(await codeOf(new Person(service, NOBODY).call('getTotals', {})), 'forbidden');
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}
