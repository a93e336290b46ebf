/** Payments as the API of shared files has them: its pages, its records, its messages. By URL alone. */
import t from 'tap';
import { CloudboxClient } from '../../src/dialects/index.ts';
import { Browser, formsOf, PASSWORD, startTestStack, uniqueName, waitFor } from '../../src/index.ts';

t.setTimeout(120_000);
const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http } = stack;
const NO_ACCESS = "You're not allowed to access, request access";
const PAY = '/api/v1/payments/pay/';

async function newUser(): Promise<CloudboxClient & { readonly email: string; readonly id: string }> {
  const email = `${uniqueName()}@example.org`;
  const client = new CloudboxClient(http);
  const { id } = await client.register({ first_name: 'Ada', last_name: 'Obi', email, password: PASSWORD });
  await client.logIn(email, PASSWORD);
  return Object.assign(client, { email, id });
}

interface Transaction {
  id: string;
  user_id: string;
  reference_id: string;
  amount: number;
  status: string;
  created_at: string;
}
const paymentsOf = async (user: CloudboxClient) => (await user.request('GET', 'payments/')).json<Transaction[]>();

t.test('a plan is bought on the page that the access token opens', async (t) => {
  const user = await newUser();
  t.same(await paymentsOf(user), []);
  const browser = new Browser(http);
  const page = await browser.open(PAY, { authorization: `Bearer ${user.access}` });
  t.equal(page.reply.status, 200);
  t.match(page.reply.headers['content-type'], /^text\/html/);
  t.match(page.reply.text(), /Sandbox: .*no money moves/);
  t.notMatch(page.reply.text(), /<script/i);

  const sandbox = await browser.submit(page, PAY, { planId: 'basic' });
  t.match(sandbox.at, /^\/sandbox\//, 'without the token: the form says who asked for it');
  const [open] = await paymentsOf(user);
  t.strictSame(Object.keys(open ?? {}), ['id', 'user_id', 'reference_id', 'amount', 'status', 'created_at']);
  t.match(open, { user_id: user.id, amount: 2000, status: 'pending' });
  const twice = await browser.submit(page, PAY, { planId: 'basic' });
  t.equal(twice.at, sandbox.at, 'one form is one payment');

  const after = await browser.submit(sandbox, sandbox.at, { action: 'pay', times: '0' });
  t.match(after.at, /^\/payments\//, 'the browser is sent on to its receipt');
  const [paid] = await paymentsOf(user);
  t.match(paid, { id: open?.id, status: 'success' }, 'the provider was asked on the way');
  const verified = await user.request('GET', `payments/verify/${paid?.reference_id}/`);
  t.strictSame(verified.json(), paid);
  t.equal((await paymentsOf(user)).length, 1);
  await waitFor('the log-in for the receipt', () => /<h1>Log in<\/h1>/.test(after.reply.text()));
});

t.test('a browser that is logged in on the pages needs no token', async (t) => {
  const user = await newUser();
  const browser = new Browser(http);
  const logIn = await browser.open(PAY);
  t.equal(logIn.at, '/pay', 'who is not known is sent to log in');
  await browser.submit(logIn, '/log-in', { login: user.email, password: PASSWORD });
  const page = await browser.open(PAY);
  t.equal(formsOf(page.reply.text())[0]?.action, PAY);
});

t.test('bad input is refused in the shape of this API', async (t) => {
  const [user, other] = await Promise.all([newUser(), newUser()]);
  const nobody = new CloudboxClient(http);
  const page = await user.request('GET', 'payments/pay/');
  const ticket = formsOf(page.text())[0]?.fields.ticket ?? '';
  const [accountId = '', expiresAt = '', seal = ''] = ticket.split('.');
  const pay = (fields: Record<string, string>) =>
    http.request('POST', PAY, {
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const cases = [
    [await nobody.request('GET', 'payments/'), 401, NO_ACCESS],
    [await nobody.request('GET', 'payments/pay/'), 401, NO_ACCESS],
    [await new CloudboxClient(http, 'x').request('GET', 'payments/pay'), 401, NO_ACCESS],
    [await pay({}), 401, NO_ACCESS],
    [await pay({ ticket: 'x', planId: 'basic' }), 401, NO_ACCESS],
    [await pay({ ticket: `${other.id}.${expiresAt}.${seal}`, planId: 'basic' }), 401, NO_ACCESS],
    [await pay({ ticket: `${accountId}.${Number(expiresAt) + 1}.${seal}`, planId: 'basic' }), 401, NO_ACCESS],
    [await pay({ ticket: `${ticket}x`, planId: 'basic' }), 401, NO_ACCESS],
    [await pay({ ticket, planId: '' }), 400, 'planId is required'],
    [await pay({ ticket, planId: 'Basic Plan' }), 400, 'planId is required'],
    [await pay({ ticket, planId: 'unknown' }), 404, undefined],
    [await pay({ ticket, planId: 'free' }), 409, undefined],
    [await user.request('GET', 'payments/verify/'), 400, 'reference is required'],
    [await user.request('GET', `payments/verify/${'x'.repeat(101)}`), 400, 'reference is required'],
    [await user.request('GET', 'payments/verify/unknown'), 404, undefined],
    [await nobody.request('POST', 'payments/verify/webhook/', { json: {} }), 401, NO_ACCESS],
    [await nobody.request('POST', 'payments/verify/webhook', { body: 'x' }), 401, NO_ACCESS],
    [await nobody.request('GET', 'payments/verify/webhook/'), 405, undefined],
    [await user.request('POST', 'payments/', { json: {} }), 405, undefined],
    [await user.request('DELETE', 'payments/pay/'), 405, undefined],
  ] as const;
  for (const [reply, status, error] of cases) {
    const about = `${status} ${reply.text().slice(0, 200)}`;
    t.equal(reply.status, status, about);
    t.equal(reply.headers['content-type'], 'application/json', about);
    if (error !== undefined) t.strictSame(reply.json(), { error }, about);
  }
  t.same(await paymentsOf(user), []);
});
