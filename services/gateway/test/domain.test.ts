import fc from 'fast-check';
import t from 'tap';
import { contentConditions, judgeRead, nodeConditions, parseEntityTags } from '../src/domain/conditions.ts';
import { expectedDigests } from '../src/domain/digests.ts';
import { contentDisposition } from '../src/domain/disposition.ts';
import { canonical, idempotencyOf } from '../src/domain/fingerprints.ts';
import { isSafeInline, looksLikeText, statedType } from '../src/domain/media.ts';
import { checkName, decodeName, encodePath, parsePath, rawTail } from '../src/domain/paths.ts';
import { parseRange, slicesOf } from '../src/domain/ranges.ts';

const code = (expected: string) => ({ code: expected });

t.test('ranges', (t) => {
  t.same(parseRange(undefined, 10), { kind: 'whole' });
  t.same(parseRange('bytes=0-0', 10), { kind: 'part', start: 0, end: 1 });
  t.same(parseRange('bytes=5-', 10), { kind: 'part', start: 5, end: 10 });
  t.same(parseRange('bytes=5-99', 10), { kind: 'part', start: 5, end: 10 });
  t.same(parseRange('bytes=-3', 10), { kind: 'part', start: 7, end: 10 });
  t.same(parseRange('BYTES = 1-2', 10), { kind: 'part', start: 1, end: 3 }, 'the unit ignores case');
  t.same(parseRange('bytes=-99', 10), { kind: 'part', start: 0, end: 10 }, 'a suffix longer than the file is the file');
  t.same(parseRange('lines=1-2', 10), { kind: 'whole' }, 'another unit is ignored');
  t.same(parseRange('bytes=0-1,4-5', 10), { kind: 'whole' }, 'several ranges are ignored');
  for (const bad of [
    'bytes=10-',
    'bytes=99-100',
    'bytes=5-2',
    'bytes=-0',
    'bytes=-',
    'bytes=',
    'bytes',
    'bytes=a-b',
    'bytes=1-2-3',
    'bytes=0-1,x',
    'bytes=1.5-2',
    'bytes=0x1-2',
    'bytes=-1-',
  ]) {
    t.same(parseRange(bad, 10), { kind: 'unsatisfiable' }, bad);
  }
  t.same(parseRange('bytes=0-', 0), { kind: 'unsatisfiable' }, 'nothing is a range of an empty file');

  const chunks = fc.array(fc.record({ offset: fc.nat(20), length: fc.nat(12) }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.nat(120), fc.nat(120), (parts, first, last) => {
      // Each chunk is a slice of its own blob; the file is what they make in order.
      const blobs = parts.map(({ offset, length }, i) =>
        Array.from({ length: offset + length + 3 }, (_, at) => `${i}.${at}`),
      );
      const list = parts.map((part, i) => ({ ...part, digest: String(i) }));
      const read = (slices: readonly { digest: string; offset: number; length: number }[]) =>
        slices.flatMap(({ digest, offset, length }) => (blobs[Number(digest)] ?? []).slice(offset, offset + length));
      const file = read(list);
      const range = parseRange(`bytes=${first}-${last}`, file.length);
      if (first >= file.length || last < first) return range.kind === 'unsatisfiable';
      if (range.kind !== 'part') return false;
      const got = read(slicesOf(list, range));
      return JSON.stringify(got) === JSON.stringify(file.slice(first, last + 1));
    }),
  );
  t.end();
});

