import { createHmac } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import {
  Browser,
  logIn,
  newPerson,
  PASSWORD,
  type Payment,
  type Person,
  type Shown,
  someBytes,
  startTestStack,
  uniqueName,
  waitFor,
} from '../src/index.ts';

const MB = 1_000_000;
const plan = (id: string, limitBytes: number, amountMinor: number | null) => ({
  id,
  name: `${id[0]?.toUpperCase()}${id.slice(1)}`,
  limitBytes,
  price: amountMinor === null ? null : { amountMinor, currency: 'NGN' },
  periodDays: 30,
});
const PLANS = [plan('free', 2 * MB, null), plan('basic', 10 * MB, 200_000), plan('standard', 20 * MB, 500_000)];

const stack = await startTestStack({ env: { PLANS: JSON.stringify(PLANS), FREE_LIMIT_BYTES: String(2 * MB) } });
t.teardown(() => stack.stop());
const { http } = stack;

const textOf = ({ reply }: Shown): string => reply.text();
const pathOf = (payment: Payment): string => new URL(payment.checkoutUrl ?? '').pathname;

/** A browser in which a person has logged in, at the page of plans. */
async function logInBrowser({ account }: Person): Promise<{ browser: Browser; page: Shown }> {
  const browser = new Browser(http);
  const page = await browser.submit(await browser.open('/pay'), '/log-in', {
    login: account.username,
    password: PASSWORD,
  });
  return { browser, page };
}

/** Begins a payment natively and acts on the sandbox's page. */
async function pay(person: Person, planId: string, action: string, options: Record<string, string> = {}) {
  const payment = await person.client.checkout(planId);
  const browser = new Browser(http);
  const sandbox = await browser.open(pathOf(payment));
  await browser.submit(sandbox, pathOf(payment), { action, ...options });
  return payment;
}

const settled = (person: Person, { id }: Payment, status: Payment['status']) =>
  waitFor(`the payment is ${status}`, async () => (await person.client.payment(id)).status === status);
const limitIs = (person: Person, limitBytes: number) =>
  waitFor(`the limit is ${limitBytes}`, async () => (await person.client.usage()).limitBytes === limitBytes);

t.test('who is full buys space in a browser, and goes on', async (t) => {
  const person = await newPerson(http);
  const { client } = person;
  await client.putFile('first', someBytes(1.5 * MB));
  const refused = await client.request('PUT', '/v1/files/second', { body: someBytes(MB) });
  t.equal(refused.status, 507);
  t.equal(refused.problem().code, 'quota_exceeded');

  const { browser, page } = await logInBrowser(person);
  t.equal(page.at, '/pay');
  t.match(textOf(page), /You have <strong>Free<\/strong>/);
  const sandbox = await browser.submit(page, '/pay', { planId: 'basic' });
  t.match(sandbox.at, /^\/sandbox\/.+/, 'the browser stands at the provider');
  t.match(textOf(sandbox), /NGN 2,000\.00/);
  const receipt = await browser.submit(sandbox, sandbox.at, { action: 'pay' });
  t.match(receipt.at, /^\/payments\//);
  t.match(textOf(receipt), /<h1>Receipt<\/h1>/, 'verified with the provider when the person is back');
  t.match(textOf(receipt), person.account.email ?? 'an address');

  await limitIs(person, 10 * MB);
  await client.putFile('second', someBytes(MB));
  t.match(await client.subscription(), { status: 'active', plan: { id: 'basic' }, limitBytes: 10 * MB });
  const { items } = await client.payments();
  t.equal(items.length, 1);
  t.match(items[0], { status: 'success', amountMinor: 200_000, currency: 'NGN', checkoutUrl: null });
  t.equal(JSON.stringify(items).includes('accountId'), false);
  for (const shown of [page, sandbox, receipt]) {
    t.match(textOf(shown), /Sandbox: .*no money moves/, `${shown.at} says what it is`);
    t.notMatch(textOf(shown), /<script/i);
    const { headers } = shown.reply;
    t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/);
    t.equal(headers['cache-control'], 'no-store');
    t.equal(headers['referrer-policy'], 'no-referrer');
  }

  const again = await browser.open('/pay');
  t.match(textOf(again), /You have <strong>Basic<\/strong>.*paid until/);
  const left = await browser.submit(again, '/log-out');
  t.match(textOf(left), /<h1>Log in<\/h1>/);
  t.match(textOf(await browser.open(receipt.at)), /<h1>Log in<\/h1>/, 'a receipt is for who is logged in');
});

