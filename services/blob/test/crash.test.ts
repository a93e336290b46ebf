import { mkdirSync, renameSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import {
  blobPath,
  codeOf,
  digestOf,
  filesIn,
  openStore,
  putBytes,
  readAll,
  someBytes,
  startService,
  tempDir,
  until,
} from './helpers.ts';

t.test('killed while many write: what was acknowledged is there, what was not left nothing', async (t) => {
  const dir = tempDir(t);
  const acknowledged = new Map<string, Buffer>();
  for (let round = 0; round < 3; round++) {
    const service = await startService(t, dir);
    let killed = false;
    const writer = async (): Promise<void> => {
      while (!killed) {
        const bytes = someBytes(Math.floor(Math.random() ** 4 * 3_000_000));
        try {
          const { digest } = await service.client.send('put', { body: bytes });
          acknowledged.set(digest, bytes);
        } catch {
          return;
        }
      }
    };
    const writers = Array.from({ length: 16 }, writer);
    const begun = acknowledged.size;
    await until('some writes went through', () => acknowledged.size > begun + 40, 60_000);
    service.child.kill('SIGKILL');
    killed = true;
    await service.exited();
    await Promise.all(writers);
  }
  const { client } = await startService(t, dir);
  t.same(filesIn(dir, 'tmp'), [], 'the next start removed what was half written');
  for (const [digest, bytes] of acknowledged) {
    const { body } = await client.open('get', { params: { digest } });
    if (!(await readAll(body)).equals(bytes)) t.fail(`${digest} is not what was acknowledged`);
  }
  const stored = filesIn(dir, 'sha256').map((name) => name.replaceAll('/', ''));
  t.ok(stored.length >= acknowledged.size, `${acknowledged.size} acknowledged, ${stored.length} stored`);
  for (const digest of stored) {
    const { intact } = await client.call('verify', { params: { digest } });
    if (!intact) t.fail(`${digest} can be seen and is not whole`);
  }
});

t.test('killed half-way through an upload: its temporary file goes, a living instance’s stays', async (t) => {
  const dir = tempDir(t);
  const [one, two] = [await startService(t, dir), await startService(t, dir)];
  const begin = (service: typeof one): { feed: Readable; done: Promise<string> } => {
    const feed = new Readable({ read() {} });
    for (let i = 0; i < 3; i++) feed.push(someBytes(1_000_000));
    return { feed, done: codeOf(service.client.send('put', { body: feed })) };
  };
  const [dying, living] = [begin(one), begin(two)];
  await until('both write', () => filesIn(dir, 'tmp').length === 2);
  one.child.kill('SIGKILL');
  await one.exited();
  t.not(await dying.done, 'no error');
  dying.feed.destroy();
  t.equal(filesIn(dir, 'tmp').length, 2, 'nobody has cleared it yet');
  await startService(t, dir);
  t.equal(filesIn(dir, 'tmp').length, 1, 'the next start removed the dead one’s only');
  living.feed.push(null);
  t.equal(await living.done, 'no error');
  t.equal(filesIn(dir, 'sha256').length, 1);
});

t.test('a blob that a dead instance had moved aside is put back', async (t) => {
  const dir = tempDir(t);
  const first = await openStore(t, dir);
  const bytes = someBytes(1000);
  const digest = digestOf(bytes);
  await putBytes(first, bytes);
  renameSync(blobPath(dir, digest), path.join(dir, 'v1/removing', `${digest}.gone-1234.0`));
  rmdirSync(path.dirname(blobPath(dir, digest)));
  const second = await openStore(t, dir);
  t.same(filesIn(dir, 'removing'), []);
  t.equal(filesIn(dir, 'sha256').length, 1);
  t.equal(await second.verify(digest), 'intact');
});

t.test('an owner that cannot be looked up is dead after a long silence only', async (t) => {
  const dir = tempDir(t);
  await openStore(t, dir);
  const elsewhere = JSON.stringify({ pid: 1, where: 'another machine', startedAt: '5' });
  for (const name of ['fresh', 'silent', 'unlocked']) {
    mkdirSync(path.join(dir, 'v1/tmp', name));
    writeFileSync(path.join(dir, 'v1/tmp', name, '0'), 'half');
    if (name !== 'unlocked') writeFileSync(path.join(dir, 'v1/tmp', name, 'owner.json'), elsewhere);
  }
  const longAgo = new Date(Date.now() - 120_000);
  utimesSync(path.join(dir, 'v1/tmp/silent/owner.json'), longAgo, longAgo);
  await openStore(t, dir);
  t.same(filesIn(dir, 'tmp').sort(), ['fresh/0', 'unlocked/0']);
});
