import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { type AppError, isAppError } from '@coffer/service-kit';
import t, { type Test } from 'tap';
import type { CheckoutRequest } from '../src/domain/provider.ts';
import { createPaystack } from '../src/providers/paystack/provider.ts';
import { type PaystackServer, sendJson, startPaystackServer, transactionData } from './paystack-server.ts';

const timeoutMs = 400;
const mailDomain = 'accounts.example.org';

async function setUp(t: Test) {
  const server = await startPaystackServer();
  t.teardown(() => server.close());
  const { url, secretKey } = server;
  return { server, paystack: createPaystack({ url, secretKey, mailDomain, timeoutMs }) };
}

const newRequest = (more: Partial<CheckoutRequest> = {}): CheckoutRequest => ({
  reference: randomUUID(),
  money: { amountMinor: 200_000, currency: 'NGN' },
  email: 'ada@example.org',
  callbackUrl: 'https://files.example.org/receipts/1',
  publicUrl: 'https://files.example.org',
  metadata: { paymentId: 'p1', accountId: 'a1', planId: 'basic', planName: 'Basic' },
  ...more,
});

/** The error of the closed set that it ends with. */
async function failure(call: Promise<unknown>): Promise<AppError> {
  const error = await call.then(
    (value) => new Error(`it was answered: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (isAppError(error)) return error;
  throw error;
}

t.test('a checkout is begun with what the reference asks for', async (t) => {
  const { server, paystack } = await setUp(t);
  const request = newRequest();
  const { checkoutUrl } = await paystack.initialize(request);
  t.match(checkoutUrl, /^https:\/\/checkout\.paystack\.com\/\w+$/);
  const kept = server.transactions.get(request.reference);
  t.match(kept, { amount: 200_000, currency: 'NGN', email: 'ada@example.org', callbackUrl: request.callbackUrl });
  t.match(kept?.metadata, { ...request.metadata, cancel_action: request.callbackUrl });
  const [asked] = server.requests;
  t.equal(asked?.headers.authorization, `Bearer ${server.secretKey}`);
  t.match(asked?.headers['content-type'], /^application\/json/);
});

t.test('who has no address is given one that nothing is delivered to', async (t) => {
  const { server, paystack } = await setUp(t);
  const request = newRequest({ email: null });
  await paystack.initialize(request);
  t.equal(server.transactions.get(request.reference)?.email, `a1@${mailDomain}`);
});

t.test('a slash at the end of the address changes nothing', async (t) => {
  const { server } = await setUp(t);
  const paystack = createPaystack({ url: `${server.url}//`, secretKey: server.secretKey, mailDomain });
  await paystack.initialize(newRequest());
  t.equal(server.requests[0]?.path, '/transaction/initialize');
});

t.test('each documented status is understood', async (t) => {
  const { server, paystack } = await setUp(t);
  const request = newRequest();
  await paystack.initialize(request);
  const { reference, money } = request;
  t.same(await paystack.verify(reference), { status: 'pending', money, reference }, 'nobody has paid yet');
  for (const [status, ours] of [
    ['abandoned', 'pending'],
    ['ongoing', 'pending'],
    ['pending', 'pending'],
    ['processing', 'pending'],
    ['queued', 'pending'],
    ['failed', 'failed'],
    ['success', 'success'],
    ['reversed', 'reversed'],
  ] as const) {
    server.become(reference, status);
    const found = await paystack.verify(reference);
    t.match(found, { status: ours, money, reference }, status);
    if (status === 'success') t.equal(found.paidAt?.toISOString(), server.transactions.get(reference)?.paidAt);
  }
});

t.test('a wrong key is refused, and is in no message', async (t) => {
  const { server } = await setUp(t);
  const paystack = createPaystack({ url: server.url, secretKey: 'sk_test_wrong', mailDomain });
  const error = await failure(paystack.initialize(newRequest()));
  t.equal(error.code, 'upstream');
  t.match(String(error.cause), /401: Invalid key/);
  t.notMatch(`${error.detail} ${String(error.cause)}`, 'sk_test_wrong');
});

t.test('a reference that was used is a conflict, one that was not is not found', async (t) => {
  const { server, paystack } = await setUp(t);
  const request = newRequest();
  await paystack.initialize(request);
  t.equal((await failure(paystack.initialize(request))).code, 'conflict');
  t.equal((await failure(paystack.verify(randomUUID()))).code, 'not_found');
  server.misbehave((_, response) => sendJson(response, 404, { status: false, message: 'Transaction not found' }));
  t.equal((await failure(paystack.verify(randomUUID()))).code, 'not_found', 'as 404 with other words');
});

t.test('what Paystack refuses is an upstream error', async (t) => {
  const { server, paystack } = await setUp(t);
  for (const request of [
    newRequest({ money: { amountMinor: 0, currency: 'NGN' } }),
    newRequest({ money: { amountMinor: 1, currency: 'EUR' } }),
    newRequest({ email: 'nobody' }),
  ])
    t.equal((await failure(paystack.initialize(request))).code, 'upstream');
  t.equal(server.transactions.size, 0);
});

t.test('a reference that is not legal is never sent', async (t) => {
  const { server, paystack } = await setUp(t);
  for (const reference of ['', '../balance', 'a/b', 'a b', 'a_b', 'ä', 'x'.repeat(101)]) {
    await t.rejects(paystack.verify(reference), /no such reference/, JSON.stringify(reference));
    await t.rejects(paystack.initialize(newRequest({ reference })), /no such reference/);
  }
  t.equal(server.requests.length, 0);
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const json =
  (status: number, body: unknown, headers?: Record<string, string>): Answer =>
  (_, response) =>
    sendJson(response, status, body, headers);
const text =
  (status: number, body: string): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' });
    response.end(body);
  };
const refusal = { status: false, message: 'no' };

const failures: [name: string, answer: Answer, code: string, retryAfter?: string][] = [
  ['429 with seconds', json(429, refusal, { 'retry-after': '7' }), 'rate_limited', '7'],
  [
    '429 with a date that has passed',
    json(429, refusal, { 'retry-after': 'Fri, 01 Jan 2021 00:00:00 GMT' }),
    'rate_limited',
    '1',
  ],
  ['429 with nonsense', json(429, refusal, { 'retry-after': 'soon' }), 'rate_limited', '60'],
  ['429 with a negative time', json(429, refusal, { 'retry-after': '-5' }), 'rate_limited'],
  ['429 with a year', json(429, refusal, { 'retry-after': '31536000' }), 'rate_limited', '3600'],
  ['429 without a time, without JSON', text(429, 'slow down'), 'rate_limited', '60'],
  ['503', json(503, refusal), 'unavailable', '60'],
  ['503 as a page', text(503, '<h1>Maintenance</h1>'), 'unavailable', '60'],
  ['500', json(500, refusal), 'upstream'],
  ['500 that says success', json(500, { status: true, message: 'ok', data: {} }), 'upstream'],
  ['502 as a page', text(502, '<h1>Bad gateway</h1>'), 'upstream'],
  ['504', text(504, ''), 'upstream'],
  ['400', json(400, refusal), 'upstream'],
  ['400 without a message', json(400, {}), 'upstream'],
  ['403', json(403, refusal), 'upstream'],
  ['404 as a page', text(404, 'Transaction not found'), 'upstream'],
  ['a redirection', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 'upstream'],
  ['no content', (_, response) => response.writeHead(204).end(), 'upstream'],
  ['200 that says no', json(200, { ...refusal, data: {} }), 'upstream'],
  ['200 with the status in words', json(200, { status: 'true', data: { status: 'success' } }), 'upstream'],
  ['200 without data', json(200, { status: true, message: 'ok' }), 'upstream'],
  ['200 with a list', json(200, { status: true, data: [] }), 'upstream'],
  ['200 with null', text(200, 'null'), 'upstream'],
  ['an empty 200', text(200, ''), 'upstream'],
  ['half of the JSON', text(200, '{"status": true, "data": {"sta'), 'upstream'],
  ['HTML', text(200, '<!doctype html>'), 'upstream'],
  ['two megabytes', text(200, ' '.repeat(2 * 1024 * 1024)), 'upstream'],
  ['a connection that is cut at once', (request) => request.socket.destroy(), 'unavailable'],
  [
    'a connection that is cut within the answer',
    (request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"status": true', () => request.socket.destroy());
    },
    'unavailable',
  ],
  ['silence', () => {}, 'timeout'],
  [
    'silence within the answer',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"status": true, "data"');
    },
    'timeout',
  ],
  [
    'an answer that drips',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    },
    'timeout',
  ],
];
for (const [name, answer, code, retryAfter] of failures)
  t.test(`${name} is ${code}`, async (t) => {
    const { server, paystack } = await setUp(t);
    const request = newRequest();
    await paystack.initialize(request);
    server.become(request.reference, 'success');
    for (const call of [() => paystack.verify(request.reference), () => paystack.initialize(newRequest())]) {
      server.misbehave(answer);
      const error = await failure(call());
      t.equal(error.code, code);
      if (retryAfter !== undefined) t.equal(error.headers?.['retry-after'], retryAfter);
    }
    t.equal((await paystack.verify(request.reference)).status, 'success', 'the next one is answered');
  });

