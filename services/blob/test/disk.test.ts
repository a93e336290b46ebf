import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  codeOf,
  digestOf,
  filesIn,
  never,
  openStore,
  putBytes,
  readAll,
  someBytes,
  startApp,
  startService,
  tempDir,
  until,
} from './helpers.ts';

/** What lets this user have mounts of its own: a mount namespace as root, one in a user namespace otherwise; or nothing. */
const unshare = [
  ['unshare', '-m'],
  ['unshare', '-rm'],
].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0,
);
const noMounts = unshare === undefined ? 'this user may not mount anything, not even for itself' : false;
const withMount = (command: string): string[] => [...(unshare ?? []), 'sh', '-c', `${command} && exec "$@"`, 'sh'];

t.test('the floor is kept: uploads are refused before the disk is full, and nothing is left', async (t) => {
  const dir = tempDir(t);
  const { bavail, bsize } = statfsSync(dir);
  const store = await openStore(t, dir, { floorBytes: Math.max(0, bavail * bsize - 500_000_000) });
  const { client } = await startApp(t, store);
  t.equal((await client.send('put', { body: someBytes(1000) })).sizeBytes, 1000, 'there is room for this');
  t.equal(await codeOf(client.send('put', { body: someBytes(10), query: { sizeBytes: 2 ** 45 } })), 'size_mismatch');

  let sentBytes = 0;
  const piece = Buffer.alloc(65_536);
  const long = new Readable({
    read() {
      sentBytes += piece.length;
      this.push(piece);
    },
  });
  const known = client.send('put', { body: long, contentLength: 2 ** 40 });
  t.equal(await codeOf(known), 'disk_full', 'a known length at once');
  t.ok(sentBytes < 50_000_000, `${sentBytes} bytes were taken`);
  long.destroy();
  t.same(filesIn(dir, 'tmp'), []);
});

t.test('uploads that run side by side do not take the same space twice', async (t) => {
  const dir = tempDir(t);
  const { bavail, bsize } = statfsSync(dir);
  // Other programs use this disk too: room for about four of ten uploads, give or take.
  const store = await openStore(t, dir, { floorBytes: bavail * bsize - 4_500_000_000 });
  const feeds = Array.from({ length: 10 }, () => new Readable({ read() {} }));
  const results = feeds.map((feed) => codeOf(store.put(feed, { sizeBytes: 1_000_000_000 }, { signal: never })));
  const refused: string[] = [];
  for (const result of results) void result.then((code) => refused.push(code));
  await until('some are refused', () => refused.length >= 4);
  t.ok(refused.length < 10, `${refused.length} of 10 refused`);
  t.ok(refused.every((code) => code === 'disk_full'));
  for (const feed of feeds) feed.destroy();
  await Promise.all(results);
  t.equal(
    await codeOf(store.put(Readable.from([someBytes(10)]), {}, { signal: never })),
    'no error',
    'the promised space came free',
  );
});

t.test('a length that is not known is refused in the middle', { skip: noMounts }, async (t) => {
  const dir = tempDir(t);
  const floor = 4 * 1024 * 1024;
  const service = await startService(t, dir, {
    shell: withMount(`mount -t tmpfs -o size=16m tmpfs ${dir}`),
    env: { BLOB_FREE_FLOOR_BYTES: String(floor) },
  });
  const inside = `/proc/${service.pid}/root${dir}`;
  const sending = service.client.send('put', { body: Readable.from(pieces(64)) });
  t.equal(await codeOf(sending), 'disk_full');
  await until('nothing is left', () => filesIn(inside, 'tmp').length === 0);
  t.ok((await service.client.call('status', {})).freeBytes > floor);
  t.equal((await service.client.send('put', { body: someBytes(1_000_000) })).sizeBytes, 1_000_000);
});

