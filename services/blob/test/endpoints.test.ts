import { createHash } from 'node:crypto';
import { readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import {
  blobPath,
  codeOf,
  digestOf,
  FAR_FUTURE,
  filesIn,
  openStore,
  readAll,
  SECRET,
  someBytes,
  startApp,
  tempDir,
  until,
} from './helpers.ts';

const dir = tempDir(t);
const { client, url } = await startApp(t, await openStore(t, dir));
const absent = '0'.repeat(64);
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');
const sha512 = (bytes: Buffer): string => createHash('sha512').update(bytes).digest('hex');
const store = async (bytes: Buffer): Promise<string> => (await client.send('put', { body: bytes })).digest;
const load = async (digest: string, query = {}): Promise<Buffer> =>
  readAll((await client.open('get', { params: { digest }, query })).body);

t.test('bytes of every size come back, whether their length is announced or not', async (t) => {
  for (const size of [0, 1, 4096, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 5_000_001]) {
    const bytes = someBytes(size);
    const known = await client.send('put', { body: bytes, query: { md5: 'true' } });
    t.same(known, { digest: digestOf(bytes), sizeBytes: size, created: true, md5: md5(bytes) });
    t.same(readFileSync(blobPath(dir, known.digest)), bytes);
    const chunked = await client.send('put', { body: Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]) });
    t.same(chunked, { digest: known.digest, sizeBytes: size, created: false }, 'there already');
    const { body, sizeBytes } = await client.open('get', { params: { digest: known.digest } });
    t.equal(sizeBytes, size);
    t.ok((await readAll(body)).equals(bytes), `${size} bytes are the same`);
  }
  t.same(filesIn(dir, 'tmp'), [], 'no temporary file is left');
});

t.test('a slice is what a slice of the bytes is', async (t) => {
  const bytes = someBytes(300_000);
  const digest = await store(bytes);
  const position = fc.oneof(fc.nat(300_000), fc.constantFrom(0, 1, 65_536, 262_144, 299_999, 300_000));
  await fc.assert(
    fc.asyncProperty(position, fc.option(fc.oneof(fc.nat(320_000), fc.nat(100))), async (offset, length) => {
      const got = await load(digest, length === null ? { offset } : { offset, length });
      return got.equals(bytes.subarray(offset, length === null ? undefined : offset + length));
    }),
    { numRuns: 200 },
  );
  t.equal(await codeOf(load(digest, { offset: 300_001 })), 'range_not_satisfiable');
  t.equal((await load(digest, { offset: 300_000 })).length, 0);
});

t.test('expectations that hold are accepted, those that fail store nothing', async (t) => {
  const bytes = someBytes(70_000);
  const wrong = someBytes(70_000);
  const good = { sizeBytes: 70_000, maxBytes: 70_000, sha256: digestOf(bytes), sha512: sha512(bytes), md5: md5(bytes) };
  t.equal((await client.send('put', { body: bytes, query: good })).md5, md5(bytes));
  const before = filesIn(dir, 'sha256').length;
  const cases: [query: Record<string, string | number>, code: string][] = [
    [{ sha256: digestOf(bytes) }, 'digest_mismatch'],
    [{ sha512: sha512(bytes) }, 'digest_mismatch'],
    [{ md5: md5(bytes) }, 'digest_mismatch'],
    [{ sizeBytes: 69_999 }, 'size_mismatch'],
    [{ sizeBytes: 70_001 }, 'size_mismatch'],
    [{ maxBytes: 69_999 }, 'too_large'],
    [{ sizeBytes: -1 }, 'invalid_query'],
    [{ sha256: 'x' }, 'invalid_query'],
    [{ md5: digestOf(bytes).toUpperCase().slice(0, 32) }, 'invalid_query'],
  ];
  for (const [query, code] of cases) {
    t.equal(await codeOf(client.send('put', { body: wrong, query })), code, JSON.stringify(query));
    const body = Readable.from([wrong.subarray(0, 10), wrong.subarray(10)]);
    t.equal(await codeOf(client.send('put', { body, query })), code, `in chunks: ${JSON.stringify(query)}`);
  }
  t.equal(filesIn(dir, 'sha256').length, before, 'nothing was stored');
  t.same(filesIn(dir, 'tmp'), []);
});

t.test('an endless body is refused as soon as it is too long, with an answer', async (t) => {
  let sentBytes = 0;
  const endless = new Readable({
    read() {
      sentBytes += 65_536;
      this.push(Buffer.alloc(65_536));
    },
  });
  t.equal(await codeOf(client.send('put', { body: endless, query: { maxBytes: 3_000_000 } })), 'too_large');
  t.ok(sentBytes < 30_000_000, `${sentBytes} bytes were taken`);
  endless.destroy();
  await until('the temporary file is gone', () => filesIn(dir, 'tmp').length === 0);
});

