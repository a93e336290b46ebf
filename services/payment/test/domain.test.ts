import type { Plan } from '@coffer/contracts';
import { parseConfig } from '@coffer/service-kit';
import fc from 'fast-check';
import t from 'tap';
import { ConfigSchema, chooseProvider } from '../src/config.ts';
import { isBalanced, type Movement, movementOf, problemsOf } from '../src/domain/ledger.ts';
import { type PaymentRecord, statesBefore } from '../src/domain/payment.ts';
import { readPlans } from '../src/domain/plans.ts';
import { assess } from '../src/domain/subscription.ts';
import { creditFor, dayMs, type Grant, periodAt, replay, unusedMinor } from '../src/domain/timeline.ts';

const t0 = Date.UTC(2026, 0, 1, 12);
const at = (days: number): Date => new Date(t0 + days * dayMs);
const daysOf = (date: Date | null | undefined): number => ((date?.getTime() ?? Number.NaN) - t0) / dayMs;
const plan = (id: string, amountMinor: number, periodDays = 30, currency = 'NGN'): Plan => ({
  id,
  name: id,
  limitBytes: amountMinor,
  price: { amountMinor, currency },
  periodDays,
});
const free: Plan = { id: 'free', name: 'Free', limitBytes: 1, price: null, periodDays: 30 };
const basic = plan('basic', 200_000);
const premium = plan('premium', 1_000_000);
let lastId = 0;
function paid(plan: Plan, day: number, creditMinor = 0): Grant {
  lastId++;
  return { id: String(lastId), kind: 'payment', plan, at: at(day), until: null, creditMinor };
}
const given = (plan: Plan, day: number, until: number | null): Grant => ({
  ...paid(plan, day),
  kind: 'operator',
  until: until === null ? null : at(until),
});
const back = (grant: Grant): Grant => ({ ...grant, reversedAt: at(0) });

t.test('what grants amount to', async (t) => {
  const last = paid(basic, 20);
  const rows: [name: string, grants: Grant[], expected: [plan: string, start: number, end: number] | null][] = [
    ['nothing', [], null],
    ['one', [paid(basic, 0)], ['basic', 0, 30]],
    ['a renewal before the end extends from the end', [paid(basic, 0), paid(basic, 20)], ['basic', 0, 60]],
    ['one at the very end begins anew', [paid(basic, 0), paid(basic, 30)], ['basic', 30, 60]],
    ['one after the end begins then', [paid(basic, 0), paid(basic, 45)], ['basic', 45, 75]],
    ['a dearer plan begins at once', [paid(basic, 0), paid(premium, 10, 133_333)], ['premium', 10, 40]],
    [
      'two payments under way at a time: nothing is lost',
      [paid(basic, 0), paid(premium, 10, 133_333), paid(basic, 10)],
      ['basic', 10, 190],
    ],
    [
      'a cheaper plan: the rest is more days of it',
      [paid(premium, 0), paid(basic, 1, 200_000)],
      ['basic', 1, 1 + 30 + 114],
    ],
    [
      'the credit that was promised stays where the old plan ended meanwhile',
      [paid(basic, 0), paid(premium, 31, 200_000)],
      ['premium', 31, 61],
    ],
    ['a reversal takes the days of its payment', [paid(basic, 0), back(paid(basic, 10)), last], ['basic', 0, 60]],
    ['also where it was the first', [back(paid(basic, 0)), last], ['basic', 20, 50]],
    [
      'a change that is taken back leaves what was',
      [paid(basic, 0), back(paid(premium, 10, 133_333))],
      ['basic', 0, 30],
    ],
    ['an operator gives', [paid(basic, 0), given(premium, 5, 365)], ['premium', 5, 365]],
    ['an operator ends', [paid(basic, 0), given(free, 5, null)], null],
    ['a payment after what an operator gave', [given(basic, 0, 10), paid(basic, 5)], ['basic', 0, 40]],
    ['what an operator gave is worth nothing', [given(premium, 0, 10), paid(basic, 5)], ['basic', 5, 35]],
    ['another currency counts nothing', [paid(plan('old', 99, 30, 'USD'), 0), paid(basic, 5)], ['basic', 5, 35]],
  ];
  for (const [name, grants, expected] of rows) {
    const period = replay(grants);
    t.same(period && [period.plan.id, daysOf(period.start), daysOf(period.end)], expected, name);
  }
  t.equal(replay([given(premium, 0, null), paid(premium, 5)])?.end, null, 'for good stays for good');
});