t.test('what is declined or abandoned gives nothing', async (t) => {
  const person = await newPerson(http);
  const { browser, page } = await logInBrowser(person);
  for (const [action, title, status] of [
    ['decline', 'Payment declined', 'failed'],
    ['abandon', 'Payment abandoned', 'abandoned'],
  ] as const) {
    const sandbox = await browser.submit(await browser.open('/pay'), '/pay', { planId: 'basic' });
    const after = await browser.submit(sandbox, sandbox.at, { action });
    t.match(textOf(after), `<h1>${title}</h1>`);
    t.equal((await person.client.payments()).items[0]?.status, status);
    t.equal((await browser.open(sandbox.at)).reply.status, 404, 'its page is closed');
  }
  t.match(await person.client.subscription(), { status: 'none', plan: { id: 'free' } });
  t.equal((await person.client.usage()).limitBytes, 2 * MB);
  t.equal(page.reply.status, 200);
});

t.test('messages of the provider settle a payment, lost, late or many', async (t) => {
  const person = await newPerson(http);
  const many = await pay(person, 'basic', 'pay', { times: '10', order: 'shuffled' });
  await settled(person, many, 'success');
  const { history } = await person.client.payment(many.id);
  t.equal(history.filter(({ status }) => status === 'success').length, 1, 'one effect');
  await limitIs(person, 10 * MB);

  const lost = await newPerson(http);
  const payment = await pay(lost, 'basic', 'pay', { times: '0' });
  t.equal((await lost.client.payment(payment.id)).status, 'pending', 'nobody told');
  const { browser } = await logInBrowser(lost);
  t.match(textOf(await browser.open(`/payments/${payment.id}`)), /<h1>Receipt<\/h1>/, 'the return page asks');
});

t.test('what is paid back takes its space along', { skip: !stack.hasOperator && 'needs an operator' }, async (t) => {
  const person = await newPerson(http);
  const payment = await pay(person, 'standard', 'pay');
  await limitIs(person, 20 * MB);
  await person.client.putFile('much', someBytes(5 * MB));
  const operator = await stack.operator();
  await operator.client.request('POST', `/v1/admin/payments/${payment.id}/reverse`, { json: { reason: 'asked for' } });
  await settled(person, payment, 'reversed');
  await limitIs(person, 2 * MB);
  t.equal((await person.client.getFile('much')).body.length, 5 * MB, 'nothing is deleted');
  t.equal((await person.client.request('PUT', '/v1/files/more', { body: 'x' })).status, 507);
});

t.test('a plan that is cancelled runs to its end', async (t) => {
  const person = await newPerson(http);
  const early = await person.client.request('POST', '/v1/subscription/cancel');
  t.equal(early.status, 409);
  const payment = await pay(person, 'basic', 'pay');
  await settled(person, payment, 'success');
  t.match(await person.client.cancelSubscription(), { status: 'cancelled', limitBytes: 10 * MB });
});

t.test('one key is one payment', async (t) => {
  const { client } = await newPerson(http);
  const headers = { 'idempotency-key': uniqueName() };
  const made = await Promise.all(Array.from({ length: 20 }, () => client.checkout('basic', { headers })));
  t.equal(new Set(made.map(({ id }) => id)).size, 1);
  t.equal((await client.payments()).items.length, 1);
  const other = await client.request('POST', '/v1/checkouts', { headers, json: { planId: 'standard' } });
  t.equal(other.problem().code, 'idempotency_key_reused');
});