t.test('conditions of a read, in the order of RFC 9110, 13.2.2', (t) => {
  const modifiedAtMs = Date.parse('2026-01-02T03:04:05.678Z');
  const at = 'Fri, 02 Jan 2026 03:04:05 GMT';
  const before = 'Fri, 02 Jan 2026 03:04:04 GMT';
  const judge = (headers: Record<string, string>) => judgeRead(headers, { etag: 'abc', modifiedAtMs });
  t.match(judge({}), { status: 200, range: true });
  t.match(judge({ 'if-none-match': '"abc"' }), { status: 304 });
  t.match(judge({ 'if-none-match': 'W/"abc"' }), { status: 304 }, 'weakly compared');
  t.match(judge({ 'if-none-match': '"x", "abc"' }), { status: 304 });
  t.match(judge({ 'if-none-match': '*' }), { status: 304 });
  t.match(judge({ 'if-none-match': '"x"', 'if-modified-since': at }), { status: 200 }, 'the tag wins over the date');
  t.match(judge({ 'if-modified-since': at }), { status: 304 });
  t.match(judge({ 'if-modified-since': before }), { status: 200 });
  t.match(judge({ 'if-modified-since': 'yesterday' }), { status: 200 }, 'what is no date is ignored');
  t.match(judge({ 'if-match': '"abc"' }), { status: 200 });
  t.match(judge({ 'if-match': 'W/"abc"' }), { status: 412 }, 'strongly compared');
  t.match(judge({ 'if-match': '"x"' }), { status: 412 });
  t.match(judge({ 'if-match': '*' }), { status: 200 });
  t.match(judge({ 'if-match': '"x"', 'if-none-match': '"abc"' }), { status: 412 }, 'If-Match is judged first');
  t.match(judge({ 'if-unmodified-since': before }), { status: 412 });
  t.match(judge({ 'if-unmodified-since': at }), { status: 200 });
  t.match(
    judge({ 'if-match': '"abc"', 'if-unmodified-since': before }),
    { status: 200 },
    'If-Match makes the date void',
  );
  t.match(judge({ 'if-range': '"abc"' }), { status: 200, range: true });
  t.match(judge({ 'if-range': 'W/"abc"' }), { status: 200, range: false });
  t.match(judge({ 'if-range': '"x"' }), { status: 200, range: false });
  t.match(judge({ 'if-range': at }), { status: 200, range: true });
  t.match(judge({ 'if-range': before }), { status: 200, range: false });
  for (const bad of ['abc', '"abc', '"a" "b"', '', ',', '"a",,"b"', `"${'x'.repeat(3)}\n"`]) {
    t.throws(() => parseEntityTags('If-Match', bad), code('invalid_header'), JSON.stringify(bad));
  }
  t.throws(() => parseEntityTags('If-Match', Array(40).fill('"a"').join(',')), code('invalid_header'), 'too many tags');
  t.end();
});

t.test('conditions of a write', (t) => {
  t.equal(contentConditions({}), undefined);
  t.same(contentConditions({ 'if-match': '"a", W/"b"' }), { ifMatch: ['a', 'W/"b"'] }, 'a weak tag matches nothing');
  t.same(contentConditions({ 'if-none-match': '*' }), { ifNoneMatch: ['*'] });
  t.same(nodeConditions({ 'if-match': '"r12"' }), { ifRev: [12] });
  t.same(nodeConditions({ 'if-match': '"abc", "r3"' }), { ifRev: [-1, 3] }, 'what is no node tag matches nothing');
  t.equal(nodeConditions({ 'if-match': '*' }), undefined);
  t.throws(() => nodeConditions({ 'if-none-match': '*' }), code('invalid_header'));
  t.end();
});

t.test('dispositions', (t) => {
  t.equal(contentDisposition('inline', 'a.txt'), `inline; filename="a.txt"; filename*=UTF-8''a.txt`);
  t.equal(
    contentDisposition('attachment', 'é"\\%.txt'),
    `attachment; filename="____.txt"; filename*=UTF-8''%C3%A9%22%5C%25.txt`,
  );
  t.equal(
    contentDisposition('inline', "it's (1)*.txt"),
    `inline; filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`,
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
      const value = contentDisposition('attachment', name);
      const extended = /filename\*=UTF-8''([!#$&+^_`|~0-9A-Za-z.%-]*)$/.exec(value)?.[1];
      // Fits a header, one quoted string, and comes back whole.
      return (
        /^[\x20-\x7e]+$/.test(value) &&
        (value.match(/"/g) ?? []).length === 2 &&
        decodeURIComponent(extended ?? '') === name
      );
    }),
  );
  t.end();
});

t.test('digests', (t) => {
  const sha256 = 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=';
  const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  t.equal(expectedDigests({}), undefined);
  t.same(expectedDigests({ 'content-digest': `sha-256=:${sha256}:` }), { sha256: hex });
  t.same(expectedDigests({ 'repr-digest': `unixsum=:AAAA:, sha-256=:${sha256}:;a=1` }), { sha256: hex });
  t.same(expectedDigests({ 'content-md5': 'kAFQmDzST7DWlj99KOF/cg==' }), { md5: '900150983cd24fb0d6963f7d28e17f72' });
  t.equal(expectedDigests({ 'repr-digest': 'crc32c=:AAAAAA==:' }), undefined, 'unknown algorithms are left out');
  for (const bad of [
    'sha-256=abc',
    'sha-256=:abc:',
    `sha-256=:${sha256.slice(4)}:`,
    '',
    'sha-256',
    `sha-256=:${sha256}:garbage`,
    'sha-512=:AAAA:',
  ]) {
    t.throws(() => expectedDigests({ 'content-digest': bad }), code('invalid_header'), JSON.stringify(bad));
  }
  for (const bad of ['abc', 'kAFQmDzST7DWlj99KOF/cg', '====', 'kAFQmDzST7DWlj99KOF_cg==']) {
    t.throws(() => expectedDigests({ 'content-md5': bad }), code('invalid_header'), bad);
  }
  const other = Buffer.alloc(32).toString('base64');
  t.throws(
    () => expectedDigests({ 'content-digest': `sha-256=:${sha256}:`, 'repr-digest': `sha-256=:${other}:` }),
    code('digest_mismatch'),
  );
  t.end();
});

t.test('paths', (t) => {
  t.same(parsePath('a/b.txt'), { names: ['a', 'b.txt'], folder: false });
  t.same(parsePath('a/b/'), { names: ['a', 'b'], folder: true });
  t.same(parsePath(''), { names: [], folder: true });
  t.same(parsePath('%C3%A9'), { names: ['é'], folder: false });
  t.same(parsePath('%EF%BB%BFa'), { names: ['\ufeffa'], folder: false }, 'a byte order mark is part of the name');
  t.same(parsePath('a+b'), { names: ['a+b'], folder: false });
  for (const bad of [
    'a//b',
    '/a',
    'a/./b',
    '..',
    'a/%2e%2E/b',
    '%2F',
    'a%2Fb',
    '%00',
    'a//',
    'x'.repeat(256),
    '%C3%A9'.repeat(128),
  ]) {
    t.throws(() => parsePath(bad), code('invalid_name'), bad.slice(0, 20));
  }
  for (const bad of ['%', '%z1', '%4', 'a%', '%ff', '%C3', '\xff', '%ED%A0%80', '%C0%AF']) {
    t.throws(() => parsePath(bad), code('bad_request'), JSON.stringify(bad));
  }
  t.throws(() => parsePath(Array(300).fill('a').join('/')), code('invalid_name'), 'too deep');
  t.throws(() => checkName('\ud800'), code('invalid_name'));
  t.doesNotThrow(() => checkName('x'.repeat(255)));

  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .filter((one) => !/[/\0]/.test(one) && one !== '.' && one !== '..');
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), fc.boolean(), (names, folder) => {
      const path = parsePath(encodePath(names) + (folder ? '/' : ''));
      return path.folder === folder && JSON.stringify(path.names) === JSON.stringify(names);
    }),
  );
  fc.assert(fc.property(name, (one) => decodeName(Buffer.from(one).toString('latin1').replaceAll('%', '%25')) === one));

  t.equal(rawTail('/v1/files/a%20b?x=/v1/files/c', '/v1/files/'), 'a%20b');
  t.equal(rawTail('http://host:1/v1/files/a', '/v1/files/'), 'a', 'the absolute form of a target');
  t.equal(rawTail('/v1/fil%65s/a', '/v1/files/'), undefined);
  t.end();
});