t.test('Retry-After as a date is counted from now', async (t) => {
  const { server, paystack } = await setUp(t);
  const date = new Date(Date.now() + 120_000).toUTCString();
  server.misbehave(json(429, refusal, { 'retry-after': date }));
  const seconds = Number((await failure(paystack.verify('a'))).headers?.['retry-after']);
  t.ok(seconds > 110 && seconds <= 120, String(seconds));
});

t.test('nobody there is unavailable', async (t) => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const address = holder.address();
  await new Promise((resolve) => holder.close(resolve));
  const port = typeof address === 'object' ? address?.port : 1;
  const paystack = createPaystack({ url: `http://127.0.0.1:${port}`, secretKey: 'sk', mailDomain, timeoutMs });
  t.equal((await failure(paystack.verify('a'))).code, 'unavailable');
});

t.test('a caller who could abort waits no longer than others', async (t) => {
  const { server, paystack } = await setUp(t);
  server.misbehave(() => {});
  const { signal } = new AbortController();
  t.equal((await failure(paystack.verify('a', signal))).code, 'timeout');
});

t.test('the abort of the caller ends it at once', async (t) => {
  const { server, paystack } = await setUp(t);
  server.misbehave(() => {});
  const abort = new AbortController();
  const call = paystack.verify('a', abort.signal);
  setTimeout(() => abort.abort(new Error('gone')), 50);
  await t.rejects(call, /gone/);
});

