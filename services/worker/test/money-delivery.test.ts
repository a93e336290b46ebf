import { type Account, type EventEnvelope, events, type Payment } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import t from 'tap';
import { as, password, startWorld } from './helpers.ts';

t.setTimeout(300_000);

const world = await startWorld(t, ['auth', 'metadata']);
const { post, payment, metadata, auth } = world;
const paymentService = await world.start('payment');
const OFTEN = { PAYMENTS_EVERY_SECONDS: '1', LEDGER_EVERY_SECONDS: '1' };
const worker = await world.startWorker(OFTEN);
const LATE = { timeoutMs: 60_000 };
const operator = as({ id: newId() }, { role: 'operator' });
const PUBLIC_URL = String(world.env.PUBLIC_URL);
await waitFor('plans', async () => (await payment.call('listPlans', {})).items.length > 0, LATE);

const checkout = (account: Account, planId = 'basic'): Promise<Payment> =>
  payment.call('createCheckout', { body: { planId, publicUrl: PUBLIC_URL, email: account.email } }, as(account));
const act = (one: Payment, action: 'pay' | 'refund', times = 1) =>
  payment.call(
    'actInSandbox',
    { params: { reference: one.reference }, body: { action, webhooks: { times } } },
    action === 'refund' ? operator : {},
  );
const mailsTo = (account: Account, subject: RegExp) =>
  post.mailsTo(String(account.email)).filter((mail) => subject.test(mail.subject ?? ''));
const mailTo = async (account: Account, subject: RegExp) => {
  await waitFor(`the mail ${subject}`, () => mailsTo(account, subject).length > 0, LATE);
  return mailsTo(account, subject)[0];
};
const event = (name: keyof typeof events, data: object): EventEnvelope => ({
  id: newId(),
  type: events[name].type,
  schema: 1,
  at: new Date().toISOString(),
  data,
});
const outcomeOf = async ({ id }: EventEnvelope, { id: to }: Pick<Account, 'id'>): Promise<unknown> =>
  (await world.queue.getJob(`${id}_${to}`))?.returnvalue;
const untilOutcome = (outcome: string, one: EventEnvelope, account: Pick<Account, 'id'>) =>
  waitFor(`the outcome ${outcome}`, async () => (await outcomeOf(one, account)) === outcome, LATE);

t.test('whoever pays gets one receipt, also where the provider says so ten times', async (t) => {
  const account = await world.register({ username: `Łódź ${newId()}`, email: `${newId()}@example.org` });
  const bought = await checkout(account);
  await act(bought, 'pay', 10);
  const mail = await mailTo(account, /^Receipt/);
  t.equal(mail?.subject, 'Receipt: Basic, NGN\u00a02,000.00');
  t.match(mail?.text, `Hello ${account.username},`);
  t.ok(mail?.text?.includes(`${PUBLIC_URL}/payments/${bought.id}\n`));
  t.match(mail?.text, 'sandbox: no money moved');
  const { periodStart, periodEnd } = await payment.call(
    'getPayment',
    { params: { paymentId: bought.id } },
    as(account),
  );
  t.match(mail?.text, `from ${periodStart?.slice(0, 10)} to ${periodEnd?.slice(0, 10)}`);

  // The event again, as a bus brings it that forgot it: another id is another cause, the same id is the same mail.
  const again = event('paymentSettled', { accountId: account.id, paymentId: bought.id, status: 'success' });
  for (let n = 0; n < 10; n++) await world.publish(again);
  await untilOutcome('sent', again, account);
  t.equal(mailsTo(account, /^Receipt/).length, 2);

  await payment.call('reversePayment', { params: { paymentId: bought.id }, body: { reason: 'a test' } }, operator);
  const back = await mailTo(account, /^Paid back/);
  t.equal(back?.subject, 'Paid back: Basic, NGN\u00a02,000.00');
  t.match(back?.text, 'taken back');
  // What is no longer so is not told.
  const late = event('paymentSettled', { accountId: account.id, paymentId: bought.id, status: 'success' });
  await world.publish(late);
  await untilOutcome('obsolete', late, account);
  t.equal(mailsTo(account, /^Receipt/).length, 2);
});

// The provider is asked a minute after a payment began: waited for at the end.
const forgotten = await world.register();
await act(await checkout(forgotten), 'pay', 0);

t.test("others' payments, and those that are not there, are no mails", async (t) => {
  const [buyer, other] = await Promise.all([world.register(), world.register()]);
  const bought = await checkout(buyer);
  await act(bought, 'pay');
  await mailTo(buyer, /^Receipt/);
  const wrong = event('paymentSettled', { accountId: other.id, paymentId: bought.id, status: 'success' });
  const nothing = event('paymentSettled', { accountId: other.id, paymentId: newId(), status: 'success' });
  for (const one of [wrong, nothing]) await world.publish(one);
  await untilOutcome('obsolete', wrong, other);
  await untilOutcome('obsolete', nothing, other);
  t.equal(post.mailsTo(String(other.email)).length, 0);
});

