import { createHmac, randomBytes } from 'node:crypto';
import t from 'tap';
import { Buyer, bench, operator, outcome, until, webhook } from './bench.ts';

t.setTimeout(120_000);

t.test('a webhook that is forged, altered, replayed or of another amount changes nothing and is logged', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const [ann, eve] = [new Buyer(service), new Buyer(service)];
  const annas = await ann.checkout('basic');
  const eves = await eve.checkout('premium');
  const send = (about: Parameters<typeof webhook>[0], o?: Parameters<typeof webhook>[1]): Promise<string> =>
    outcome(ann.call('receiveWebhook', webhook(about, o), null));
  const nothingChanged = async (name: string): Promise<void> => {
    t.equal((await ann.get(annas)).status, 'pending', name);
    t.equal((await eve.get(eves)).status, 'pending');
  };
  const someKey = randomBytes(64);
  const refused: [string, () => Promise<string>][] = [
    ['another key', () => send(annas, { key: someKey })],
    ['no signature', () => send(annas, { headers: {} })],
    ['an empty one', () => send(annas, { headers: { 'x-sandbox-signature': '' } })],
    ['of wrong length', () => send(annas, { headers: { 'x-sandbox-signature': 'ab' } })],
    ['under another name', () => send(annas, { headers: { 'x-paystack-signature': 'ab'.repeat(64) } })],
    [
      'with the public secret of nobody',
      () => send(annas, { headers: { 'x-sandbox-signature': createHmac('sha512', '').update('{}').digest('hex') } }),
    ],
    ['altered reference', () => send(eves, { alter: (text) => text.replace(eves.reference, annas.reference) })],
    ['altered by a space', () => send(annas, { alter: (text) => `${text} ` })],
    ['an altered amount', () => send(annas, { alter: (text) => text.replace('200000', '1') })],
  ];
  for (const [name, result] of refused) t.equal(await result(), 'invalid_token', name);
  await nothingChanged('nothing that is badly signed does anything');
  t.equal(service.errors.length, refused.length, 'each is logged');

  t.equal(await send(annas), 'ok', 'well signed, and not true: the provider is asked');
  await nothingChanged('a lie of the message itself');
  t.equal(await send({ reference: 'coffer-of-nobody' }), 'ok');
  t.match(service.errors.at(-1)?.msg, /not ours/);
  await ann.act(annas, 'pay');
  t.equal(await send(annas), 'ok');
  t.equal((await ann.get(annas)).status, 'success');
  for (let i = 0; i < 20; i++) t.equal(await send(annas), 'ok');
  t.equal((await eve.get(eves)).status, 'pending', 'nobody else got it');
  t.match(await ann.ledger(), { isBalanced: true, transactions: 1 });

  for (const money of [
    { amountMinor: 999_999, currency: 'NGN' },
    { amountMinor: 1_000_001, currency: 'NGN' },
    { amountMinor: 1_000_000, currency: 'GHS' },
    { amountMinor: 0, currency: 'NGN' },
  ]) {
    const books = service.mongo.db.collection<{ _id: string }>('sandboxCheckouts');
    await books.updateOne({ _id: eves.reference }, { $set: { status: 'success', money } });
    t.equal(await send(eves), 'ok');
    await eve.verify(eves);
    t.equal(
      (await eve.get(eves)).status,
      'pending',
      `${money.amountMinor} ${money.currency} is not what was asked for`,
    );
    t.match(service.errors.at(-1)?.msg, /another payment/);
  }
  t.equal((await eve.subscription()).status, 'none');
  t.equal(
    await outcome(ann.call('receiveWebhook', { ...webhook(annas), params: { provider: 'paystack' } }, null)),
    'not_found',
  );
});

