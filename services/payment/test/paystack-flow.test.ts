import { randomUUID } from 'node:crypto';
import type { Payment } from '@coffer/contracts';
import t, { type Test } from 'tap';
import { type Bench, Buyer, bench, operator, outcome, type Service, until } from './bench.ts';
import { type PaystackServer, sendJson, startPaystackServer, transactionData } from './paystack-server.ts';

t.setTimeout(120_000);

async function setUp(t: Test): Promise<{ place: Bench; service: Service; paystack: PaystackServer }> {
  const paystack = await startPaystackServer();
  t.teardown(() => paystack.close());
  const place = await bench(t);
  const service = await place.start({ PAYSTACK_SECRET_KEY: paystack.secretKey, PAYSTACK_URL: paystack.url });
  return { place, service, paystack };
}

/** What Paystack would send of this payment, sent. */
async function send(
  buyer: Buyer,
  { body, headers }: { body: Buffer; headers: Record<string, string> },
): Promise<string> {
  const input = { params: { provider: 'paystack' as const }, body: { bodyBase64: body.toString('base64'), headers } };
  return await outcome(buyer.call('receiveWebhook', input, null));
}

function charge(paystack: PaystackServer, { reference }: Payment) {
  const found = paystack.transactions.get(reference);
  if (!found) throw new Error('no such transaction');
  return paystack.webhook('charge.success', transactionData(found));
}

