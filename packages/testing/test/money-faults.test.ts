/**
 * Buyers at work in the sandbox while services and engines are killed at random. Afterwards: each payment is what its payer did and had
 * exactly one effect, none was lost or made twice, limits are right, and the ledger is balanced. MONEY_FAULT_SECONDS sets how long (15).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  Browser,
  everyItem,
  formsOf,
  logIn,
  newPerson,
  PASSWORD,
  type Payment,
  type PaymentStatus,
  type Person,
  startTestStack,
  type TestStack,
  waitFor,
} from '../src/index.ts';

const seconds = Number(process.env.MONEY_FAULT_SECONDS ?? 15);
const BUYERS = 6;
const VICTIMS = ['payment', 'metadata', 'worker', 'mongodb', 'nats', 'redis', 'gateway'] as const;
const EVERY_MS = 2_000;
/** The provider is asked about a payment a minute after it began, where its messages were lost. */
const RECOVERY_MS = 120_000;
const PATIENCE_MS = 15_000;
const DAY_MS = 24 * 60 * 60 * 1000;

const FREE_BYTES = 2_000_000;
const PLANS = [
  { id: 'free', name: 'Free', limitBytes: FREE_BYTES, price: null, periodDays: 30 },
  {
    id: 'basic',
    name: 'Basic',
    limitBytes: 10_000_000,
    price: { amountMinor: 200_000, currency: 'NGN' },
    periodDays: 30,
  },
];

const OUTCOMES = { pay: 'success', decline: 'failed', abandon: 'abandoned' } as const;
type Act = keyof typeof OUTCOMES;
/** What a buyer did, by the payment's id. */
type Book = Map<string, Act>;

const skip = process.env.COFFER_URL ? 'a deployment by URL is not ours to kill' : false;

t.test('payments under kills', { skip, timeout: (seconds + 400) * 1000 }, async (t) => {
  const stack = await startTestStack({
    ownEngines: true,
    env: { PLANS: JSON.stringify(PLANS), FREE_LIMIT_BYTES: String(FREE_BYTES), PAYMENTS_EVERY_SECONDS: '1' },
  });
  t.teardown(() => stack.stop());
  const { local } = stack;
  if (local === undefined) throw new Error('the stack is not ours');
  const people = await Promise.all(Array.from({ length: BUYERS }, () => newPerson(stack.http)));
  const books: Book[] = people.map(() => new Map());

  const stop = new AbortController();
  const wrong: string[] = [];
  const buyers = people.map(async (person, index) => {
    const book = books[index] ?? new Map();
    while (!stop.signal.aborted) await buy(stack, person, book, wrong);
  });
  const until = performance.now() + seconds * 1000;
  const killed: string[] = [];
  for (let n = 0; performance.now() < until; n++) {
    await delay(EVERY_MS * (0.5 + Math.random()));
    // Every one of them once, then by chance.
    const victim = VICTIMS[n < VICTIMS.length ? n : Math.floor(Math.random() * VICTIMS.length)];
    if (victim !== undefined && local.kill(victim, 'SIGKILL').length > 0) killed.push(victim);
  }
  stop.abort();
  await Promise.all(buyers);
  const acts = books.flatMap((book) => [...book.values()]);
  const paid = acts.filter((act) => act === 'pay').length;
  t.comment(`${acts.length} payments, ${paid} paid, killed: ${killed.join(', ')}`);
  t.ok(killed.length >= Math.min(5, seconds / 4), `${killed.length} kills hit a process`);
  t.ok(paid > BUYERS, `${paid} were paid`);
  t.strictSame(wrong, [], 'nothing was closed that nobody acted on');

  for (const [index, before] of people.entries()) {
    const person = await waitFor(
      'to log in',
      () => logIn(stack.http, before.account, PASSWORD).catch(() => undefined),
      {
        timeoutMs: RECOVERY_MS,
      },
    );
    await judge(t, person, books[index] ?? new Map());
  }
  const operator = await stack.operator();
  const reply = await operator.client.request('POST', '/v1/admin/ledger/check');
  t.equal(reply.status, 200);
  t.match(reply.json(), { isBalanced: true, problems: [], transactions: paid }, 'the ledger is balanced');
});

