import t from 'tap';
import { as, operator, outcome, startAuth, tally, uniqueName } from './service.ts';

t.setTimeout(120_000);
const auth = await startAuth(t);
const { client } = auth;

const actor = (digit: string) => as({ id: `01900000-0000-7000-8000-00000000000${digit}`, role: 'operator' });
const entry = (targetId: string | null = null, details: Record<string, string | number | boolean | null> = {}) => ({
  body: { action: 'accounts.suspend', targetId, details, address: '10.0.0.1' },
});
const finish = (id: string, result: string, o = operator) =>
  client.call('finishAudit', { params: { id }, body: { outcome: result } }, o);
const everyPage = async (query: { actorId?: string; targetId?: string }, limit = 3) => {
  const ids: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await client.call('listAudit', { query: { ...query, limit, cursor } }, operator);
    ids.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === null) return ids;
    cursor = page.nextCursor;
  }
};

t.test('what is done is written before, with its outcome afterwards, once', async (t) => {
  const before = Date.now();
  const target = uniqueName();
  const details = { limitBytes: 5, isForced: true, name: 'Ada', none: null };
  const { id } = await client.call('appendAudit', entry(target, details), { ...operator, requestId: 'request-1' });
  const [open] = (await client.call('listAudit', { query: { targetId: target } }, operator)).items;
  t.match(open, {
    id,
    actorId: operator.principal?.accountId,
    action: 'accounts.suspend',
    targetId: target,
    details,
    address: '10.0.0.1',
    requestId: 'request-1',
    outcome: null,
  });
  t.ok(Math.abs(Date.parse(open?.at ?? '') - before) < 60_000);

  t.equal(await outcome(finish(id, 'forbidden', actor('9'))), 'not_found', 'another actor has no say in it');
  t.equal(await outcome(finish(id, 'ok')), 'ok');
  t.equal(await outcome(finish(id, 'ok')), 'ok', 'the same again');
  t.equal(await outcome(finish(id, 'unavailable')), 'conflict');
  const [done] = (await client.call('listAudit', { query: { targetId: target } }, operator)).items;
  t.same(done, { ...open, outcome: 'ok' });
  t.equal(await outcome(finish('01900000-0000-7000-8000-0000000000aa', 'ok')), 'not_found');
});

t.test('of outcomes that race one stays', async (t) => {
  const target = uniqueName();
  const { id } = await client.call('appendAudit', entry(target), operator);
  const codes = Array.from({ length: 20 }, (_, n) => `code${n}`);
  const outcomes = tally(await Promise.all(codes.map((code) => outcome(finish(id, code)))));
  t.same(outcomes, { ok: 1, conflict: 19 });
});

t.test('operators alone, and not with a key that only reads', async (t) => {
  const user = as(await auth.register());
  const reader = as({ id: '01900000-0000-7000-8000-000000000000', role: 'operator' }, { readOnly: true });
  const { id } = await client.call('appendAudit', entry(), operator);
  for (const [who, code] of [
    [user, 'forbidden'],
    [{}, 'unauthorized'],
    [reader, 'read_only'],
  ] as const) {
    t.equal(await outcome(client.call('appendAudit', entry(), who)), code);
    t.equal(await outcome(finish(id, 'ok', who)), code);
  }
  t.equal(await outcome(client.call('listAudit', { query: {} }, user)), 'forbidden');
  t.equal(await outcome(client.call('listAudit', { query: {} }, {})), 'unauthorized');
  t.equal(await outcome(client.call('listAudit', { query: {} }, reader)), 'ok');
});

t.test('pages: the latest first, by actor and by target', async (t) => {
  const target = uniqueName();
  const one = actor('1');
  const made: string[] = [];
  for (let n = 0; n < 8; n++) {
    const { id } = await client.call('appendAudit', entry(n % 2 === 0 ? target : null), n < 4 ? one : operator);
    made.unshift(id);
  }
  const actorId = one.principal?.accountId ?? '';
  t.same(await everyPage({ actorId }), made.slice(4));
  t.same(
    await everyPage({ targetId: target }),
    made.filter((_, n) => n % 2 === 1),
  );
  t.same(await everyPage({ actorId, targetId: target }), [made[5], made[7]]);
  t.same((await everyPage({})).slice(0, 8), made);
  const query = { cursor: 'nonsense' };
  t.equal(await outcome(client.call('listAudit', { query }, operator)), 'invalid_cursor');
});

t.test('details are few, short and plainly named', async (t) => {
  const many = Object.fromEntries(
    Array.from({ length: 33 }, (_, n) => [`a${String.fromCharCode(97 + (n % 26))}${n > 25 ? 'x' : ''}`, n]),
  );
  for (const details of [{ $set: 1 }, { 'a.b': 1 }, { '': 1 }, { long: 'x'.repeat(1025) }, many])
    t.equal(await outcome(client.call('appendAudit', entry(null, details), operator)), 'invalid_body');
});
