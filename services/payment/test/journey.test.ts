import { events } from '@coffer/contracts';
import t from 'tap';
import { Buyer, bench, operator, outcome, until } from './bench.ts';

t.setTimeout(120_000);
const dayMs = 86_400_000;

t.test('a plan is bought, renewed, ends, and is told of', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Buyer(service);
  const { items, isSandbox } = await ann.call('listPlans', {}, null);
  t.same(
    items.map(({ id, limitBytes, price }) => [id, limitBytes, price]),
    [
      ['free', 104_857_600, null],
      ['basic', 1_073_741_824, { amountMinor: 200_000, currency: 'NGN' }],
      ['standard', 5_368_709_120, { amountMinor: 500_000, currency: 'NGN' }],
      ['premium', 10_737_418_240, { amountMinor: 1_000_000, currency: 'NGN' }],
    ],
  );
  t.equal(isSandbox, true);
  t.match(await ann.subscription(), { status: 'none', plan: { id: 'free' }, limitBytes: 104_857_600, periodEnd: null });

  const begun = await ann.checkout('basic');
  t.match(begun, { status: 'pending', amountMinor: 200_000, currency: 'NGN', creditMinor: 0, planName: 'Basic' });
  t.equal(begun.checkoutUrl, `http://coffer.example/sandbox/${begun.reference}`);
  t.same(
    begun.history.map(({ status, source }) => [status, source]),
    [
      ['initiated', 'checkout'],
      ['pending', 'checkout'],
    ],
  );
  t.equal((await ann.verify(begun)).status, 'pending', 'a visit to the return page pays nothing');
  await ann.act(begun, 'pay', 1);
  await until('the webhook has arrived', async () => (await ann.get(begun)).status === 'success');
  const paid = await ann.get(begun);
  t.equal(paid.checkoutUrl, null);
  t.equal(Date.parse(paid.periodEnd ?? '') - Date.parse(paid.periodStart ?? ''), 30 * dayMs);
  t.match(await ann.subscription(), { status: 'active', plan: { id: 'basic' }, limitBytes: 1_073_741_824 });
  await until('the limit is told', async () => place.limits.get(ann.id)?.limitBytes === 1_073_741_824);
  await until('the receipt is due', async () =>
    place.heard.some(({ type, data }) => type === events.paymentSettled.type && JSON.stringify(data).includes(paid.id)),
  );

  const again = await ann.buy('basic');
  t.equal(again.periodStart, paid.periodEnd, 'a renewal goes on from the end');
  t.equal(again.creditMinor, 0);
  const mentions = (): number[] =>
    place.heard.flatMap(({ type, data }) =>
      type === events.subscriptionEnding.type ? [(data as { days: number }).days] : [],
    );
  await ann.reconcile();
  t.same(mentions(), []);
  const mentionsEnd = (days: readonly number[]): boolean => days.includes(0);
  let hasEnded = false;
  for (const [days, expected] of [
    [52.5, []],
    [1, [7]],
    [5, [7]],
    [0.6, [7, 1]],
    [1, [7, 1, 0]],
    [5, [7, 1, 0]],
  ] as const) {
    place.clock.passDays(days);
    const ended = (await ann.reconcile()).ended + (await ann.reconcile()).ended;
    t.equal(ended, mentionsEnd(expected) && !hasEnded ? 1 : 0);
    hasEnded ||= mentionsEnd(expected);
    await until(`mentions are ${expected}`, async () => mentions().length >= expected.length);
    t.same(mentions(), expected);
  }
  t.match(await ann.subscription(), { status: 'none', plan: { id: 'free' }, limitBytes: 104_857_600 });
  await until('the limit fell back', async () => place.limits.get(ann.id)?.limitBytes === 104_857_600);
  t.match(await ann.ledger(), {
    isBalanced: true,
    transactions: 2,
    balances: [
      { account: 'provider:sandbox', currency: 'NGN', balanceMinor: 400_000 },
      { account: 'revenue:plan:basic', currency: 'NGN', balanceMinor: -400_000 },
    ],
  });
});

t.test('declined, abandoned, late and paid back', async (t) => {
  const place = await bench(t);
  const ann = new Buyer(await place.start());
  const declined = await ann.checkout('basic');
  await ann.act(declined, 'decline');
  t.match(await ann.verify(declined), { status: 'failed', checkoutUrl: null });
  t.equal((await ann.subscription()).status, 'none');
  await ann.act(declined, 'pay');
  t.equal((await ann.verify(declined)).status, 'success', 'a late success is honoured');

  const left = await ann.checkout('basic');
  place.clock.passDays(0.9);
  await ann.reconcile();
  t.equal((await ann.get(left)).status, 'pending');
  place.clock.passDays(0.2);
  t.match(await ann.reconcile(), { abandoned: 1 });
  t.match(await ann.get(left), { status: 'abandoned', checkoutUrl: null });
  await ann.act(left, 'pay');
  place.clock.passDays(2);
  t.match(await ann.reconcile(), { settled: 1 }, 'found without any webhook');
  const end = Date.parse((await ann.subscription()).periodEnd ?? '');

  await ann.act(left, 'refund', 1);
  await until('it is taken back', async () => (await ann.get(left)).status === 'reversed');
  const { periodEnd } = await ann.subscription();
  t.equal(end - Date.parse(periodEnd ?? ''), 30 * dayMs, 'exactly what it gave');
  const reverse = (buyer: Buyer, principal = buyer.principal): Promise<string> =>
    outcome(
      buyer.call('reversePayment', { params: { paymentId: declined.id }, body: { reason: 'asked for' } }, principal),
    );
  t.equal(await reverse(ann), 'forbidden');
  t.equal(await reverse(ann, { ...operator, readOnly: true }), 'read_only');
  t.equal(await reverse(ann, operator), 'ok');
  t.equal(await reverse(ann, operator), 'conflict');
  t.match(await ann.subscription(), { status: 'none', limitBytes: 104_857_600 });
  await until('the limit is back', async () => place.limits.get(ann.id)?.limitBytes === 104_857_600);
  const unheard = await ann.buy('basic');
  await ann.act(unheard, 'refund');
  place.clock.passDays(1);
  await ann.reconcile();
  t.equal((await ann.get(unheard)).status, 'reversed', 'also where nobody told of the refund');
  const ledger = await ann.ledger();
  t.match(ledger, { isBalanced: true, transactions: 6, problems: [] });
  t.ok(ledger.balances.every(({ balanceMinor }) => balanceMinor === 0));
});