t.test('media types', (t) => {
  t.equal(statedType(undefined), undefined);
  t.equal(statedType('application/octet-stream'), undefined);
  t.equal(statedType('application/x-www-form-urlencoded'), undefined);
  t.equal(statedType('Text/Plain; charset=UTF-8'), 'text/plain; charset=UTF-8');
  t.equal(statedType('nonsense'), null);
  t.equal(statedType('a/b\r\nx: y'), null);
  for (const safe of ['image/png', 'text/plain; charset=utf-8', 'video/mp4', 'audio/mpeg'])
    t.ok(isSafeInline(safe), safe);
  for (const unsafe of [
    'text/html',
    'image/svg+xml',
    'application/xhtml+xml',
    'text/xml',
    'application/pdf',
    'image/pngx',
    'text/plainx',
  ]) {
    t.notOk(isSafeInline(unsafe), unsafe);
  }
  t.ok(looksLikeText(Buffer.from('grüße\n'), true));
  t.ok(looksLikeText(Buffer.from('grüße').subarray(0, 3), false), 'cut within a character');
  t.notOk(looksLikeText(Buffer.from('grüße').subarray(0, 3), true));
  t.notOk(looksLikeText(Buffer.from([0, 1, 2]), true));
  t.notOk(looksLikeText(Buffer.from([0x61, 0xff]), true));
  t.end();
});

t.test('idempotency keys', (t) => {
  const request = { caller: 'me', op: 'x', body: { a: 1, b: [{ d: 2, c: 3 }] } };
  const one = idempotencyOf('k', request, 'secret');
  t.same(
    one,
    idempotencyOf('k', { ...request, body: { b: [{ c: 3, d: 2 }], a: 1 } }, 'secret'),
    'the order of members is no matter',
  );
  for (const other of [
    { ...request, caller: 'you' },
    { ...request, op: 'y' },
    { ...request, body: {} },
  ]) {
    t.not(one?.fingerprint, idempotencyOf('k', other, 'secret')?.fingerprint);
  }
  t.not(one?.fingerprint, idempotencyOf('k', request, 'other secret')?.fingerprint, 'keyed');
  t.equal(idempotencyOf(undefined, request, 'secret'), undefined);
  for (const bad of ['', 'a b', 'x'.repeat(256), 'é'])
    t.throws(() => idempotencyOf(bad, request, 's'), code('invalid_header'));
  fc.assert(fc.property(fc.jsonValue(), (value) => JSON.stringify(JSON.parse(canonical(value))) !== undefined));
  t.end();
});