t.test('the credit for unused days, by the day and rounded down', async (t) => {
  const rows: [day: number, to: Plan, credit: number][] = [
    [0, premium, 200_000],
    [0.0001, premium, 193_333],
    [1, premium, 193_333],
    [1.5, premium, 186_666],
    [29, premium, 6_666],
    [29.001, premium, 0],
    [30, premium, 0],
    [99, premium, 0],
    [10, basic, 0],
    [10, plan('tiny', 100), 100],
    [10, plan('dollars', 100, 30, 'USD'), 0],
    [10, free, 0],
  ];
  for (const [day, to, credit] of rows) {
    t.equal(creditFor(periodAt([paid(basic, 0)], at(day)), to, at(day)), credit, `day ${day} to ${to.id}`);
  }
  const huge = plan('huge', Number.MAX_SAFE_INTEGER, 3660);
  const exact = (BigInt(Number.MAX_SAFE_INTEGER) * 3659n) / 3660n;
  t.equal(
    creditFor(periodAt([paid(huge, 0)], at(1)), plan('more', Number.MAX_SAFE_INTEGER), at(1)),
    Number(exact),
    'exact beyond what a float holds on the way',
  );
  const most = replay([paid(huge, 0), paid(plan('cent', 1, 3660), 1, 0)]);
  t.equal(most?.end?.getTime(), 8_640_000_000_000_000, 'the end of time is the end');
});