t.test("others' payments are not there", async (t) => {
  const [owner, stranger] = await Promise.all([newPerson(http), newPerson(http)]);
  const payment = await owner.client.checkout('basic');
  const seen = await stranger.client.request('GET', `/v1/payments/${payment.id}`);
  t.equal(seen.status, 404);
  const { browser } = await logInBrowser(stranger);
  t.equal((await browser.open(`/payments/${payment.id}`)).reply.status, 404);
  t.same((await stranger.client.payments()).items, []);
  for (const [method, path] of [
    ['GET', '/v1/payments'],
    ['GET', `/v1/payments/${payment.id}`],
    ['GET', '/v1/subscription'],
    ['POST', '/v1/checkouts'],
    ['POST', '/v1/subscription/cancel'],
  ] as const) {
    t.equal((await http.request(method, path, { ...(method === 'POST' && { json: {} }) })).status, 401, path);
  }
  t.match(await stranger.client.as(undefined).plans(), { isSandbox: true, nextCursor: null }, 'plans are for all');
  const key = await owner.client.createKey({ name: 'reads', access: 'read-only' });
  const reader = owner.client.as(`Bearer ${key.id}.${key.secret}`);
  t.equal((await reader.request('POST', '/v1/checkouts', { json: { planId: 'basic' } })).problem().code, 'read_only');
  t.equal((await reader.payments()).items.length, 1);
});

t.test('a forged message changes nothing', async (t) => {
  const person = await newPerson(http);
  const payment = await person.client.checkout('basic');
  const body = JSON.stringify({
    event: 'charge.success',
    data: { reference: payment.reference, amount: 200_000, currency: 'NGN', status: 'success' },
  });
  const forged = createHmac('sha512', 'a guess').update(body).digest('hex');
  for (const signature of [undefined, '', 'x', forged, forged.toUpperCase(), forged.slice(1)]) {
    const headers = signature === undefined ? {} : { 'x-sandbox-signature': signature };
    for (const path of ['/v1/webhooks/sandbox', '/api/v1/payments/verify/webhook/']) {
      const reply = await http.request('POST', path, {
        body,
        headers: { 'content-type': 'application/json', ...headers },
      });
      t.equal(reply.status, 401, `${path} with ${signature}`);
    }
  }
  t.equal((await http.request('POST', '/v1/webhooks/unknown', { body })).status, 400);
  t.equal((await http.request('POST', '/v1/webhooks/sandbox', { body: Buffer.alloc(1024 * 1024 + 1) })).status, 413);
  t.equal((await person.client.payment(payment.id)).status, 'pending');
});

t.test('forms are taken from our own pages alone', async (t) => {
  const person = await newPerson(http);
  const { browser, page } = await logInBrowser(person);
  const once = '00000000-0000-4000-8000-000000000000';
  const token = /name="token" value="([^"]+)"/.exec(textOf(page))?.[1] ?? '';
  const other = await logInBrowser(await newPerson(http));
  const othersToken = /name="token" value="([^"]+)"/.exec(textOf(other.page))?.[1] ?? '';
  for (const bad of ['', 'x', token.slice(1), othersToken]) {
    t.equal((await browser.post('/pay', { token: bad, planId: 'basic', once })).reply.status, 403, `token ${bad}`);
    t.equal((await browser.post('/log-out', { token: bad })).reply.status, 403);
  }
  t.equal((await browser.post('/pay', { planId: 'basic', once })).reply.status, 400, 'no token');
  t.equal((await new Browser(http).post('/pay', { token, planId: 'basic', once })).reply.status, 403, 'no cookie');
  t.same((await person.client.payments()).items, []);

  const anew = new Browser(http);
  const form = await anew.open('/pay');
  for (const [changes, status] of [
    [{ login: person.account.username, password: 'wrong' }, 401],
    [{ login: '', password: 'x' }, 400],
    [{ login: 'x', password: '' }, 400],
    [{ login: person.account.username, password: PASSWORD, next: 'https://example.org/' }, 400],
    [{ login: person.account.username, password: PASSWORD, next: '//example.org/pay' }, 400],
    [{ login: person.account.username, password: PASSWORD, next: '/\\example.org' }, 400],
  ] as const) {
    t.equal((await anew.submit(form, '/log-in', changes)).reply.status, status, JSON.stringify(changes));
  }
  const shown = await anew.submit(form, '/log-in', { login: '"><script>alert(1)</script>', password: 'x' });
  t.notMatch(textOf(shown), /<script/, 'what was typed is text');
  t.match(textOf(shown), /&lt;script&gt;/);
  t.equal(anew.cookies.has('coffer_web'), false);
});

