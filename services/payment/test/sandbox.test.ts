import { randomBytes, randomUUID } from 'node:crypto';
import { NOBODY, type Principal, paymentContract } from '@coffer/contracts';
import { type App, appError, createApp, createClient, createTestContext, serve } from '@coffer/service-kit';
import t, { type Test } from 'tap';
import type { CheckoutRequest, WebhookHint } from '../src/domain/provider.ts';
import type { SandboxAction } from '../src/providers/sandbox/model.ts';
import { createSandbox, type Sandbox } from '../src/providers/sandbox/sandbox.ts';
import { ownUrl } from '../src/providers/sandbox/sender.ts';
import sandboxRoutes from '../src/routes/sandbox.ts';
import { openMongo } from '../src/store/mongo.ts';
import { createSandboxIndexes, createSandboxStore } from '../src/store/sandbox.ts';

const { MONGODB_URL: mongoUrl } = process.env;
if (!mongoUrl) throw new Error('These tests need MONGODB_URL; `npm test` provides it');
const internalSecret = 'a secret that all the services of a test share';
const operator: Principal = { accountId: '01900000-0000-7000-8000-000000000000', role: 'operator', readOnly: false };

/** A database of its own, and a service that takes webhooks through the contract and checks them as the provider does. */
async function setUp(t: Test, o: { isOn?: boolean } = {}) {
  const mongo = openMongo({ url: mongoUrl ?? '', database: `coffer-test-sandbox-${randomBytes(6).toString('hex')}` });
  await createSandboxIndexes(mongo.db);
  const store = createSandboxStore(mongo.db);
  const ctx = createTestContext('payment', { INTERNAL_SECRET: internalSecret });
  const app = createApp(ctx);
  let url: string | undefined;
  const newSandbox = (): Sandbox => createSandbox({ store, internalSecret, address: () => url, logger: ctx.logger });
  const sandbox = newSandbox();
  const hints: (WebhookHint & { at: number })[] = [];
  const refusals: string[] = [];
  app.register((scope: App, _options, done) => {
    sandboxRoutes(scope, { sandbox: (o.isOn ?? true) ? sandbox : undefined });
    serve(scope, paymentContract, 'receiveWebhook', async ({ body }) => {
      const hint = sandbox.provider.parseWebhook(Buffer.from(body.bodyBase64, 'base64'), body.headers);
      const refusal = refusals.shift();
      if (refusal) throw appError('unavailable', refusal);
      if (hint) hints.push({ ...hint, at: Date.now() });
    });
    done();
  });
  const listening = await app.listen({ host: '127.0.0.1', port: 0 });
  t.equal(ownUrl(app.server.address()), listening);
  url = listening;
  const client = createClient(ctx, paymentContract, { address: listening });
  t.teardown(async () => {
    await sandbox.stop();
    await Promise.all([ctx.shutdown.run('test'), app.close()]);
    await mongo.db.dropDatabase();
    await mongo.client.close();
  });

  async function begin(more: Partial<CheckoutRequest> = {}): Promise<string> {
    const reference = randomUUID();
    await sandbox.provider.initialize({
      reference,
      money: { amountMinor: 200_000, currency: 'NGN' },
      email: null,
      callbackUrl: 'http://files.test/receipts/1?lang=en',
      publicUrl: 'http://files.test/',
      metadata: { paymentId: 'p1', accountId: 'a1', planId: 'basic', planName: 'Basic' },
      ...more,
    });
    return reference;
  }
  return { sandbox, newSandbox, hints, refusals, client, store, begin };
}