t.test('a body that is cut off leaves nothing', async (t) => {
  const before = filesIn(dir, 'sha256').length;
  const head = (length: string): string =>
    `POST /blobs HTTP/1.1\r\nhost: x\r\nx-coffer-secret: ${SECRET}\r\n${length}\r\n\r\n`;
  const bodies = [
    [head('content-length: 9000000'), someBytes(3_000_000)],
    [head('content-length: 100'), someBytes(10)],
    [head('transfer-encoding: chunked'), Buffer.concat([Buffer.from('2dc6c0\r\n'), someBytes(3_000_000)])],
  ] as const;
  const port = Number(new URL(url).port);
  await Promise.all(
    bodies.map(async ([start, bytes]) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(start);
      await new Promise((resolve) => socket.write(bytes, resolve));
      socket.destroy();
    }),
  );
  await until('the temporary files are gone', () => filesIn(dir, 'tmp').length === 0);
  t.equal(filesIn(dir, 'sha256').length, before);

  const aborter = new AbortController();
  const sending = client.send('put', { body: Readable.from(dripping(aborter)) }, { signal: aborter.signal });
  t.not(await codeOf(sending), 'no error');
  await until('the temporary file is gone', () => filesIn(dir, 'tmp').length === 0);
  t.equal(filesIn(dir, 'sha256').length, before);
});

async function* dripping(aborter: AbortController): AsyncGenerator<Buffer> {
  for (let i = 0; i < 40; i++) yield someBytes(65_536);
  await until('the upload has begun to write', () => filesIn(dir, 'tmp').length > 0);
  aborter.abort();
  yield someBytes(10);
}

t.test('stat, list and their errors', async (t) => {
  const before = Date.now() - 1000;
  const digests = await Promise.all(Array.from({ length: 25 }, () => store(someBytes(10))));
  const [first = ''] = digests;
  const found = await client.call('stat', { params: { digest: first } });
  t.equal(found.sizeBytes, 10);
  t.ok(Date.parse(found.touchedAt) > before);
  t.equal(await codeOf(client.call('stat', { params: { digest: absent } })), 'not_found');
  t.equal(await codeOf(load(absent)), 'not_found');
  t.equal(await codeOf(client.call('stat', { params: { digest: 'A'.repeat(64) } })), 'invalid_parameter');

  const seen: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: { items: { digest: string }[]; nextCursor: string | null } = await client.call('list', {
      query: { limit: 7, cursor },
    });
    t.ok(page.items.length <= 7);
    seen.push(...page.items.map((one) => one.digest));
    cursor = page.nextCursor;
  }
  t.same(seen, [...seen].sort(), 'in digest order');
  t.equal(new Set(seen).size, seen.length, 'each once');
  t.ok(digests.every((digest) => seen.includes(digest)));
  t.equal(seen.length, filesIn(dir, 'sha256').length);

  const old = new Date('2020-01-01');
  for (const digest of digests.slice(0, 3)) utimesSync(blobPath(dir, digest), old, old);
  const untouched = await client.call('list', { query: { touchedBefore: '2021-01-01T00:00:00.000Z' } });
  t.same(
    untouched.items.map((one) => one.digest),
    digests.slice(0, 3).sort(),
  );
  t.same(untouched.items[0]?.touchedAt, old.toISOString());
  t.equal(await codeOf(client.call('list', { query: { touchedBefore: 'yesterday' } })), 'invalid_query');
  t.equal(await codeOf(client.call('list', { query: { limit: 0 } })), 'invalid_query');
});

t.test('renewing keeps a blob from removal, and tells what is missing', async (t) => {
  const [one, two] = [await store(someBytes(10)), await store(someBytes(10))];
  const old = new Date('2020-01-01');
  for (const digest of [one, two]) utimesSync(blobPath(dir, digest), old, old);
  t.same(await client.call('renew', { body: { digests: [one, absent, one] } }), { missing: [absent] });
  t.equal(await codeOf(client.call('renew', { body: { digests: [] } })), 'invalid_body');
  const remove = async (digest: string, touchedBefore: string): Promise<string> =>
    (await client.call('removeUntouched', { params: { digest }, query: { touchedBefore } })).outcome;
  t.equal(await remove(one, '2021-01-01T00:00:00.000Z'), 'touched');
  t.equal(await remove(two, '2021-01-01T00:00:00.000Z'), 'removed');
  t.equal(await remove(two, '2021-01-01T00:00:00.000Z'), 'absent');
  t.equal(await codeOf(load(two)), 'not_found');
  t.equal(await codeOf(remove(one, 'soon')), 'invalid_query');
  t.equal(await remove(one, FAR_FUTURE), 'removed');
  t.same(filesIn(dir, 'removing'), []);
});

t.test('a download that has begun goes on when its blob is removed', async (t) => {
  const bytes = someBytes(8_000_000);
  const digest = await store(bytes);
  const { body } = await client.open('get', { params: { digest } });
  await client.call('removeUntouched', { params: { digest }, query: { touchedBefore: FAR_FUTURE } });
  t.ok((await readAll(body)).equals(bytes));
});

