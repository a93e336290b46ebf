import fastify from 'fastify';
import t from 'tap';
import { chargedOf, decimalOf, formatBytes, formatMoney } from '../src/pages/format.ts';
import { html, sendPage } from '../src/pages/page.ts';
import { goTo } from '../src/pages/scope.ts';
import { isSealOf, sealOf } from '../src/pages/seal.ts';

t.test('what is shown is text, unless it was made as markup', async (t) => {
  const hostile = `<script>alert("1")</script>&'`;
  const escaped = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;';
  t.equal(html`<p title="${hostile}">${hostile}</p>`.markup, `<p title="${escaped}">${escaped}</p>`);
  t.equal(html`${html`<b>${1}</b>`}${undefined}${[html`<i></i>`, html`<u></u>`]}`.markup, '<b>1</b><i></i><u></u>');
});

t.test('a page runs nothing, loads nothing and tells nobody', async (t) => {
  const app = fastify();
  app.get('/', (_request, reply) =>
    sendPage(reply, { title: 'A <b>', body: html`<p>x</p>`, isSandbox: true, status: 404 }),
  );
  const { statusCode, headers, body } = await app.inject('/');
  t.equal(statusCode, 404);
  t.match(headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  t.match(body, '<title>A &lt;b&gt; · Coffer</title>');
  t.match(body, 'Sandbox: this is for trying out, and no money moves.');
  await app.close();
});

t.test('the browser is sent on by a redirect here, by a page elsewhere', async (t) => {
  const app = fastify();
  app.get<{ Querystring: { to: string } }>('/', (request, reply) => goTo(request, reply, request.query.to));
  const get = (to: string) => app.inject({ url: '/', query: { to }, headers: { host: 'files.example.org' } });
  for (const to of ['/payments/1?a=b', 'http://files.example.org/payments/1?a=b']) {
    const { statusCode, headers } = await get(to);
    t.same([statusCode, headers.location], [303, '/payments/1?a=b'], to);
  }
  for (const to of ['https://pay.example.com/x?a=1&b=2', '//pay.example.com/x', 'https://files.example.org/x']) {
    const { statusCode, headers, body } = await get(to);
    t.same([statusCode, headers.location], [200, undefined], to);
    t.match(body, `<meta http-equiv="refresh" content="0; url=${to.replaceAll('&', '&amp;')}">`);
  }
  await app.close();
});

t.test('money is written exactly, with the digits of its currency', async (t) => {
  for (const [amountMinor, currency, decimal, shown] of [
    [0, 'NGN', '0.00', 'NGN 0.00'],
    [5, 'NGN', '0.05', 'NGN 0.05'],
    [200_000, 'NGN', '2000.00', 'NGN 2,000.00'],
    [123_456_789, 'USD', '1234567.89', 'USD 1,234,567.89'],
    [1_234_567, 'JPY', '1234567', 'JPY 1,234,567'],
    [Number.MAX_SAFE_INTEGER, 'KWD', '9007199254740.991', 'KWD 9,007,199,254,740.991'],
  ] as const) {
    t.equal(decimalOf({ amountMinor, currency }), decimal);
    t.equal(formatMoney({ amountMinor, currency }), shown);
  }
  const price = { amountMinor: 1_000_000, creditMinor: 483_333, currency: 'NGN' };
  t.same(chargedOf(price), { amountMinor: 516_667, currency: 'NGN' });
});

t.test('sizes are written in the units that they were made of', async (t) => {
  for (const [bytes, shown] of [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1024, '1 KiB'],
    [1023, '1023 B'],
    [100_000_000, '100 MB'],
    [104_857_600, '100 MiB'],
    [10_000_000_000, '10 GB'],
    [10 * 1024 ** 3, '10 GiB'],
    [1_234_567, '1.2 MB'],
  ] as const) {
    t.equal(formatBytes(bytes), shown, String(bytes));
  }
});

t.test('a seal is for one purpose, one secret and these texts', async (t) => {
  const seal = sealOf('secret', 'form', ['a', 'b']);
  t.ok(isSealOf(seal, 'secret', 'form', ['a', 'b']));
  t.notOk(isSealOf(seal, 'secret', 'other', ['a', 'b']));
  t.notOk(isSealOf(seal, 'other', 'form', ['a', 'b']));
  t.notOk(isSealOf(seal, 'secret', 'form', ['ab']));
  t.notOk(isSealOf(seal, 'secret', 'form', ['ab', '']));
  for (const bad of ['', 'x', seal.slice(1), `${seal}x`, seal.toUpperCase(), 'é'.repeat(seal.length)]) {
    t.notOk(isSealOf(bad, 'secret', 'form', ['a', 'b']), bad);
  }
});