async function until(ask: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error('It did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_500));

t.test('a checkout is begun once, however often it is asked for', async (t) => {
  const { sandbox, client, begin } = await setUp(t);
  const reference = randomUUID();
  await begin({ reference });
  await sandbox.checkouts.act(reference, 'pay', { times: 0 });
  const again = { ...(await request(reference)), money: { amountMinor: 200_000, currency: 'NGN' } };
  t.same(await sandbox.provider.initialize(again), { checkoutUrl: `http://files.test/sandbox/${reference}` });
  t.equal((await sandbox.provider.verify(reference)).status, 'success', 'what was paid stays paid');
  const dearer = { ...again, money: { amountMinor: 200_001, currency: 'NGN' } };
  await t.rejects(sandbox.provider.initialize(dearer), { code: 'conflict' });
  const foreign = { ...again, money: { amountMinor: 200_000, currency: 'USD' } };
  await t.rejects(sandbox.provider.initialize(foreign), { code: 'conflict' });

  const other = await begin();
  t.same(await client.call('getSandboxCheckout', { params: { reference: other } }), {
    reference: other,
    planName: 'Basic',
    amountMinor: 200_000,
    currency: 'NGN',
    returnUrl: `http://files.test/receipts/1?lang=en&trxref=${other}&reference=${other}`,
  });
  await t.rejects(client.call('getSandboxCheckout', { params: { reference } }), { code: 'not_found' }, 'paid');
  await t.rejects(client.call('getSandboxCheckout', { params: { reference: 'x' } }), { code: 'not_found' });
});

async function request(reference: string): Promise<CheckoutRequest> {
  return {
    reference,
    money: { amountMinor: 200_000, currency: 'NGN' },
    email: null,
    callbackUrl: 'http://files.test/receipts/1',
    publicUrl: 'http://files.test',
    metadata: { paymentId: 'p1', accountId: 'a1', planId: 'basic', planName: 'Basic' },
  };
}

t.test('what each action leads to', async (t) => {
  const { sandbox, begin } = await setUp(t);
  const cases: [actions: SandboxAction[], status: string][] = [
    [[], 'pending'],
    [['pay'], 'success'],
    [['pay', 'pay'], 'success'],
    [['decline'], 'failed'],
    [['abandon'], 'abandoned'],
    [['decline', 'pay'], 'success'],
    [['abandon', 'pay'], 'success'],
    [['pay', 'refund'], 'reversed'],
    [['pay', 'refund', 'refund'], 'reversed'],
    [['refund'], 'conflict'],
    [['decline', 'refund'], 'conflict'],
    [['decline', 'abandon'], 'conflict'],
    [['pay', 'decline'], 'conflict'],
    [['pay', 'abandon'], 'conflict'],
    [['pay', 'refund', 'pay'], 'conflict'],
  ];
  for (const [actions, status] of cases) {
    const reference = await begin();
    const act = async (): Promise<string> => {
      for (const action of actions) await sandbox.checkouts.act(reference, action);
      const found = await sandbox.provider.verify(reference);
      t.same(found.money, { amountMinor: 200_000, currency: 'NGN' });
      t.equal(found.paidAt instanceof Date, ['success', 'reversed'].includes(found.status));
      return found.status;
    };
    const outcome = await act().catch((error: unknown) =>
      error instanceof Error && 'code' in error ? error.code : error,
    );
    t.equal(outcome, status, actions.join(', '));
  }
  await t.rejects(sandbox.provider.verify('x'), { code: 'not_found' });
  await t.rejects(sandbox.checkouts.act('x', 'pay'), { code: 'not_found' });
});

t.test('its webhooks come signed, once by default', async (t) => {
  const { sandbox, client, hints, begin } = await setUp(t);
  sandbox.start();
  const [paid, declined, abandoned] = [await begin(), await begin(), await begin()];
  const { returnUrl } = await client.call('actInSandbox', { params: { reference: paid }, body: { action: 'pay' } });
  t.match(returnUrl, `reference=${paid}`);
  await client.call('actInSandbox', { params: { reference: declined }, body: { action: 'decline' } });
  await client.call('actInSandbox', { params: { reference: abandoned }, body: { action: 'abandon' } });
  await until(() => hints.length >= 3);
  await sandbox.checkouts.act(paid, 'refund');
  await until(() => hints.length >= 4);
  await quiet();
  t.same(
    hints.map(({ reference, event }) => `${event} ${reference}`).sort(),
    [`other ${abandoned}`, `other ${declined}`, `reversed ${paid}`, `settled ${paid}`].sort(),
  );
});

t.test('late, lost, or many times, as asked', async (t) => {
  const { sandbox, hints, store, begin } = await setUp(t);
  sandbox.start();
  const [late, lost, often] = [await begin(), await begin(), await begin()];
  const since = Date.now();
  await sandbox.checkouts.act(lost, 'pay', { times: 0 });
  await sandbox.checkouts.act(late, 'pay', { delayMs: 1_000 });
  await sandbox.checkouts.act(often, 'pay', { times: 100 });
  const count = (one: string): number => hints.filter(({ reference }) => reference === one).length;
  await until(() => count(often) >= 100 && count(late) === 1);
  await until(async () => (await store.get(often))?.sends.length === 0);
  await quiet();
  t.ok(Number(hints.find(({ reference }) => reference === late)?.at) - since >= 1_000, 'not before its time');
  t.equal(count(lost), 0);
  t.equal((await sandbox.provider.verify(lost)).status, 'success', 'lost, but paid');
  t.equal(count(often), 100, 'and no more than that, where nothing went wrong');
});

t.test('shuffled ones come in any order, with those that still wait', async (t) => {
  const { sandbox, hints, begin } = await setUp(t);
  const reference = await begin();
  await sandbox.checkouts.act(reference, 'pay', { times: 20, delayMs: 300 });
  await sandbox.checkouts.act(reference, 'refund', { times: 20, delayMs: 600, isShuffled: true });
  sandbox.start();
  await until(() => hints.length >= 40);
  const events = hints.map(({ event }) => event);
  t.ok(events.indexOf('reversed') < events.lastIndexOf('settled'), 'a refund comes before the last success');
  t.equal(events.filter((event) => event === 'settled').length, 20);
});

t.test('what is not taken is sent again', async (t) => {
  const { sandbox, hints, refusals, store, begin } = await setUp(t);
  refusals.push('no', 'not yet', 'wait');
  sandbox.start();
  const reference = await begin();
  await sandbox.checkouts.act(reference, 'pay');
  await until(() => hints.length === 1, 20_000);
  t.equal(refusals.length, 0);
  await until(async () => (await store.get(reference))?.sends.length === 0);
});

t.test('what waits survives the end of the process that was asked', async (t) => {
  const { sandbox, newSandbox, hints, begin } = await setUp(t);
  const reference = await begin();
  await sandbox.checkouts.act(reference, 'pay', { times: 3, delayMs: 200 });
  await sandbox.stop();
  await quiet();
  t.equal(hints.length, 0);
  const next = newSandbox();
  t.teardown(() => next.stop());
  next.start();
  await until(() => hints.length === 3);
});

t.test('two instances share the work, and races of actions leave one state', async (t) => {
  const { sandbox, newSandbox, hints, store, begin } = await setUp(t);
  const second = newSandbox();
  t.teardown(() => second.stop());
  sandbox.start();
  second.start();
  const references = await Promise.all(Array.from({ length: 10 }, () => begin()));
  await Promise.all(
    references.flatMap((reference) =>
      (['abandon', 'pay', 'decline', 'pay', 'pay'] as const).map(async (action, index) => {
        const by = index % 2 ? sandbox : second;
        await by.checkouts.act(reference, action).catch((error: unknown) => {
          if (!(error instanceof Error && 'code' in error && error.code === 'conflict')) throw error;
        });
      }),
    ),
  );
  for (const reference of references) {
    t.equal((await sandbox.provider.verify(reference)).status, 'success');
    await until(async () => (await store.get(reference))?.sends.length === 0);
    t.ok(hints.filter((hint) => hint.reference === reference && hint.event === 'settled').length >= 3);
  }
});

t.test('no more wait than one document should hold', async (t) => {
  const { sandbox, begin } = await setUp(t);
  const reference = await begin();
  for (let round = 0; round < 10; round++)
    await sandbox.checkouts.act(reference, 'pay', { times: 100, delayMs: 60_000 });
  await t.rejects(sandbox.checkouts.act(reference, 'pay'), { code: 'busy' });
});

t.test('only an operator pays back', async (t) => {
  const { sandbox, client, begin } = await setUp(t);
  const reference = await begin();
  await sandbox.checkouts.act(reference, 'pay');
  const refund = { params: { reference }, body: { action: 'refund' as const } };
  await t.rejects(client.call('actInSandbox', refund), { code: 'unauthorized' });
  await t.rejects(client.call('actInSandbox', refund, { principal: NOBODY }), { code: 'forbidden' });
  const user: Principal = { ...operator, role: 'user' };
  await t.rejects(client.call('actInSandbox', refund, { principal: user }), { code: 'forbidden' });
  t.equal((await sandbox.provider.verify(reference)).status, 'success');
  await client.call('actInSandbox', refund, { principal: operator });
  t.equal((await sandbox.provider.verify(reference)).status, 'reversed');
});

t.test('switched off, it is not there', async (t) => {
  const { sandbox, client, begin } = await setUp(t, { isOn: false });
  const reference = await begin();
  const params = { reference };
  await t.rejects(client.call('getSandboxCheckout', { params }), { code: 'not_found' });
  await t.rejects(client.call('actInSandbox', { params, body: { action: 'pay' } }), { code: 'not_found' });
  t.equal((await sandbox.provider.verify(reference)).status, 'pending');
});

t.test('bad input is refused', async (t) => {
  const { client, begin } = await setUp(t);
  const params = { reference: await begin() };
  const bodies: Record<string, unknown>[] = [
    {},
    { action: 'steal' },
    { action: 'pay', more: 1 },
    { action: 'pay', webhooks: { times: -1 } },
    { action: 'pay', webhooks: { times: 101 } },
    { action: 'pay', webhooks: { times: 1.5 } },
    { action: 'pay', webhooks: { delayMs: 60_001 } },
    { action: 'pay', webhooks: { delayMs: -1 } },
    { action: 'pay', webhooks: { isShuffled: 'maybe' } },
    { action: 'pay', webhooks: { order: 'random' } },
    { action: 'pay', webhooks: [] },
  ];
  for (const body of bodies) {
    // What no typed caller can send.
    const input = { params, body } as unknown as { params: typeof params; body: { action: 'pay' } };
    await t.rejects(client.call('actInSandbox', input), { code: 'invalid_body' }, JSON.stringify(body));
  }
});

t.test('a webhook of the sandbox is believed by its signature alone', async (t) => {
  const { sandbox } = await setUp(t);
  const { provider } = sandbox;
  const body = Buffer.from('{"event":"charge.success","data":{"reference":"r1"}}');
  for (const headers of [{}, { 'x-sandbox-signature': '' }, { 'x-sandbox-signature': '0'.repeat(128) }])
    t.throws(() => provider.parseWebhook(body, headers), { code: 'invalid_token' });
});