t.test('a checkout is made once per key', async (t) => {
  const place = await bench(t);
  const services = await Promise.all([place.start(), place.start()]);
  const [ann, eve] = [new Buyer(services), new Buyer(services)];
  const same = await Promise.all(Array.from({ length: 20 }, () => ann.checkout('basic', 'key')));
  t.equal(new Set(same.map(({ id }) => id)).size, 1);
  t.equal(new Set(same.map(({ checkoutUrl }) => checkoutUrl)).size, 1);
  t.equal(await outcome(ann.checkout('basic', 'key', 'other')), 'idempotency_key_reused');
  t.not((await eve.checkout('basic', 'key')).id, same[0]?.id, 'keys are each account’s own');
  t.equal(await services[0]?.mongo.payments.countDocuments(), 2);
  const [first] = same;
  if (!first) return;
  await ann.act(first, 'pay');
  await ann.verify(first);
  t.equal((await ann.checkout('basic', 'key')).status, 'success', 'and stays the same one');
});

t.test('who may see and do what', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const [ann, eve] = [new Buyer(service), new Buyer(service)];
  const reader = new Buyer(service, { ...ann.principal, readOnly: true });
  const nobody = new Buyer(service, { accountId: '00000000-0000-0000-0000-000000000000', readOnly: true });
  const payment = await ann.buy('basic');
  for (let i = 0; i < 4; i++) await ann.checkout('basic');
  const params = { accountId: ann.id };
  const paymentId = { paymentId: payment.id };
  const body = { planId: 'basic', publicUrl: 'http://x.example', email: null };
  const rows: [string, () => Promise<unknown>, string][] = [
    ['own', () => ann.call('getPayment', { params: paymentId }), 'ok'],
    ['reader', () => reader.call('getPayment', { params: paymentId }), 'ok'],
    ['other', () => eve.call('getPayment', { params: paymentId }), 'not_found'],
    ['nobody', () => nobody.call('getPayment', { params: paymentId }), 'not_found'],
    ['no principal', () => ann.call('getPayment', { params: paymentId }, null), 'unauthorized'],
    ['list of another', () => eve.call('listPayments', { params, query: {} }), 'not_found'],
    ['subscription of another', () => eve.call('getSubscription', { params }), 'not_found'],
    ['subscription by an operator', () => ann.call('getSubscription', { params }, operator), 'ok'],
    ['cancel another', () => eve.call('cancelSubscription', { params }), 'not_found'],
    ['cancel by a reader', () => reader.call('cancelSubscription', { params }), 'read_only'],
    ['checkout by a reader', () => reader.call('createCheckout', { body }), 'read_only'],
    ['checkout by nobody', () => nobody.call('createCheckout', { body }), 'unauthorized'],
    ['checkout without principal', () => ann.call('createCheckout', { body }, null), 'unauthorized'],
    ['find', () => ann.call('findPayments', { query: {} }), 'forbidden'],
    ['find without principal', () => ann.call('findPayments', { query: {} }, null), 'unauthorized'],
    ['reconcile', () => ann.call('reconcile', { body: {} }), 'forbidden'],
    ['limits', () => ann.call('listLimits', { query: {} }), 'forbidden'],
    ['ledger', () => ann.call('checkLedger', { body: {} }), 'forbidden'],
    ['ledger by an operator', () => ann.call('checkLedger', { body: {} }, operator), 'ok'],
    ['unknown plan', () => ann.call('createCheckout', { body: { ...body, planId: 'gold' } }), 'not_found'],
    ['free plan', () => ann.call('createCheckout', { body: { ...body, planId: 'free' } }), 'conflict'],
    ['plan id', () => ann.call('createCheckout', { body: { ...body, planId: '../x' } }), 'invalid_body'],
    ['no address', () => ann.call('createCheckout', { body: { ...body, publicUrl: 'x' } }), 'invalid_body'],
    [
      'another scheme',
      () => ann.call('createCheckout', { body: { ...body, publicUrl: 'javascript:alert(1)' } }),
      'invalid_body',
    ],
    [
      'with a password',
      () => ann.call('createCheckout', { body: { ...body, publicUrl: 'http://a:b@x.example' } }),
      'invalid_body',
    ],
    [
      'path elsewhere',
      () => ann.call('createCheckout', { body: { ...body, returnPath: '//evil.example' } }),
      'invalid_body',
    ],
    [
      'path elsewhere too',
      () => ann.call('createCheckout', { body: { ...body, returnPath: '/\\evil.example' } }),
      'invalid_body',
    ],
    [
      'relative path',
      () => ann.call('createCheckout', { body: { ...body, returnPath: '@evil.example' } }),
      'invalid_body',
    ],
    ['unknown reference', () => ann.call('verifyPayment', { body: { reference: 'x' } }, null), 'not_found'],
    ['empty reference', () => ann.call('verifyPayment', { body: { reference: '' } }, null), 'invalid_body'],
    ['cursor', () => ann.call('listPayments', { params, query: { cursor: 'nonsense' } }), 'invalid_cursor'],
    ['limit', () => ann.call('listPayments', { params, query: { limit: 0 } }), 'invalid_query'],
    ['status', () => ann.call('findPayments', { query: { status: 'x' as 'success' } }, operator), 'invalid_query'],
    ['reason', () => ann.call('reversePayment', { params: paymentId, body: { reason: '' } }, operator), 'invalid_body'],
    [
      'unknown payment',
      () => ann.call('reversePayment', { params: { paymentId: ann.id }, body: { reason: 'x' } }, operator),
      'not_found',
    ],
  ];
  for (const [name, call, code] of rows) t.equal(await outcome(call()), code, name);

  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ann.call('listPayments', { params, query: { limit: 2, ...(cursor ? { cursor } : {}) } });
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  t.equal(new Set(seen).size, 5);
  t.same(seen, seen.toSorted().reverse(), 'newest first');
  const find = async (query: { status?: 'success'; accountId?: string; reference?: string }) =>
    (await ann.call('findPayments', { query }, operator)).items.map(({ id }) => id);
  t.same(await find({ status: 'success' }), [payment.id]);
  t.same(await find({ reference: payment.reference }), [payment.id]);
  t.equal((await find({ accountId: ann.id })).length, 5);
  t.same(await find({ accountId: eve.id }), []);
});