t.test('the plan is changed, cancelled, and set by an operator', async (t) => {
  const place = await bench(t);
  const ann = new Buyer(await place.start());
  const params = { accountId: ann.id };
  t.equal(await outcome(ann.call('cancelSubscription', { params })), 'conflict');
  await ann.buy('basic');
  place.clock.passDays(9.5);
  const up = await ann.checkout('premium');
  t.equal(up.creditMinor, 133_333, 'twenty whole days of thirty, rounded down');
  t.match(await ann.call('getSandboxCheckout', { params: { reference: up.reference } }, null), {
    amountMinor: 866_667,
  });
  await ann.act(up, 'pay');
  const paid = await ann.verify(up);
  t.equal(Date.parse(paid.periodEnd ?? '') - Date.parse(paid.periodStart ?? ''), 30 * dayMs);
  t.match(await ann.subscription(), { plan: { id: 'premium' }, limitBytes: 10_737_418_240 });

  place.clock.passDays(0.5);
  const down = await ann.checkout('basic');
  t.match(down, { status: 'success', creditMinor: 200_000, checkoutUrl: null }, 'nothing is left to pay');
  // 29 whole days of premium are worth 966,666: 200,000 for the plan, 766,666 for 114 more days.
  t.equal(Date.parse(down.periodEnd ?? '') - Date.parse(down.periodStart ?? ''), 144 * dayMs);

  t.equal((await ann.call('cancelSubscription', { params })).status, 'cancelled');
  t.equal((await ann.call('cancelSubscription', { params })).status, 'cancelled');
  place.clock.passDays(143.5);
  await ann.reconcile();
  t.notOk(
    place.heard.some(({ type }) => type === events.subscriptionEnding.type),
    'what was cancelled is not mentioned',
  );
  t.equal((await ann.buy('basic')).status, 'success');
  t.equal((await ann.subscription()).status, 'active', 'bought anew');

  const set = (planId: string, until: string | null, principal = operator) =>
    ann.call('setPlan', { params, body: { planId, until } }, principal);
  t.equal(await outcome(set('premium', null, ann.principal)), 'forbidden');
  t.equal(await outcome(set('nonsense', null)), 'not_found');
  t.equal(await outcome(set('premium', '2001-01-01T00:00:00.000Z')), 'invalid_body');
  t.equal(await outcome(set('premium', 'tomorrow')), 'invalid_body');
  t.match(await set('premium', null), { plan: { id: 'premium' }, status: 'active', periodEnd: null });
  t.equal(await outcome(ann.checkout('basic')), 'conflict', 'given for good');
  t.equal(await outcome(ann.call('cancelSubscription', { params })), 'conflict');
  t.match(await set('free', null), { plan: { id: 'free' }, status: 'none', limitBytes: 104_857_600 });
  const { items } = await ann.call('listLimits', { query: {} }, null);
  t.match(items, [{ accountId: ann.id, limitBytes: 104_857_600 }]);
  t.match(await ann.ledger(), { isBalanced: true, problems: [] });
});

t.test('an account that is deleted leaves amounts and no name', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Buyer(service);
  const paid = await ann.buy('basic');
  const open = await ann.checkout('standard', 'key');
  await until('the limit is told', async () => place.limits.has(ann.id));
  const outbox = service.money.outboxes.payments;
  const event = outbox.makeEvent('accountDeleted', { accountId: ann.id });
  for (const id of ['once', 'twice']) await service.ctx.bus.publish(event.type, { ...event, id }, { id });
  await until('it is forgotten', async () => (await outcome(ann.get(paid))) === 'not_found');
  await ann.act(open, 'pay', 3);
  const get = (paymentId: string) => ann.call('getPayment', { params: { paymentId } }, operator);
  await until('the late success is booked', async () => (await get(open.id)).status === 'success');
  t.match(await get(paid.id), { accountId: null, amountMinor: 200_000, status: 'success', reference: paid.reference });
  t.match(await ann.ledger(), { isBalanced: true, transactions: 2 });
  t.equal(await outcome(ann.checkout('basic')), 'not_found');
  await ann.reconcile();
  t.equal(place.limits.get(ann.id)?.seq, 1, 'no limit is told any more');
  t.same((await ann.call('listLimits', { query: {} }, null)).items, []);
  const kept = JSON.stringify(await Promise.all((await service.mongo.db.collections()).map((c) => c.find().toArray())));
  t.equal(kept.split(ann.id).length - 1, 1, 'only the fence still knows the id');
});