t.test('damaged bytes are never served, and heal when they are written again', async (t) => {
  const flip = (digest: string): void => {
    const bytes = readFileSync(blobPath(dir, digest));
    bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
    writeFileSync(blobPath(dir, digest), bytes);
  };
  for (const size of [1000, 200_000]) {
    const bytes = someBytes(size);
    const digest = await store(bytes);
    t.same(await client.call('verify', { params: { digest } }), { intact: true });
    flip(digest);
    if (size < 65_536) t.equal(await codeOf(load(digest)), 'not_found', 'found when it is read');
    else t.same(await client.call('verify', { params: { digest } }), { intact: false });
    t.equal(await codeOf(client.call('stat', { params: { digest } })), 'not_found', 'quarantined');
    t.ok(
      filesIn(dir, 'quarantine').some((name) => name.startsWith(digest)),
      'and kept for the operator',
    );
    t.ok((await client.send('put', { body: bytes })).created);
    t.ok((await load(digest)).equals(bytes));
    // Also where nobody has noticed the damage.
    flip(digest);
    t.notOk((await client.send('put', { body: bytes })).created);
    t.same(await client.call('verify', { params: { digest } }), { intact: true });
  }
  const short = someBytes(500);
  const digest = await store(short);
  truncateSync(blobPath(dir, digest), 100);
  t.equal(await codeOf(load(digest)), 'not_found', 'a blob that lost its end');
  t.equal(await codeOf(client.call('verify', { params: { digest: absent } })), 'not_found');
});

t.test('a quarantined blob is not there', async (t) => {
  const digest = await store(someBytes(100));
  const before = await client.call('status', {});
  await client.call('quarantine', { params: { digest } });
  t.equal(await codeOf(load(digest)), 'not_found');
  t.equal(await codeOf(client.call('quarantine', { params: { digest } })), 'not_found');
  const after = await client.call('status', {});
  t.equal(after.quarantined, before.quarantined + 1);
  t.ok(after.writable);
  t.ok(after.freeBytes > 0 && after.totalBytes > after.freeBytes);
});

t.test('only who knows the secret is answered', async (t) => {
  const digest = await store(someBytes(10));
  for (const path of [`/blobs/${digest}`, '/blobs', '/store', '/readyz', '/metrics']) {
    t.equal((await fetch(url + path)).status, 401, path);
  }
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  const headers = { 'x-coffer-secret': SECRET };
  t.equal((await fetch(`${url}/readyz`, { headers })).status, 200);
  t.match(await (await fetch(`${url}/metrics`, { headers })).text(), /blob_oldest_check_age_seconds\{[^}]*\} -1/);
  t.equal((await fetch(`${url}/blobs/${digest}`, { method: 'PUT', headers })).status, 405);
  t.equal(statSync(blobPath(dir, digest)).size, 10);
});

t.test('several small blobs in one call, each with its own answer', async (t) => {
  const blobs = [1, 4096, 65_536, 3, 3].map(someBytes);
  const bodyOf = (head: unknown, bytes: Buffer): Buffer => {
    const text = Buffer.from(typeof head === 'string' ? head : JSON.stringify(head));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return Buffer.concat([length, text, bytes]);
  };
  const partsOf = (sizes: readonly number[]) => ({ parts: sizes.map((sizeBytes) => ({ head: {}, sizeBytes })) });
  const sizes = blobs.map(({ length }) => length);
  const { answers } = await client.send('putMany', { body: bodyOf(partsOf(sizes), Buffer.concat(blobs)) });
  t.same(
    answers,
    blobs.map((bytes) => ({ digest: digestOf(bytes), sizeBytes: bytes.length, created: true })),
  );
  for (const bytes of blobs) t.ok((await load(digestOf(bytes))).equals(bytes));

  const stored = filesIn(dir, 'sha256').length;
  const some = someBytes(10);
  const wrong: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['half a length', Buffer.alloc(3)],
    ['a length beyond the end', Buffer.concat([Buffer.from('ffffffff', 'hex'), some])],
    ['no JSON', bodyOf('{', some)],
    ['another JSON', bodyOf({ parts: 'x' }, some)],
    ['no parts', bodyOf(partsOf([]), Buffer.alloc(0))],
    ['an empty part', bodyOf(partsOf([0]), Buffer.alloc(0))],
    ['too large a part', bodyOf(partsOf([65_537]), someBytes(65_537))],
    ['too many parts', bodyOf(partsOf(Array.from({ length: 65 }, () => 1)), someBytes(65))],
    ['bytes too few', bodyOf(partsOf([11]), some)],
    ['bytes too many', bodyOf(partsOf([9]), some)],
  ];
  for (const [what, body] of wrong) {
    const code = await codeOf(client.send('putMany', { body }));
    t.match(code, /^(invalid_body|size_mismatch)$/, what);
  }
  t.equal(await codeOf(client.send('putMany', { body: someBytes(6_000_000) })), 'too_large');
  t.equal(filesIn(dir, 'sha256').length, stored, 'nothing of it is stored');
  t.same(filesIn(dir, 'tmp'), []);
});