t.test('the end of a period is told when it is near and when it comes', async (t) => {
  const account = await world.register();
  const until = new Date(Date.now() + 4_000).toISOString();
  const params = { accountId: account.id };
  await payment.call('setPlan', { params, body: { planId: 'basic', until } }, operator);
  const after = await mailTo(account, /^Your plan “Basic” has ended/);
  t.match(after?.text, `ended at ${until.slice(0, 16).replace('T', ' ')} UTC. Your account is back to 100 MiB`);
  t.match(after?.text, 'Payments run in a sandbox here');
  t.ok(after?.text?.includes(`${PUBLIC_URL}/pay\n`));

  // Bought anew before the mail was written: there is nothing to remind of.
  await act(await checkout(account), 'pay');
  await mailTo(account, /^Receipt/);
  for (const days of [7, 1, 0]) {
    const stale = event('subscriptionEnding', { accountId: account.id, planId: 'basic', periodEnd: until, days });
    await world.publish(stale);
    await untilOutcome('obsolete', stale, account);
  }
  const running = await payment.call('getSubscription', { params }, as(account));
  const near = { accountId: account.id, planId: 'basic', periodEnd: running.periodEnd, days: 7 };
  const reminder = event('subscriptionEnding', near);
  for (let n = 0; n < 5; n++) await world.publish(reminder);
  await untilOutcome('sent', reminder, account);
  const before = mailsTo(account, /^Your plan “Basic” ends in 7 days/);
  t.equal(before.length, 1);
  t.match(before[0]?.text, 'Your account then goes back to 100 MiB');
  // Who cancelled is not reminded.
  const { periodEnd } = await payment.call('cancelSubscription', { params }, as(account));
  const cancelled = event('subscriptionEnding', { accountId: account.id, planId: 'basic', periodEnd, days: 7 });
  await world.publish(cancelled);
  await untilOutcome('obsolete', cancelled, account);
});

t.test('space that runs out is told while it does', async (t) => {
  const account = await world.register();
  const notYet = event('spaceRunningOut', { accountId: account.id, percent: 80 });
  await world.publish(notYet);
  await untilOutcome('obsolete', notYet, account);
  const params = { accountId: account.id };
  // A limit of nothing is all used.
  await metadata.call('setLimit', { params, body: { limitBytes: 0 } }, operator);
  const warned = event('spaceRunningOut', { accountId: account.id, percent: 80 });
  for (let n = 0; n < 5; n++) await world.publish(warned);
  await untilOutcome('sent', warned, account);
  const mails = mailsTo(account, /^100 % of your space is used/);
  t.equal(mails.length, 1);
  t.match(mails[0]?.text, 'you use 0 bytes of 0 bytes');
});

t.test('an account that is gone gets nothing more', async (t) => {
  const account = await world.register();
  const bought = await checkout(account);
  await act(bought, 'pay');
  await mailTo(account, /^Receipt/);
  await auth.call('deleteAccount', { params: { accountId: account.id }, body: { password } }, as(account));
  const count = post.mailsTo(String(account.email)).length;
  const causes = [
    event('paymentSettled', { accountId: account.id, paymentId: bought.id, status: 'success' }),
    event('paymentSettled', { accountId: account.id, paymentId: bought.id, status: 'reversed' }),
    event('subscriptionEnding', { accountId: account.id, planId: 'basic', periodEnd: bought.createdAt, days: 0 }),
    event('spaceRunningOut', { accountId: account.id, percent: 80 }),
    event('passwordReset', { accountId: account.id, resetId: newId() }),
    event('passwordResetRequested', { accountId: account.id, resetId: newId() }),
  ];
  for (const one of causes) await world.publish(one);
  for (const one of causes) await untilOutcome('obsolete', one, account);
  t.equal(post.mailsTo(String(account.email)).length, count);
});

t.test('a worker that is killed while payments are reconciled leaves that to another', async () => {
  const queue = world.queueOf('payments');
  // The service stands still: a run is under way and gets no answer.
  paymentService.process.kill('SIGSTOP');
  await waitFor('a run under way', async () => (await queue.getActiveCount()) > 0, LATE);
  const [held] = await queue.getActive();
  worker.process.kill('SIGKILL');
  await world.startWorker(OFTEN);
  paymentService.process.kill('SIGCONT');
  await waitFor(
    'its end',
    async () => {
      const job = await queue.getJob(String(held?.id));
      return job === undefined || (await job.isCompleted());
    },
    LATE,
  );
  const done = await queue.getCompletedCount();
  await waitFor('more runs', async () => (await queue.getCompletedCount()) > done + 1, LATE);
});

t.test('the ledger is looked at by the clock', async (t) => {
  const queue = world.queueOf('ledger');
  const completed = await queue.getCompleted(0, 0);
  t.equal(completed[0]?.returnvalue, 'balanced');
  t.match(worker.log(), 'the ledger is balanced');
  t.notMatch(worker.log(), /example\.org/);
});

t.test('a payment whose message was lost is found by the schedule, and gets its receipt', async (t) => {
  await waitFor('the receipt', () => mailsTo(forgotten, /^Receipt/).length > 0, { timeoutMs: 100_000 });
  t.equal(mailsTo(forgotten, /^Receipt/).length, 1);
});