/** Tried until something answers what `isDone` takes, as a patient person does; kills last for seconds. */
async function insist<T>(what: string, work: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + RECOVERY_MS;
  for (;;) {
    const done = await work().catch(() => undefined);
    if (done !== undefined) return done;
    if (performance.now() > until) throw new Error(`${what} was never answered`);
    await delay(200);
  }
}

/** One payment from the plan to the provider's page and what is done there. */
async function buy(stack: TestStack, person: Person, book: Book, wrong: string[]): Promise<void> {
  const { client } = person;
  const headers = { 'idempotency-key': randomUUID() };
  // The same key each time: however many of the requests came through, it is one payment.
  const payment = await insist('a checkout', async () => {
    const options = { headers, json: { planId: 'basic' }, timeoutMs: PATIENCE_MS };
    const reply = await client.request('POST', '/v1/checkouts', options);
    if (reply.status < 500 && reply.status !== 201) wrong.push(`a checkout answers ${reply.status} ${reply.text()}`);
    return reply.status === 201 ? reply.json<Payment>() : undefined;
  });
  const chance = Math.random();
  const action: Act = chance < 0.7 ? 'pay' : chance < 0.85 ? 'decline' : 'abandon';
  book.set(payment.id, action);
  const path = new URL(payment.checkoutUrl ?? '').pathname;
  let tries = 0;
  await insist('the sandbox', async () => {
    const browser = new Browser(stack.http);
    const { reply } = await browser.open(path);
    // Closed: one of our tries came through whose answer did not.
    if (reply.status === 404) {
      if (tries === 0) wrong.push(`${payment.id} was closed before anything was done`);
      return true;
    }
    const form = formsOf(reply.text()).find((one) => one.action === path);
    if (form === undefined) return undefined;
    tries++;
    // The way back is not gone: what becomes of the payment is told by the provider's messages alone, which come twice and in any order.
    const answer = await stack.http.request('POST', path, {
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      },
      body: new URLSearchParams({ ...form.fields, action, times: '2', order: 'shuffled' }).toString(),
      timeoutMs: PATIENCE_MS,
    });
    return answer.status === 303 || answer.status === 302 ? true : undefined;
  });
}

async function judge(t: Test, { account, client }: Person, book: Book): Promise<void> {
  const own = async (): Promise<Payment[]> => {
    const all: Payment[] = [];
    for await (const one of everyItem((cursor) => client.payments(cursor === undefined ? {} : { cursor })))
      all.push(one);
    return all;
  };
  const due = ({ id }: Payment): PaymentStatus | undefined => {
    const act = book.get(id);
    return act && OUTCOMES[act];
  };
  const isSettled = async (): Promise<boolean> => (await own()).every((one) => one.status === due(one));
  await waitFor('all payments to be settled', isSettled, { timeoutMs: RECOVERY_MS, everyMs: 500 }).catch(
    (error: Error) => t.comment(error.message),
  );
  const payments = await own();
  t.strictSame(
    payments.map(({ id, status }) => `${id} ${status}`).toSorted(),
    [...book].map(([id, act]) => `${id} ${OUTCOMES[act]}`).toSorted(),
    `${account.username}: each payment is what was done, and there are no others`,
  );
  const bought = payments
    .filter(({ status }) => status === 'success')
    .toSorted((a, b) => Date.parse(a.periodStart ?? '') - Date.parse(b.periodStart ?? ''));
  const once = bought.filter(({ history }) => history.filter(({ status }) => status === 'success').length === 1);
  t.equal(once.length, bought.length, 'each succeeded once');

  // Every payment adds one period, which begins where the one before ends.
  const { status, periodEnd, limitBytes } = await client.subscription();
  for (const [index, { periodStart, periodEnd: end }] of bought.entries()) {
    t.equal(Date.parse(end ?? '') - Date.parse(periodStart ?? ''), 30 * DAY_MS);
    const next = bought[index + 1];
    t.equal(end, next === undefined ? periodEnd : next.periodStart);
  }
  t.equal(status, bought.length === 0 ? 'none' : 'active');
  const limit = bought.length === 0 ? FREE_BYTES : 10_000_000;
  t.equal(limitBytes, limit);
  const isRight = async (): Promise<boolean> => (await client.usage()).limitBytes === limit;
  await waitFor('the limit where the space is counted', isRight, { timeoutMs: RECOVERY_MS, everyMs: 500 });
}