t.test('a key is all it takes to sell through Paystack', async (t) => {
  const { service, paystack } = await setUp(t);
  const ann = new Buyer(service);
  t.equal((await ann.call('listPlans', {}, null)).isSandbox, false);
  const begun = await ann.checkout('basic');
  t.match(begun, { status: 'pending', provider: 'paystack', checkoutUrl: /^https:\/\/checkout\.paystack\.com\// });
  t.match(paystack.transactions.get(begun.reference), {
    amount: 200_000,
    currency: 'NGN',
    email: /^[0-9a-f-]{36}@payer\./,
  });
  t.equal((await ann.verify(begun)).status, 'pending', 'who comes back without having paid has not paid');
  t.equal(await send(ann, charge(paystack, begun)), 'ok');
  t.equal((await ann.get(begun)).status, 'pending', 'a signed message about what is not paid pays nothing');

  paystack.become(begun.reference, 'success');
  const message = charge(paystack, begun);
  await Promise.all(Array.from({ length: 20 }, () => send(ann, message)));
  t.equal((await ann.get(begun)).status, 'success');
  t.match(await ann.subscription(), { status: 'active', plan: { id: 'basic' }, limitBytes: 1_073_741_824 });
  t.match(await ann.ledger(), { isBalanced: true, transactions: 1 });

  const refund = { transaction_reference: begun.reference, amount: '200000', currency: 'NGN', refund_reference: null };
  t.equal(await send(ann, paystack.webhook('refund.pending', { ...refund, status: 'pending' })), 'ok');
  t.equal((await ann.get(begun)).status, 'success');
  paystack.become(begun.reference, 'reversed');
  t.equal(await send(ann, paystack.webhook('refund.processed', { ...refund, status: 'processed' })), 'ok');
  t.equal((await ann.get(begun)).status, 'reversed');
  t.equal((await ann.subscription()).status, 'none');
  t.match(await ann.ledger(), { isBalanced: true, transactions: 2 });
});

t.test('what is forged, altered or of another amount changes nothing', async (t) => {
  const { service, paystack } = await setUp(t);
  const ann = new Buyer(service);
  const begun = await ann.checkout('basic');
  paystack.become(begun.reference, 'success');
  const { body, headers } = charge(paystack, begun);
  t.equal(await send(ann, { body, headers: {} }), 'invalid_token');
  t.equal(await send(ann, { body, headers: { 'x-paystack-signature': '0'.repeat(128) } }), 'invalid_token');
  const altered = Buffer.from(body.toString().replace('200000', '200001'));
  t.equal(await send(ann, { body: altered, headers }), 'invalid_token');
  t.equal((await ann.get(begun)).status, 'pending');

  const kept = paystack.transactions.get(begun.reference);
  for (const wrong of [{ amount: 100 }, { amount: 200_001 }, { currency: 'USD' }]) {
    const right = { ...kept };
    Object.assign(kept ?? {}, wrong);
    const errors = service.errors.length;
    t.equal(await send(ann, charge(paystack, begun)), 'ok', 'not to be sent again');
    t.equal((await ann.get(begun)).status, 'pending', JSON.stringify(wrong));
    t.ok(service.errors.length > errors, 'and an operator is told');
    Object.assign(kept ?? {}, right);
  }
  t.equal((await ann.subscription()).status, 'none');
  t.equal(await send(ann, paystack.webhook('charge.success', { reference: randomUUID() })), 'ok', 'of nobody here');
  t.equal(await send(ann, charge(paystack, begun)), 'ok');
  t.equal((await ann.get(begun)).status, 'success');
});

t.test('a provider that fails leaves a payment that can be tried again', async (t) => {
  const { place, service, paystack } = await setUp(t);
  const ann = new Buyer(service);
  const refusal = { status: false, message: 'no' };
  const cases: [code: string, answer: Parameters<PaystackServer['misbehave']>[0]][] = [
    ['unavailable', (request) => request.socket.destroy()],
    ['unavailable', (_, response) => sendJson(response, 503, refusal)],
    ['upstream', (_, response) => sendJson(response, 500, refusal)],
    ['upstream', (_, response) => sendJson(response, 401, { status: false, message: 'Invalid key' })],
    ['rate_limited', (_, response) => sendJson(response, 429, refusal, { 'retry-after': '3' })],
  ];
  for (const [code, answer] of cases) {
    paystack.misbehave(answer);
    t.equal(await outcome(ann.checkout('basic', 'once')), code);
  }
  const begun = await ann.checkout('basic', 'once');
  t.equal(begun.status, 'pending');
  t.equal(paystack.transactions.size, 1, 'one reference through all of it');
  t.equal((await ann.checkout('basic', 'once')).id, begun.id);

  paystack.become(begun.reference, 'success');
  for (const [, answer] of cases) {
    paystack.misbehave(answer);
    t.equal((await ann.verify(begun)).status, 'pending', 'who looks meanwhile is told what is known');
    paystack.misbehave(answer);
    t.equal(await send(ann, charge(paystack, begun)), 'ok', 'a message is taken, and looked into later');
    t.equal((await ann.get(begun)).status, 'pending');
  }
  place.clock.passDays(0.5);
  await ann.reconcile();
  t.equal((await ann.get(begun)).status, 'success', 'found without any webhook');
});

t.test('what Paystack heard of although its answer was lost can be bought anew', async (t) => {
  const { place, service, paystack } = await setUp(t);
  const ann = new Buyer(service);
  paystack.misbehave((request, response) => {
    const { reference } = JSON.parse(paystack.requests.at(-1)?.body ?? '{}');
    // Taken, and then the line goes dead.
    paystack.transactions.set(reference, {
      id: 1,
      reference,
      amount: 200_000,
      currency: 'NGN',
      email: 'ada@example.org',
      callbackUrl: null,
      metadata: '',
      status: 'abandoned',
      paidAt: null,
      createdAt: new Date().toISOString(),
    });
    response.flushHeaders();
    request.socket.destroy();
  });
  t.equal(await outcome(ann.checkout('basic', 'first')), 'unavailable');
  t.equal(await outcome(ann.checkout('basic', 'first')), 'conflict', 'its page is not told twice');
  const again = await ann.checkout('basic', 'second');
  paystack.become(again.reference, 'success');
  t.equal((await ann.verify(again)).status, 'success');
  place.clock.passDays(2);
  await ann.reconcile();
  const { items } = await ann.call('listPayments', { params: { accountId: ann.id }, query: {} });
  t.same(items.map(({ status }) => status).sort(), ['abandoned', 'success']);
});

t.test('the sandbox: what waits to be sent survives the service', async (t) => {
  const place = await bench(t);
  const first = await place.start();
  const ann = new Buyer(first);
  const begun = await ann.checkout('basic');
  const params = { reference: begun.reference };
  const webhooks = { times: 3, delayMs: 1_000, isShuffled: true };
  await ann.call('actInSandbox', { params, body: { action: 'pay', webhooks } }, null);
  await first.stop();
  const second = new Buyer(await place.start(), ann.principal);
  await until('the webhook arrives', async () => (await second.get(begun)).status === 'success');
  t.match((await second.get(begun)).history.at(-1), { status: 'success', source: 'webhook' });
  t.equal(await outcome(second.call('getSandboxCheckout', { params }, null)), 'not_found', 'it is over');
});

t.test('the sandbox is off in production unless it is asked for', async (t) => {
  const place = await bench(t);
  const off = new Buyer(await place.start({ COFFER_ENV: 'production' }));
  t.equal((await off.call('listPlans', {}, null)).isSandbox, false);
  t.equal(await outcome(off.checkout('basic')), 'conflict');
  t.equal(await outcome(off.call('getSandboxCheckout', { params: { reference: 'a' } }, operator)), 'not_found');
  const on = new Buyer(await place.start({ COFFER_ENV: 'production', PAYMENT_PROVIDER: 'sandbox' }));
  t.equal((await on.call('listPlans', {}, null)).isSandbox, true);
  t.equal((await on.buy('basic')).status, 'success');
});
