import { type EventEnvelope, events } from '@coffer/contracts';
import fc from 'fast-check';
import t from 'tap';
import { Buyer, bench, operator, outcome, until, webhook } from './bench.ts';

t.setTimeout(300_000);
const dayMs = 86_400_000;

t.test('every message a hundred times, shuffled, to two instances, while all else asks: one effect', async (t) => {
  const place = await bench(t);
  const services = await Promise.all([place.start(), place.start()]);
  const buyers = [1, 2].map(() => new Buyer(services));
  const payments = await Promise.all(
    buyers.map(async (buyer) => ({
      buyer,
      kept: [await buyer.checkout('standard'), await buyer.checkout('standard')],
      refunded: await buyer.checkout('standard'),
    })),
  );
  let storming = true;
  const asking = (async () => {
    while (storming) {
      await Promise.all(
        payments.flatMap(({ buyer, kept, refunded }) => [
          buyer.reconcile(),
          ...[...kept, refunded].map((one) => buyer.verify(one)),
        ]),
      );
    }
  })();
  await Promise.all(
    payments.map(async ({ buyer, kept, refunded }) => {
      await Promise.all([...kept, refunded].map((one) => buyer.act(one, 'pay', 100, 200)));
      await buyer.act(refunded, 'refund', 100, 0);
    }),
  );
  const waiting = { 'sends.0': { $exists: true } };
  const sandbox = services[0]?.mongo.db.collection('sandboxCheckouts');
  await until('every message has arrived', async () => (await sandbox?.countDocuments(waiting)) === 0, 120_000);
  storming = false;
  await asking;
  for (const { buyer, kept, refunded } of payments) {
    for (const one of kept)
      t.match(
        (await buyer.get(one)).history.map(({ status }) => status),
        ['initiated', 'pending', 'success'],
      );
    t.same(
      (await buyer.get(refunded)).history.map(({ status }) => status),
      ['initiated', 'pending', 'success', 'reversed'],
    );
    const { periodStart, periodEnd, limitBytes } = await buyer.subscription();
    t.equal(Date.parse(periodEnd ?? '') - Date.parse(periodStart ?? ''), 60 * dayMs);
    t.equal(limitBytes, 5_368_709_120);
    await until('the limit is told', async () => place.limits.get(buyer.id)?.limitBytes === limitBytes);
    t.ok((place.limits.get(buyer.id)?.seq ?? 0) <= 3);
  }
  // Published at least once, under an id by which the stream and its consumers know it again.
  const settled = (key: (event: EventEnvelope) => unknown) =>
    new Set(
      place.heard.filter(({ type }) => type === events.paymentSettled.type).map((event) => JSON.stringify(key(event))),
    ).size;
  await until('all receipts are due', async () => settled(({ data }) => data) >= 8);
  t.equal(
    settled(({ data }) => data),
    8,
  );
  t.equal(
    settled(({ id }) => id),
    8,
    'each once',
  );
  const ledger = await buyers[0]?.ledger();
  t.match(ledger, { isBalanced: true, transactions: 8, problems: [] });
  t.equal(ledger?.balances.find(({ account }) => account === 'provider:sandbox')?.balanceMinor, 4 * 500_000);
  for (const { errors } of services) t.same(errors, []);
});

/** What may happen to one of three payments, or to all. */
type Move =
  | { what: 'pay' | 'decline' | 'abandon' | 'refund' | 'hear' | 'verify' | 'reverse'; which: number }
  | { what: 'reconcile' | 'pass' };

t.test('any order of what people, provider and clock do: the states are those of the model', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const one = fc.record({
    what: fc.constantFrom<Move['what']>('pay', 'decline', 'abandon', 'refund', 'hear', 'verify', 'reverse'),
    which: fc.nat({ max: 2 }),
  });
  const move = fc.oneof(
    { weight: 8, arbitrary: one },
    fc.constant({ what: 'reconcile' }),
    fc.constant({ what: 'pass' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 4, maxLength: 14 }), async (steps) => {
      const ann = new Buyer(service);
      const payments = [await ann.checkout('basic'), await ann.checkout('basic'), await ann.checkout('basic')];
      // The provider's books and ours, each the plainest way.
      const theirs = ['open', 'open', 'open'];
      const ours = ['pending', 'pending', 'pending'];
      const hear = (i: number, isLate: boolean): void => {
        const said = theirs[i] ?? '';
        const mine = ours[i] ?? '';
        if (mine === 'reversed') return;
        if (said === 'reversed' || (said === 'success' && mine !== 'success')) ours[i] = said;
        else if (mine === 'pending' && said !== 'open') ours[i] = said;
        else if (mine === 'pending' && isLate) ours[i] = 'abandoned';
      };
      let isLate = false;
      for (const step of steps as Move[]) {
        if (step.what === 'reconcile') {
          // It asks at times of its own: afterwards ours is as before, or as theirs.
          await ann.reconcile();
          for (const [i, payment] of payments.entries()) {
            const { status } = await ann.get(payment);
            const before = ours[i];
            hear(i, isLate);
            if (status !== before && status !== ours[i]) throw new Error(`${before} became ${status}, not ${ours[i]}`);
            ours[i] = status;
          }
          continue;
        }
        if (step.what === 'pass') {
          place.clock.passDays(1.1);
          isLate = true;
          continue;
        }
        const { what, which } = step as { what: string; which: number };
        const payment = payments[which];
        if (payment === undefined) continue;
        if (what === 'verify') {
          await ann.verify(payment);
          if (ours[which] !== 'success') hear(which, isLate);
        } else if (what === 'hear') {
          await ann.call('receiveWebhook', webhook(payment), null);
          hear(which, isLate);
        } else if (what === 'reverse') {
          const result = await outcome(
            ann.call('reversePayment', { params: { paymentId: payment.id }, body: { reason: 'x' } }, operator),
          );
          if (result !== (ours[which] === 'success' ? 'ok' : 'conflict')) throw new Error(`reverse: ${result}`);
          if (result === 'ok') ours[which] = 'reversed';
        } else {
          const to = { pay: 'success', decline: 'failed', abandon: 'abandoned', refund: 'reversed' }[what] ?? '';
          const from = { pay: ['open', 'failed', 'abandoned'], refund: ['success'] }[what] ?? ['open'];
          const result = await outcome(ann.act(payment, what as 'pay'));
          if (result === 'ok' && theirs[which] !== to && !from.includes(theirs[which] ?? ''))
            throw new Error('allowed');
          if (result === 'ok') theirs[which] = to;
        }
        const { status } = await ann.get(payment);
        if (status !== ours[which]) throw new Error(`${what}: ${status}, not ${ours[which]}`);
      }
      const { periodStart, periodEnd } = await ann.subscription();
      const live = ours.filter((status) => status === 'success').length;
      if (!isLate) {
        const days = periodEnd === null ? 0 : (Date.parse(periodEnd) - Date.parse(periodStart ?? '')) / dayMs;
        if (days !== 30 * live) throw new Error(`${days} days for ${live} payments`);
      }
      const { problems } = await ann.ledger();
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    }),
    { numRuns: 15 },
  );
  t.pass('no counterexample');
});
