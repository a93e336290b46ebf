import { type EventEnvelope, events } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import t from 'tap';
import { amountShown, sizeShown } from '../src/domain/amounts.ts';
import { receiptMail, refundMail, spaceRunningOutMail, subscriptionEndingMail } from '../src/domain/money-mails.ts';
import { withoutPerson } from '../src/domain/withheld.ts';
import { type MailCause, mailJobsFor } from '../src/events/mail-causes.ts';

const at = '2026-11-21T12:34:56.789Z';
const eventOf = (cause: MailCause, data: unknown): EventEnvelope => ({
  id: newId(),
  type: events[cause].type,
  schema: 1,
  at,
  data,
});

t.test('events about money ask for one mail each, which names things by id alone', async (t) => {
  const [to, paymentId] = [newId(), newId()];
  const common = { version: 1, at, to };
  const settled = (status: string) => eventOf('paymentSettled', { accountId: to, paymentId, status });
  t.strictSame(mailJobsFor('paymentSettled', settled('success')), [{ ...common, kind: 'receipt', paymentId }]);
  t.strictSame(mailJobsFor('paymentSettled', settled('reversed')), [{ ...common, kind: 'refund', paymentId }]);
  t.equal(mailJobsFor('paymentSettled', settled('failed')), undefined);
  const ending = { planId: 'basic', periodEnd: at, days: 7 };
  t.strictSame(mailJobsFor('subscriptionEnding', eventOf('subscriptionEnding', { accountId: to, ...ending })), [
    { ...common, kind: 'subscription-ending', ...ending },
  ]);
  t.strictSame(mailJobsFor('spaceRunningOut', eventOf('spaceRunningOut', { accountId: to, percent: 80 })), [
    { ...common, kind: 'space-running-out', percent: 80 },
  ]);
  t.equal(mailJobsFor('spaceRunningOut', eventOf('spaceRunningOut', { accountId: to, percent: 0 })), undefined);
});

const amounts = [
  [200_000, 'NGN', '2,000.00'],
  [1, 'NGN', '0.01'],
  [0, 'NGN', '0.00'],
  [99, 'USD', '0.99'],
  [1_000, 'JPY', '1,000'],
  [0, 'JPY', '0'],
  [1_234, 'KWD', '1.234'],
  // A double would make …40.92 of it.
  [Number.MAX_SAFE_INTEGER, 'EUR', '90,071,992,547,409.91'],
  [Number.MAX_SAFE_INTEGER, 'KWD', '9,007,199,254,740.991'],
] as const;
for (const [amountMinor, currency, digits] of amounts) {
  t.test(`${amountMinor} of ${currency} in minor units is ${digits}`, async (t) => {
    t.equal(amountShown({ amountMinor, currency }), `${currency}\u00a0${digits}`);
  });
}

t.test('sizes are counted as limits are, and never rounded up', async (t) => {
  const table = [
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1000, '1 kB'],
    [1024, '1 KiB'],
    [104_857_600, '100 MiB'],
    [104_857_599, '104.8 MB'],
    [1_000_000_000, '1 GB'],
    [1.5 * 2 ** 30, '1.5 GiB'],
    [Number.MAX_SAFE_INTEGER, '9 PB'],
  ] as const;
  for (const [bytes, words] of table) t.equal(sizeShown(bytes), words);
});

const facts = {
  username: 'Łódź 日本 <b>',
  paymentId: newId(),
  reference: 'cof_1<2>',
  planName: 'Basis & mehr "ü"\r\nBcc: x@example.org',
  charged: { amountMinor: 200_000, currency: 'NGN' },
  creditMinor: 0,
  isSandbox: false,
  publicUrl: 'https://files.example/coffer/',
};
const period = {
  paidAt: new Date(at),
  periodStart: new Date('2026-11-21T00:00:00.000Z'),
  periodEnd: new Date('2026-12-21T00:00:00.000Z'),
};