t.test(
  'whatever is bought and changed, nobody has more than was paid, and loses less than a day and a unit at each change',
  async () => {
    const plans = [basic, premium, plan('week', 70_003, 7), plan('odd', 99_991, 31)];
    const step = fc.record({ plan: fc.constantFrom(...plans), afterDays: fc.double({ min: 0, max: 50, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        let day = 0;
        let balance = 0;
        let lossAllowed = 0;
        const grants: Grant[] = [];
        for (const { plan, afterDays } of steps) {
          const before = periodAt(grants, at(day));
          day += afterDays;
          const now = at(day);
          // The days that were used meanwhile were paid for.
          const worth = before === null ? 0 : Number(unusedMinor(before, at(day - afterDays), 'NGN'));
          const left = periodAt(grants, now);
          balance = left === null ? 0 : balance - (worth - Number(unusedMinor(left, now, 'NGN')));
          const credit = creditFor(left, plan, now);
          balance += (plan.price?.amountMinor ?? 0) - credit;
          grants.push(paid(plan, day, credit));
          const after = replay(grants);
          if (after === null) throw new Error('bought and not there');
          const has = Number(unusedMinor(after, now, 'NGN'));
          if (left === null) {
            balance = plan.price?.amountMinor ?? 0;
            lossAllowed = 0;
          }
          // A day of the dearest plan, a unit of money and a day of the new plan that is not whole.
          lossAllowed += 1_000_000 / 30 + 12 + 70_003 / 7;
          if (has > balance + 12) throw new Error(`has ${has} and paid ${balance}`);
          if (has < balance - lossAllowed) throw new Error(`has ${has} of ${balance}`);
        }
      }),
      { numRuns: 500 },
    );
  },
);

t.test('a reversal is as if the payment had never been', async () => {
  const grants = fc.array(fc.record({ plan: fc.constantFrom(basic, premium), gap: fc.integer({ min: 0, max: 40 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(grants, fc.nat(), (steps, which) => {
      let day = 0;
      const all = steps.map(({ plan, gap }) => {
        day += gap;
        return paid(plan, day);
      });
      const index = which % all.length;
      const without = replay(all.toSpliced(index, 1));
      const reversed = replay(all.map((grant, i) => (i === index ? back(grant) : grant)));
      if (JSON.stringify(without) !== JSON.stringify(reversed)) throw new Error('something is left of it');
    }),
  );
});

t.test('ends are mentioned at 7, 1 and 0 days, each once', async (t) => {
  const plans = readPlans(undefined, 1);
  const look = (grants: Grant[], day: number, more: object = {}) => {
    const { ending, nextAt, mentioned } = assess({ grants, seq: 1, ...more }, plans, at(day));
    return { days: ending?.days, next: nextAt && daysOf(nextAt), mentioned };
  };
  const one = [paid(basic, 0)];
  const said = (days: number) => ({ mentioned: { end: at(30), days } });
  t.match(look(one, 1), { days: undefined, next: 23 });
  t.match(look(one, 23), { days: 7, next: 29 });
  t.match(look(one, 23, said(7)), { days: undefined, next: 29 });
  t.match(look(one, 29.5), { days: 1, next: 30 }, 'only the nearest');
  t.match(look(one, 99), { days: 0, next: undefined });
  t.match(look(one, 99, said(0)), { days: undefined, next: undefined, mentioned: { days: 0 } });
  t.match(look([...one, paid(basic, 24)], 25, said(7)), { days: undefined, next: 53, mentioned: undefined });
  t.match(look(one, 25, { cancelledAt: at(3) }), { days: undefined, next: 30 }, 'cancelled: only the end itself');
  t.match(look([paid(plan('day', 5, 1), 0)], 0), { days: undefined, next: 1 }, 'not right after it was bought');
  t.match(look([given(basic, 0, null)], 5), { days: undefined, next: undefined });
});

t.test('plans of the configuration', async (t) => {
  const list = (...plans: unknown[]): string => JSON.stringify(plans);
  const ok = readPlans(list(free, basic), 1);
  t.equal(ok.base.id, 'free');
  t.equal(ok.find('basic')?.limitBytes, 200_000);
  t.equal(ok.find('other'), undefined);
  const bad: [string, string][] = [
    ['not JSON', '{'],
    ['no list', '{}'],
    ['empty', '[]'],
    ['no free one', list(basic)],
    ['two free ones', list(free, { ...free, id: 'b' })],
    ['twice the same id', list(free, basic, basic)],
    ['free by a zero', list(free, plan('zero', 0))],
    ['a float', list(free, plan('x', 1.5))],
    ['a negative price', list(free, plan('x', -1))],
    ['an unsafe amount', list(free, plan('x', 2 ** 53))],
    ['no currency', list(free, plan('x', 5, 30, 'naira'))],
    ['no days', list(free, plan('x', 5, 0))],
    ['an id with spaces', list(free, plan('a b', 5))],
    ['a negative limit', list({ ...free, limitBytes: -1 })],
  ];
  for (const [name, text] of bad)
    t.throws(() => readPlans(text, 1), { name: 'ConfigError', problems: [{ name: 'PLANS' }] }, name);
});

t.test('who takes the money', async (t) => {
  const choose = (env: Record<string, string>) =>
    chooseProvider(parseConfig(ConfigSchema, { INTERNAL_SECRET: 'x'.repeat(40), COFFER_ENV: 'production', ...env }));
  t.equal(choose({}), null, 'nobody in production');
  t.equal(choose({ COFFER_ENV: 'development' }), 'sandbox');
  t.equal(choose({ PAYMENT_PROVIDER: 'sandbox' }), 'sandbox', 'where it was said');
  t.equal(choose({ PAYSTACK_SECRET_KEY: 'sk' }), 'paystack');
  t.equal(choose({ PAYSTACK_SECRET_KEY: 'sk', PAYMENT_PROVIDER: 'off' }), null);
  t.equal(choose({ COFFER_ENV: 'development', PAYSTACK_SECRET_KEY: 'sk' }), 'paystack');
  t.throws(() => choose({ PAYMENT_PROVIDER: 'paystack' }), { name: 'ConfigError' });
  t.throws(() => choose({ PAYMENT_PROVIDER: 'stripe' }), { name: 'ConfigError' });
});

t.test('movements balance, and what is wrong with them is found', async (t) => {
  const payment: PaymentRecord = {
    id: 'p',
    accountId: 'a',
    reference: 'r',
    provider: 'sandbox',
    plan: premium,
    money: { amountMinor: 1_000_000, currency: 'NGN' },
    creditMinor: 133_333,
    creditPlanId: 'basic',
    status: 'success',
    history: [],
    checkoutUrl: null,
    createdAt: at(0),
    settledAt: at(0),
    periodStart: null,
    periodEnd: null,
    work: [],
  };
  const success = movementOf(payment, 'success', at(0));
  const reversed = movementOf(payment, 'reversed', at(1));
  t.same(
    success.lines.map(({ account, amountMinor }) => [account, amountMinor]),
    [
      ['provider:sandbox', 866_667],
      ['revenue:plan:basic', 133_333],
      ['revenue:plan:premium', -1_000_000],
    ],
  );
  t.ok(isBalanced(success) && isBalanced(reversed));
  const alter = (movement: Movement, by: number): Movement => ({
    ...movement,
    lines: movement.lines.map((line, i) => (i === 0 ? { ...line, amountMinor: line.amountMinor + by } : line)),
  });
  const doubled = success.lines.map((line) => ({ ...line, amountMinor: 2 * line.amountMinor }));
  const rows: [PaymentRecord['status'], Movement[], number][] = [
    ['success', [success], 0],
    ['reversed', [success, reversed], 0],
    ['pending', [], 0],
    ['success', [], 1],
    ['reversed', [success], 1],
    ['success', [success, { ...success, id: 'again' }], 1],
    ['success', [success, reversed], 1],
    ['pending', [success], 1],
    ['success', [alter(success, 1)], 2],
    ['success', [{ ...success, lines: doubled }], 1],
    ['success', [{ ...success, lines: [] }], 1],
  ];
  for (const [status, movements, problems] of rows) {
    t.equal(problemsOf({ ...payment, status }, movements).length, problems, `${status}: ${movements.map((m) => m.id)}`);
  }
  const free = movementOf({ ...payment, creditMinor: 1_000_000 }, 'success', at(0));
  t.same(free.lines.length, 2, 'what the credit paid whole took nothing from the provider');
});

t.test('the ways of a payment', async (t) => {
  t.same(statesBefore('success'), ['initiated', 'pending', 'failed', 'abandoned']);
  t.same(statesBefore('reversed'), ['success']);
  t.same(statesBefore('abandoned'), ['initiated', 'pending']);
  t.same(statesBefore('failed'), ['initiated', 'pending']);
  t.same(statesBefore('pending'), ['initiated']);
});