t.test(
  'a disk that is really full gets the same answer, and what is there stays readable',
  { skip: noMounts },
  async (t) => {
    const dir = tempDir(t);
    const service = await startService(t, dir, { shell: withMount(`mount -t tmpfs -o size=8m tmpfs ${dir}`) });
    const inside = `/proc/${service.pid}/root${dir}`;
    const { client } = service;
    const kept: Buffer[] = [];
    let last = 'no error';
    for (let i = 0; i < 20 && last === 'no error'; i++) {
      const bytes = someBytes(1_300_000);
      // Without a length nothing is promised beforehand: the filesystem itself says that it is full.
      last = await codeOf(client.send('put', { body: Readable.from([bytes]) }));
      if (last === 'no error') kept.push(bytes);
    }
    t.equal(last, 'disk_full');
    t.ok(kept.length > 2);
    const many = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(client.send('put', { body: someBytes(900_000) }))),
    );
    t.ok(many.includes('disk_full'));
    t.ok(many.every((code) => code === 'disk_full' || code === 'no error'));
    await until('nothing is left', () => filesIn(inside, 'tmp').length === 0);
    for (const bytes of kept) {
      const { body } = await client.open('get', { params: { digest: digestOf(bytes) } });
      t.ok((await readAll(body)).equals(bytes));
    }
  },
);

t.test('a read-only disk is read, and refuses writes clearly', async (t) => {
  const dir = tempDir(t);
  const first = await openStore(t, dir);
  const bytes = someBytes(1000);
  const { digest } = await putBytes(first, bytes);
  await first.close();
  let shell: string[] = [];
  if (unshare !== undefined) shell = withMount(`mount --bind ${dir} ${dir} && mount -o remount,bind,ro ${dir}`);
  // Modes do not bind root, unless it lacks the capability, as where it may not mount; then it is an ordinary user.
  else readOnlyModes(t, dir);

  const { client, url } = await startService(t, dir, { shell });
  const { body } = await client.open('get', { params: { digest } });
  t.ok((await readAll(body)).equals(bytes));
  t.equal((await client.call('list', {})).items.length, 1);
  t.same(await client.call('verify', { params: { digest } }), { intact: true });
  t.equal((await client.call('status', {})).writable, false);
  const touchedBefore = '2100-01-01T00:00:00.000Z';
  t.equal(await codeOf(client.send('put', { body: someBytes(10) })), 'read_only_store');
  t.equal(await codeOf(client.send('put', { body: someBytes(3_000_000) })), 'read_only_store');
  t.equal(await codeOf(client.call('renew', { body: { digests: [digest] } })), 'read_only_store');
  t.equal(await codeOf(client.call('quarantine', { params: { digest } })), 'read_only_store');
  t.equal(
    await codeOf(client.call('removeUntouched', { params: { digest }, query: { touchedBefore } })),
    'read_only_store',
  );
  t.equal((await fetch(`${url}/healthz`)).status, 200);
});

t.test('folders that somebody removed while the store runs are made again', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir);
  const bytes = someBytes(100);
  const { digest } = await putBytes(store, bytes);
  rmSync(`${dir}/v1/sha256/${digest.slice(0, 2)}`, { recursive: true });
  for (const name of readdirSync(`${dir}/v1/tmp`)) rmSync(`${dir}/v1/tmp/${name}`, { recursive: true });
  t.ok((await putBytes(store, bytes)).created);
  t.equal(await store.verify(digest), 'intact');
});

t.test('a store that cannot be used at all does not start', async (t) => {
  const dir = tempDir(t);
  writeFileSync(`${dir}/file`, '');
  await t.rejects(openStore(t, `${dir}/file/blobs`));
});

function* pieces(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield someBytes(1_000_000);
}

function readOnlyModes(t: Test, dir: string): void {
  const folders = readdirSync(dir, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
  const all = [dir, ...folders];
  for (const folder of all) chmodSync(folder, 0o550);
  t.teardown(() => {
    for (const folder of all) chmodSync(folder, 0o750);
  });
}
