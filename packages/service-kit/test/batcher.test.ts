import t from 'tap';
import { createBatcher } from '../src/index.ts';
import { sleep } from './helpers.ts';

t.test('what one turn adds goes together; what arrives in flight goes in the next', async (t) => {
  const batches: number[][] = [];
  const batcher = createBatcher<number, number>({
    maxItems: 100,
    run: async (items) => {
      batches.push(items);
      await sleep(20);
      return items.map((i) => i * 2);
    },
  });
  const first = [1, 2, 3].map((i) => batcher.add(i));
  await sleep(5);
  const second = [4, 5].map((i) => batcher.add(i));
  t.equal(batcher.size(), 2);
  t.same(await Promise.all([...first, ...second]), [2, 4, 6, 8, 10]);
  t.same(batches, [
    [1, 2, 3],
    [4, 5],
  ]);
  t.equal(batcher.size(), 0);
});

t.test('an idle batcher runs at once', async (t) => {
  const batcher = createBatcher<number, string>({ maxItems: 1, run: async (items) => items.map(String) });
  let turned = false;
  const turn = setImmediate(() => {
    turned = true;
  });
  t.equal(await batcher.add(1), '1');
  t.notOk(turned, 'no timer waits, nor a turn of the event loop');
  clearImmediate(turn);
});

t.test('batches are bounded, in size and in number', async (t) => {
  let inFlight = 0;
  let most = 0;
  const sizes: number[] = [];
  const batcher = createBatcher<number, number>({
    maxItems: 10,
    concurrency: 2,
    run: async (items) => {
      most = Math.max(most, ++inFlight);
      sizes.push(items.length);
      await sleep(5);
      inFlight--;
      return items;
    },
  });
  const given = Array.from({ length: 57 }, (_, i) => i);
  t.same(await Promise.all(given.map((i) => batcher.add(i))), given);
  t.equal(most, 2);
  t.ok(sizes.every((size) => size <= 10));
});

t.test('each caller gets its own error; a failed batch fails its own items only', async (t) => {
  let runs = 0;
  const batcher = createBatcher<number, number>({
    maxItems: 10,
    run: async (items) => {
      if (++runs === 2) throw new Error('batch');
      return items.map((i) => (i === 2 ? new Error('two') : i));
    },
  });
  const first = await Promise.allSettled([1, 2, 3].map((i) => batcher.add(i)));
  t.same(
    first.map((one) => one.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.match(first[1], { reason: { message: 'two' } });
  await t.rejects(batcher.add(4), { message: 'batch' });
  t.equal(await batcher.add(5), 5, 'it goes on after a failure');
});

t.test('a wrong number of results is an error, not a wrong answer', async (t) => {
  const batcher = createBatcher<number, number>({ maxItems: 10, run: async () => [1] });
  const results = await Promise.allSettled([batcher.add(1), batcher.add(2)]);
  t.ok(results.every((one) => one.status === 'rejected'));
});
