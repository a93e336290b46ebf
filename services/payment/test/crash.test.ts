import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { events, type Payment, paymentContract } from '@coffer/contracts';
import { createClient } from '@coffer/service-kit';
import t, { type Test } from 'tap';
import { type Bench, Buyer, bench, operator, type Service, until } from './bench.ts';

t.setTimeout(300_000);
const dayMs = 86_400_000;

/** A process of its own that is killed before its n-th write, which is all the same as after the one before it. */
async function dyingService(t: Test, place: Bench, healthy: Service, dieAt: number) {
  const script = fileURLToPath(new URL('dying-service.ts', import.meta.url));
  const orders = JSON.stringify({ env: place.env, dieAt });
  const child = spawn(process.execPath, [script, orders], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  const client = createClient(healthy.ctx, paymentContract, { address: String(url) });
  const service: Service = { ...healthy, url: String(url), client };
  return { service, isDead: () => child.signalCode === 'SIGKILL', exited };
}

/** Two purchases, the second taken back: as the dying one does it, or else the healthy one, asked again. */
async function live(healthy: Service, dying: Service): Promise<{ ann: Buyer; payments: Payment[] }> {
  const ann = new Buyer(healthy);
  const first = new Buyer(dying, ann.principal);
  const either = async <T>(act: (buyer: Buyer) => Promise<T>): Promise<T> => {
    try {
      return await act(first);
    } catch {
      return await act(ann);
    }
  };
  const payments: Payment[] = [];
  for (const key of ['one', 'two']) {
    const payment = await either((buyer) => buyer.checkout('basic', key));
    await ann.act(payment, 'pay');
    await either((buyer) => buyer.verify(payment));
    payments.push(payment);
  }
  const [, second] = payments;
  if (second === undefined) throw new Error('no payment');
  await either(async (buyer) => {
    if ((await ann.get(second)).status === 'reversed') return;
    await buyer.call('reversePayment', { params: { paymentId: second.id }, body: { reason: 'test' } }, operator);
  });
  await ann.reconcile();
  return { ann, payments };
}

t.test('killed before each write in turn: nothing is lost, nothing is given twice', async (t) => {
  const place = await bench(t);
  const healthy = await place.start();
  let dieAt = 1;
  for (; dieAt < 40; dieAt++) {
    const { service, isDead, exited } = await dyingService(t, place, healthy, dieAt);
    const { ann, payments } = await live(healthy, service);
    if (!isDead()) break;
    await exited;
    const [kept, reversed] = await Promise.all(payments.map((one) => ann.get(one)));
    const { periodStart, periodEnd, limitBytes } = await ann.subscription();
    const ledger = await ann.ledger();
    const heard = () =>
      new Set(
        place.heard.flatMap(({ type, data }) =>
          type === events.paymentSettled.type && (data as { accountId: string }).accountId === ann.id
            ? [JSON.stringify(data)]
            : [],
        ),
      ).size;
    await until('the limit is told', async () => place.limits.get(ann.id)?.limitBytes === limitBytes);
    await until('the receipts are due', async () => heard() === 3);
    const left = await healthy.mongo.payments.countDocuments({ workAt: { $exists: true } });
    t.same(
      [
        kept?.status,
        reversed?.status,
        (Date.parse(periodEnd ?? '') - Date.parse(periodStart ?? '')) / dayMs,
        ledger.problems,
        left,
      ],
      ['success', 'reversed', 30, [], 0],
      `write ${dieAt}`,
    );
    t.ok(kept?.periodEnd, 'the period is noted');
    t.equal(await healthy.mongo.movements.countDocuments({ paymentId: { $in: payments.map(({ id }) => id) } }), 3);
    t.equal(await healthy.mongo.payments.countDocuments({ accountId: ann.id }), 2, 'no payment was made twice');
  }
  t.ok(dieAt > 15, `${dieAt - 1} writes were tried`);
});