t.test('switched off, everything else goes on', async (t) => {
  const place = await bench(t);
  const off = await place.start({ PAYMENT_PROVIDER: 'off' });
  const on = await place.start();
  const [ann, same] = [new Buyer(on), new Buyer(off)];
  const open = await ann.checkout('basic');
  t.equal(await outcome(same.checkout('basic')), 'conflict');
  t.equal((await same.call('listPlans', {}, null)).isSandbox, false);
  await ann.act(open, 'pay');
  t.equal((await same.verify(open)).status, 'pending', 'its provider cannot be asked here');
  place.clock.passDays(0.5);
  t.match(await same.reconcile(), { verified: 0, settled: 0 });
  place.clock.passDays(0.5);
  await until('the other one settles it', async () => (await ann.reconcile()).settled === 1);
});

t.test('a ledger that was tampered with is found out', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Buyer(service);
  const [one, two, three] = [await ann.buy('basic'), await ann.buy('basic'), await ann.buy('basic')];
  const { movements } = service.mongo;
  t.match(await ann.ledger(), { isBalanced: true, transactions: 3 });
  const kept = await movements.findOne({ paymentId: two.id });
  if (kept === null) throw new Error('no movement');
  await movements.deleteOne({ paymentId: one.id });
  await movements.updateOne({ paymentId: two.id }, { $set: { 'lines.0.amountMinor': 1 } });
  await movements.insertOne({ ...kept, _id: 'again', paymentId: three.id });
  await movements.insertOne({ ...kept, _id: 'of-nothing', paymentId: ann.id });
  const { isBalanced, problems } = await ann.ledger();
  t.equal(isBalanced, false);
  const text = (paymentId: string | null, message: string): string => `${paymentId} ${message}`;
  t.same(
    problems.map(({ paymentId, message }) => text(paymentId, message)).toSorted(),
    [
      text(null, 'the movement of-nothing is of no payment'),
      text(one.id, 'the movement of its success is missing'),
      text(two.id, 'the movement of its success does not have the amounts of the payment'),
      text(two.id, 'a movement is not balanced'),
      text(three.id, 'the movement of its success is there 2 times'),
    ].toSorted(),
  );
});
