import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createLane } from '../src/domain/lane.ts';
import { formatRefreshToken, newRefreshToken, parseRefreshToken } from '../src/domain/refresh-token.ts';
import { localCounter } from '../src/store/login-limits.ts';
import { createPasswords } from '../src/store/password-hasher.ts';
import { createSealing } from '../src/store/sealing.ts';

t.test('sealed secrets open with their key and purpose only', async (t) => {
  const sealing = createSealing(randomBytes(32));
  const sealed = sealing.seal(Buffer.from('secret'), 'api-key:a:1');
  t.equal(sealing.open(sealed, 'api-key:a:1').toString(), 'secret');
  t.not(sealing.seal(Buffer.from('secret'), 'api-key:a:1'), sealed, 'never the same twice');
  t.throws(() => sealing.open(sealed, 'api-key:a:2'));
  t.throws(() => createSealing(randomBytes(32)).open(sealed, 'api-key:a:1'));
  const bytes = Buffer.from(sealed, 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    t.throws(() => sealing.open(damaged.toString('base64'), 'api-key:a:1'), `byte ${at}`);
  }
  t.throws(() => sealing.open('', 'x'));
});

t.test('refresh tokens keep their family and change their secret', async (t) => {
  const first = newRefreshToken('0190a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b');
  const next = newRefreshToken(first.sessionId, first.family);
  t.equal(next.family, first.family);
  t.not(next.secret, first.secret);
  t.same(parseRefreshToken(formatRefreshToken(next)), next);
  const text = formatRefreshToken(first);
  for (const bad of ['', 'x', text.slice(1), `${text}x`, text.replaceAll('.', ''), `${text}\n`])
    t.equal(parseRefreshToken(bad), undefined, JSON.stringify(bad));
});

t.test('a lane bounds how many run and how many wait', async (t) => {
  const lane = createLane({ width: 2, maxWaiting: 3 });
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const task = (id: number) => async (): Promise<number> => {
    most = Math.max(most, ++running);
    await sleep(10);
    running--;
    order.push(id);
    return id;
  };
  const results = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map((id) => lane.run(task(id))));
  t.same(
    results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
    [1, 2, 3, 4, 5, 'unavailable', 'unavailable'],
  );
  t.equal(most, 2);
  t.same(order, [1, 2, 3, 4, 5]);
  t.equal(lane.waiting(), 0);
});

t.test('a waiter that gave up leaves the lane, and a failing task does not block it', async (t) => {
  const lane = createLane({ width: 1, maxWaiting: 5 });
  const gate = Promise.withResolvers<void>();
  const first = lane.run(() => gate.promise);
  const controller = new AbortController();
  let ran = false;
  const second = lane.run(async () => {
    ran = true;
  }, controller.signal);
  const third = lane.run(async () => 'third');
  controller.abort(new Error('gone'));
  await t.rejects(second, { message: 'gone' });
  gate.reject(new Error('failed'));
  await t.rejects(first, { message: 'failed' });
  t.equal(await third, 'third');
  t.equal(ran, false);
});

t.test('passwords are argon2id, and composed or decomposed letters are one password', async (t) => {
  const passwords = createPasswords();
  const stored = await passwords.hash('crème brûlée');
  t.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  t.equal(await passwords.verify(stored, 'crème brûlée'.normalize('NFD')), true);
  t.equal(await passwords.verify(stored, 'creme brulee'), false);
  t.equal(await passwords.verify(undefined, 'crème brûlée'), false);
});

t.test('the counter that stands in for Redis', async (t) => {
  const counter = localCounter(1);
  t.same(await Promise.all([1, 2, 3].map(() => counter.take('a', 2, 1))), [0, 0, 1]);
  t.same([await counter.take('a', 2, 0), await counter.take('a', 3, 0)], [1, 0], 'looking counts nothing');
  t.equal(await counter.take('b', 2, 1), 0, 'keys do not touch each other');
  await counter.giveBack('a');
  t.equal(await counter.take('a', 2, 1), 0);
  await counter.reset('a');
  t.equal(await counter.take('a', 2, 1), 0);
  await sleep(1_050);
  t.same(await Promise.all([1, 2, 3].map(() => counter.take('a', 2, 1))), [0, 0, 1], 'a new window');
});