t.test('bad input is refused with its status', async (t) => {
  const { client } = await newPerson(http);
  const post = (json: unknown, headers = {}) => client.request('POST', '/v1/checkouts', { json, headers });
  for (const [json, status] of [
    [{}, 400],
    [[], 400],
    [null, 400],
    [{ planId: '' }, 400],
    [{ planId: 1 }, 400],
    [{ planId: null }, 400],
    [{ planId: 'Basic' }, 400],
    [{ planId: 'a'.repeat(33) }, 400],
    [{ planId: '$where' }, 400],
    [{ planId: { $ne: '' } }, 400],
    [{ planId: 'basic', amountMinor: 1 }, 400],
    [{ planId: 'unknown' }, 404],
    [{ planId: 'free' }, 409],
  ] as const) {
    const reply = await post(json);
    t.equal(reply.status, status, `${JSON.stringify(json)}: ${reply.text()}`);
  }
  t.equal((await post({ planId: 'basic' }, { 'idempotency-key': 'a b' })).problem().code, 'invalid_header');
  t.equal((await post({ planId: 'basic' }, { 'idempotency-key': 'a'.repeat(256) })).problem().code, 'invalid_header');
  for (const path of [
    '/v1/payments/x',
    '/v1/payments/..%2F',
    '/v1/payments?limit=0',
    '/v1/payments?limit=1001',
    '/v1/payments?x=1',
  ]) {
    t.equal((await client.request('GET', path)).status, 400, path);
  }
  t.equal((await client.request('GET', '/v1/payments?cursor=nonsense')).problem().code, 'invalid_cursor');
  t.equal((await client.request('GET', '/v1/payments/0192a000-0000-7000-8000-000000000000')).status, 404);
  for (const path of ['/sandbox/unknown', `/sandbox/${'x'.repeat(100)}`]) {
    const reply = await http.request('GET', path);
    t.equal(reply.status, 404, path);
    t.match(reply.headers['content-type'], /^text\/html/);
  }
  t.equal((await http.request('GET', `/sandbox/${'x'.repeat(101)}`)).status, 400);
  t.same((await client.payments()).items, []);
});

t.test('a new password by the page that the mail leads to', async (t) => {
  const browser = new Browser(http);
  t.equal((await browser.open('/reset-password')).reply.status, 401);
  const page = await browser.open('/reset-password?token=%22%3E%3Cscript%3E');
  t.notMatch(textOf(page), /<script/);
  const refused = await browser.submit(page, '/reset-password', { password: 'a long enough new password' });
  t.equal(refused.reply.status, 401);
  t.match(textOf(refused), /Ask for a new one/);
  t.equal((await browser.submit(page, '/reset-password', { password: '' })).reply.status, 400);

  const mailDir = stack.local?.mailDir;
  if (mailDir === undefined) return;
  const { account } = await newPerson(http);
  await http.request('POST', '/api/v1/auth/request-password-reset', { json: { email: account.email } });
  const link = await waitFor('the mail', () => resetLinkIn(mailDir, account.email ?? ''), { timeoutMs: 30_000 });
  t.equal(link.origin, stack.url);
  const form = await browser.open(link.pathname + link.search);
  t.match(textOf(form), /<h1>New password<\/h1>/);
  t.equal((await browser.submit(form, '/reset-password', { password: 'short' })).reply.status, 400, 'too weak');
  const password = 'a long enough new password';
  const [first, second] = await Promise.all([1, 2].map(() => browser.submit(form, '/reset-password', { password })));
  t.same([first?.reply.status, second?.reply.status].toSorted(), [200, 401], 'it works once');
  await logIn(http, account, password);
  t.equal(
    (await http.request('POST', '/v1/sessions', { json: { login: account.username, password: PASSWORD } })).status,
    401,
  );
});

/** The link in the mail to an address; undefined while there is none. */
async function resetLinkIn(mailDir: string, address: string): Promise<URL | undefined> {
  const names = (await readdir(mailDir)).filter((name) => name.endsWith('.eml'));
  const mails = await Promise.all(names.map((name) => readFile(path.join(mailDir, name), 'utf8')));
  const mail = mails.find((one) => one.includes(`To: ${address}\r\n`) && one.includes('/reset-password?'));
  // Quoted-printable (RFC 2045, 6.7).
  const plain = mail?.replaceAll('=\r\n', '').replaceAll('=3D', '=');
  const url = /https?:\S+\/reset-password\?token=[\w.%-]+/.exec(plain ?? '')?.[0];
  return url === undefined ? undefined : new URL(url);
}
