import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { announcedSize, checkComplete, checkRunningSize } from '../src/domain/expectations.ts';
import { Hashes } from '../src/domain/hashes.ts';
import { advance, dueAt, finishPass, firstState, oldestCheck, parseState } from '../src/domain/scrub-schedule.ts';
import { sliceOf } from '../src/domain/slice.ts';

const DAY_MS = 86_400_000;
const digestAt = (share: number): string =>
  Math.floor(share * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
    .padEnd(64, '0');

t.test('a slice is what an array’s slice is', async (t) => {
  const size = fc.nat(300);
  fc.assert(
    fc.property(size, fc.option(fc.nat(400)), fc.option(fc.nat(400)), (sizeBytes, offset, length) => {
      const wanted = { offset: offset ?? undefined, length: length ?? undefined };
      const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, i) => i & 255));
      if ((offset ?? 0) > sizeBytes) {
        t.throws(() => sliceOf(sizeBytes, wanted), { code: 'range_not_satisfiable' });
        return;
      }
      const { start, end } = sliceOf(sizeBytes, wanted);
      const from = offset ?? 0;
      t.same(bytes.subarray(start, end), bytes.subarray(from, length === null ? undefined : from + length));
    }),
  );
});

t.test('digests of pieces are the digests of the whole', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), (pieces) => {
      const hashes = new Hashes({ md5: true, sha512: true });
      for (const piece of pieces) hashes.update(Buffer.from(piece));
      const of = (name: string): string => createHash(name).update(Buffer.concat(pieces)).digest('hex');
      t.same(hashes.finish(), { sha256: of('sha256'), md5: of('md5'), sha512: of('sha512') });
    }),
  );
  const one = new Hashes({ md5: false, sha512: false });
  t.same(Object.keys(one.finish()), ['sha256'], 'what nobody asks for is not computed');
});

t.test('announcements are held against one another and against what comes', async (t) => {
  t.equal(announcedSize({}, undefined), undefined);
  t.equal(announcedSize({}, 5), 5);
  t.equal(announcedSize({ sizeBytes: 5, maxBytes: 5 }, 5), 5);
  t.throws(() => announcedSize({ sizeBytes: 5 }, 6), { code: 'size_mismatch' });
  t.throws(() => announcedSize({ maxBytes: 4 }, 5), { code: 'too_large' });
  t.doesNotThrow(() => checkRunningSize(5, { sizeBytes: 5, maxBytes: 5 }));
  t.throws(() => checkRunningSize(6, { sizeBytes: 5 }), { code: 'size_mismatch' });
  t.throws(() => checkRunningSize(6, { maxBytes: 5 }), { code: 'too_large' });
  const digests = { sha256: 'a', md5: 'b' };
  t.doesNotThrow(() => checkComplete(1, digests, { sizeBytes: 1, sha256: 'a', md5: 'b' }));
  t.doesNotThrow(() => checkComplete(1, digests, { md5: 'true' }));
  t.throws(() => checkComplete(1, digests, { sizeBytes: 2 }), { code: 'size_mismatch' });
  t.throws(() => checkComplete(1, digests, { sha256: 'b' }), { code: 'digest_mismatch' });
  t.throws(() => checkComplete(1, digests, { sha512: 'c' }), { code: 'digest_mismatch' });
});

t.test('the scrub knows how old its oldest check is', async (t) => {
  const start = new Date('2026-01-01T00:00:00Z');
  const at = (days: number): Date => new Date(start.getTime() + days * DAY_MS);
  t.equal(oldestCheck(firstState(start, false, 'a')), null, 'nothing is known of a store that was there before');
  let state = firstState(start, true, 'a');
  t.same(oldestCheck(state), start, 'an empty store has nothing older than itself');
  state = advance(state, digestAt(0.25), at(5));
  state = advance(state, digestAt(0.5), at(10));
  t.same(oldestCheck(state), start, 'what lies ahead was checked in the pass before');
  state = finishPass(state, at(20));
  t.same(oldestCheck(state), start, 'the first bucket was checked when the pass began');
  state = advance(state, digestAt(0.25), at(25));
  t.same(oldestCheck(state), at(5), 'a bucket counts from when the pass came to it');
  t.same(parseState(JSON.stringify(state)), state);
  for (const text of [null, '', '{', '[]', '{"cursor":"x"}', 'null', JSON.stringify({ ...state, checkedAt: [] })]) {
    t.equal(parseState(text), null, `not a state: ${text}`);
  }
});

t.test('the scrub spreads a pass over most of the period', async (t) => {
  const state = firstState(new Date(0), true, 'a');
  t.equal(dueAt(state, digestAt(0), 100).getTime(), 0);
  t.equal(dueAt(state, digestAt(0.5), 100).getTime(), 40);
  t.equal(dueAt(state, 'f'.repeat(64), 100).getTime(), 79, 'the rest is in reserve');
});
