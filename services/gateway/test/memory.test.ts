import { sha256 } from '@coffer/testing';
import t from 'tap';
import { createSmallBlobs } from '../src/downloads/small-blobs.ts';
import { createLeaveBook } from '../src/uploads/leave.ts';

t.test('leave to write', (t) => {
  let now = 0;
  const book = createLeaveBook(() => now);
  t.equal(book.take('me', 'here', 1), false, 'none without a grant');
  book.grant('me', 'here', 100);
  t.equal(book.take('me', 'here', 60), true);
  t.equal(book.take('me', 'here', 60), false, 'what was taken counts');
  t.equal(book.take('me', 'there', 1), false);
  t.equal(book.take('you', 'here', 1), false);
  now = 1_001;
  t.equal(book.take('me', 'here', 1), false, 'for a moment only');
  book.grant('me', 'here', 100);
  book.forget('me');
  t.equal(book.take('me', 'here', 1), false, 'gone after a change');
  t.end();
});

t.test('small blobs', (t) => {
  const bytes = (n: number) => Buffer.from(`blob ${n}`.padEnd(744, '.'));
  const digest = (n: number) => sha256(bytes(n));
  const slice = (n: number, offset = 0, length = 744) => ({ digest: digest(n), offset, length });
  const blobs = createSmallBlobs(3000);
  for (const n of [1, 2, 3]) blobs.keep(digest(n), bytes(n));
  t.equal(blobs.sizeBytes(), 3000);
  t.same(blobs.get(slice(1)), bytes(1));
  t.equal(blobs.get(slice(2, 5, 1))?.toString(), '2', 'a part of it');
  t.equal(blobs.get(slice(2, 700, 45)), undefined, 'not more than it has');
  blobs.keep(digest(4), bytes(4));
  t.equal(blobs.get(slice(3)), undefined, 'the least recently used goes');
  t.same([blobs.get(slice(1)), blobs.get(slice(4)), blobs.sizeBytes()], [bytes(1), bytes(4), 3000]);
  blobs.keep(digest(5), bytes(6));
  t.equal(blobs.get(slice(5)), undefined, 'what does not hash to its name is not kept');
  createSmallBlobs(0).keep(digest(1), bytes(1));
  t.end();
});