const good = {
  status: 'success',
  reference: 'r1',
  amount: 200_000,
  currency: 'NGN',
  paid_at: '2026-01-02T03:04:05.000Z',
};
const odd: [name: string, data: object | string][] = [
  ['an amount in words', { ...good, amount: '200000' }],
  ['a fraction', { ...good, amount: 2000.5 }],
  ['a negative amount', { ...good, amount: -1 }],
  ['no amount', { ...good, amount: undefined }],
  ['an amount that is null', { ...good, amount: null }],
  ['2^53', `{"status":"success","reference":"r1","currency":"NGN","amount":9007199254740992}`],
  ['2^53 + 1', `{"status":"success","reference":"r1","currency":"NGN","amount":9007199254740993}`],
  ['more than a double holds', `{"status":"success","reference":"r1","currency":"NGN","amount":1e999}`],
  ['no currency', { ...good, currency: undefined }],
  ['a currency in small letters', { ...good, currency: 'ngn' }],
  ['a currency that is none', { ...good, currency: 'NAIRA' }],
  ['another reference', { ...good, reference: 'r2' }],
  ['a reference in other letters', { ...good, reference: 'R1' }],
  ['no reference', { ...good, reference: undefined }],
  ['an unknown status', { ...good, status: 'paid' }],
  ['a status in capitals', { ...good, status: 'SUCCESS' }],
  ['no status', { ...good, status: undefined }],
  ['a status that is true', { ...good, status: true }],
  ['a status of the prototype', { ...good, status: 'constructor' }],
];
for (const [name, data] of odd)
  t.test(`a verification with ${name} is not believed`, async (t) => {
    const { server, paystack } = await setUp(t);
    const body = typeof data === 'string' ? data : JSON.stringify(data);
    server.misbehave(text(200, `{"status":true,"message":"Verification successful","data":${body}}`));
    t.equal((await failure(paystack.verify('r1'))).code, 'upstream');
  });

t.test('what is whole but said to be no success is not believed', async (t) => {
  const { server, paystack } = await setUp(t);
  for (const status of [false, 'true', 1, null, undefined]) {
    server.misbehave(json(200, { status, message: 'Verification successful', data: good }));
    t.equal((await failure(paystack.verify('r1'))).code, 'upstream', String(status));
  }
  server.misbehave(json(500, { status: true, data: good }));
  t.equal((await failure(paystack.verify('r1'))).code, 'upstream', 'and neither is a success with 500');
});

t.test('the largest exact amount is taken, and a time that cannot be read is left out', async (t) => {
  const { server, paystack } = await setUp(t);
  const data = { ...good, amount: Number.MAX_SAFE_INTEGER, paid_at: 'yesterday', paidAt: null };
  server.misbehave(json(200, { status: true, data }));
  t.same(await paystack.verify('r1'), {
    status: 'success',
    reference: 'r1',
    money: { amountMinor: Number.MAX_SAFE_INTEGER, currency: 'NGN' },
  });
});

for (const [name, data] of [
  ['no address', {}],
  ['a script', { authorization_url: 'javascript:alert(1)' }],
  ['no address at all', { authorization_url: 'checkout' }],
  ['an address of another kind', { authorization_url: 'ftp://checkout.paystack.com/a' }],
  ['a number', { authorization_url: 7 }],
  ['another reference', { authorization_url: 'https://checkout.paystack.com/a', reference: 'other' }],
] as const)
  t.test(`an initialization with ${name} is not believed`, async (t) => {
    const { server, paystack } = await setUp(t);
    const request = newRequest();
    server.misbehave(json(200, { status: true, data: { reference: request.reference, ...data } }));
    t.equal((await failure(paystack.initialize(request))).code, 'upstream');
  });