t.test('a receipt says what was paid and what for, with its link', async (t) => {
  const { subject, text, html } = receiptMail({ ...facts, ...period });
  t.equal(subject, 'Receipt: Basis & mehr "ü" Bcc: x@example.org, NGN\u00a02,000.00');
  const link = `https://files.example/coffer/payments/${facts.paymentId}`;
  const parts = ['2026-11-21 12:34 UTC', 'from 2026-11-21 to 2026-12-21', 'Reference: cof_1<2>', `\n${link}\n`];
  for (const part of parts) t.ok(text.includes(part), part);
  t.ok(html.includes('Basis &amp; mehr &quot;ü&quot; Bcc'));
  t.ok(html.includes('Łódź 日本 &lt;b&gt;'));
  t.ok(html.includes('Reference: cof_1&lt;2&gt;'));
  t.notMatch(html, /<b>|<2>/);
  t.notMatch(text, /sandbox|besides/);
});

t.test('what was paid by unused days is told apart', async (t) => {
  const { text } = receiptMail({ ...facts, ...period, creditMinor: 12_345 });
  t.match(text, 'paid NGN\u00a0123.45 besides');
});

t.test('in the sandbox every mail about money says that none moved', async (t) => {
  const sandbox = { ...facts, isSandbox: true };
  t.match(receiptMail({ ...sandbox, ...period }).text, /sandbox: no money moved/);
  t.match(refundMail({ ...sandbox, at: new Date(at) }).html, /sandbox: no money moved/);
  const ending = { ...sandbox, periodEnd: new Date(at), limitBytes: 104_857_600 };
  for (const days of [7, 1, 0]) {
    t.match(subscriptionEndingMail({ ...ending, days }).text, /sandbox here: no money moves/);
    t.notMatch(subscriptionEndingMail({ ...ending, days, isSandbox: false }).text, /sandbox/);
  }
});

t.test('the end of a period is told before and when it comes, and what follows', async (t) => {
  const ending = { ...facts, planName: 'Basic', periodEnd: new Date(at), limitBytes: 104_857_600 };
  t.equal(subscriptionEndingMail({ ...ending, days: 7 }).subject, 'Your plan “Basic” ends in 7 days');
  t.equal(subscriptionEndingMail({ ...ending, days: 1 }).subject, 'Your plan “Basic” ends tomorrow');
  const ended = subscriptionEndingMail({ ...ending, days: 0 });
  t.equal(ended.subject, 'Your plan “Basic” has ended');
  t.match(ended.text, 'ended at 2026-11-21 12:34 UTC. Your account is back to 100 MiB. Nothing of yours is deleted');
  t.ok(ended.text.includes('https://files.example/coffer/pay\n'));
});

t.test('space that runs out is told in numbers', async (t) => {
  const mail = spaceRunningOutMail({ ...facts, usedBytes: 83_886_080, limitBytes: 104_857_600 });
  t.equal(mail.subject, '80 % of your space is used');
  t.match(mail.text, 'you use 80 MiB of 100 MiB.');
  t.equal(
    spaceRunningOutMail({ ...facts, usedBytes: 1, limitBytes: 0 }).subject,
    '100 % of your space is used',
    'a limit of nothing',
  );
});

const errors = {
  'SMTP words': ['550 5.1.1 <ada.b+c@mail.example.org>: no such user', '550 5.1.1 <[address]>: no such user'],
  'quoted local parts': ['to "a b"@example.org, failed', 'to [address], failed'],
  'address literals': ['x@[192.0.2.1] refused', '[address] refused'],
  'Unicode addresses': ['mail to jürgen@bücher.example failed', 'mail to [address] failed'],
  'line breaks': ['a\r\nb\u0000c', 'a b c'],
  nothing: ['Redis is away', 'Redis is away'],
} as const;
for (const [what, [words, shown]] of Object.entries(errors)) {
  t.test(`errors with ${what} name nobody`, async (t) => {
    t.equal(withoutPerson(words), shown);
  });
}