t.test('what a signed webhook is about', async (t) => {
  const { server, paystack } = await setUp(t);
  const request = newRequest({ reference: 'r1' });
  await paystack.initialize(request);
  server.become('r1', 'success');
  const paid = server.transactions.get('r1');
  const charge = paid ? transactionData(paid) : {};
  const refund = { transaction_reference: 'r1', refund_reference: null, amount: '200000', currency: 'NGN' };
  const cases: [event: string, data: Record<string, unknown>, hint: unknown][] = [
    ['charge.success', charge, { reference: 'r1', event: 'settled' }],
    ['charge.failed', { ...charge, status: 'failed' }, { reference: 'r1', event: 'other' }],
    ['refund.pending', { ...refund, status: 'pending' }, { reference: 'r1', event: 'other' }],
    ['refund.processing', { ...refund, status: 'processing' }, { reference: 'r1', event: 'other' }],
    ['refund.processed', { ...refund, status: 'processed' }, { reference: 'r1', event: 'reversed' }],
    ['refund.processed', { ...refund, amount: 200_000 }, { reference: 'r1', event: 'reversed' }],
    ['refund.failed', { ...refund, status: 'failed' }, { reference: 'r1', event: 'other' }],
    ['refund.needs-attention', refund, { reference: 'r1', event: 'other' }],
    ['charge.dispute.create', { id: 1, transaction: charge }, { reference: 'r1', event: 'other' }],
    ['charge.dispute.resolve', { id: 1, transaction: charge }, { reference: 'r1', event: 'reversed' }],
    ['charge.success', {}, null],
    ['charge.success', { reference: 17 }, null],
    ['refund.processed', { reference: 'r1' }, null],
    ['charge.dispute.resolve', { reference: 'r1' }, null],
    ['transfer.success', { reference: 'r1' }, null],
    ['subscription.create', { reference: 'r1' }, null],
    ['', { reference: 'r1' }, null],
  ];
  for (const [event, data, hint] of cases) {
    const { body, headers } = server.webhook(event, data);
    t.same(paystack.parseWebhook(body, headers), hint, `${event} ${JSON.stringify(hint)}`);
  }
  for (const body of ['', 'null', '[]', '"charge.success"', '{', '{"event":"charge.success","data":[]}', '\u0000'])
    t.equal(paystack.parseWebhook(Buffer.from(body), { 'x-paystack-signature': server.sign(body) }), null, body);
});

t.test('a webhook is believed by its signature alone, over the bytes as they came', async (t) => {
  const { server, paystack } = await setUp(t);
  const { body, headers } = server.webhook('charge.success', { reference: 'r1', note: 'ä €' });
  const signature = headers['x-paystack-signature'] ?? '';
  const right = { reference: 'r1', event: 'settled' };
  t.same(paystack.parseWebhook(body, { 'X-Paystack-Signature': signature.toUpperCase() }), right);
  const other = startsWithOther(signature);
  const forged: [string, Buffer, Record<string, string>][] = [
    ['without a signature', body, {}],
    ['with an empty one', body, { 'x-paystack-signature': '' }],
    ['with a shorter one', body, { 'x-paystack-signature': signature.slice(0, -2) }],
    ['with a longer one', body, { 'x-paystack-signature': `${signature}00` }],
    ['with another one', body, { 'x-paystack-signature': other }],
    ['with one that is not hex', body, { 'x-paystack-signature': 'ä'.repeat(64) }],
    ['under another header', body, { 'x-signature': signature }],
    ['with the key itself', body, { 'x-paystack-signature': server.secretKey }],
    ['with a space more', Buffer.concat([body, Buffer.from(' ')]), headers],
    ['with its JSON written anew', Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1)), headers],
    ['with another reference', Buffer.from(body.toString().replace('r1', 'r2')), headers],
    ['without a body', Buffer.alloc(0), headers],
  ];
  for (const [name, bytes, given] of forged)
    t.throws(() => paystack.parseWebhook(bytes, given), { code: 'invalid_token' }, name);
  const stranger: PaystackServer = await startPaystackServer('sk_test_other');
  t.teardown(() => stranger.close());
  const theirs = stranger.webhook('charge.success', { reference: 'r1' });
  t.throws(() => paystack.parseWebhook(theirs.body, theirs.headers), { code: 'invalid_token' }, 'with another key');
});

const startsWithOther = (hex: string): string => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);
