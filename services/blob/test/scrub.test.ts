import { readFileSync, writeFileSync } from 'node:fs';
import { createLogger } from '@coffer/service-kit';
import t from 'tap';
import { firstState } from '../src/domain/scrub-schedule.ts';
import { type Scrub, startScrub } from '../src/scrub.ts';
import type { BlobDriver } from '../src/store/driver.ts';
import { blobPath, codeOf, filesIn, openStore, putBytes, someBytes, startService, tempDir, until } from './helpers.ts';

const log = createLogger({ service: 'blob', instance: 'test', level: 'silent', pretty: false });
const scrubOf = (store: BlobDriver, instance: string, periodMs: number): Scrub =>
  startScrub({ store, log, instance, periodMs, maxBytesPerSecond: 1e9 });
const flip = (dir: string, digest: string): void => {
  const bytes = readFileSync(blobPath(dir, digest));
  bytes.writeUInt8(bytes.readUInt8(7) ^ 128, 7);
  writeFileSync(blobPath(dir, digest), bytes);
};

t.test('the service’s scrub finds a flipped bit by itself, and says how old its checks are', async (t) => {
  const dir = tempDir(t);
  const { client } = await startService(t, dir, { env: { SCRUB_PERIOD_DAYS: String(1.5 / 86_400) } });
  const digests = await Promise.all(
    [100, 100_000, 3_000_000].map(async (size) => (await client.send('put', { body: someBytes(size) })).digest),
  );
  const [, damaged = ''] = digests;
  flip(dir, damaged);
  await until('it is quarantined', async () => (await client.call('status', {})).quarantined === 1);
  t.match(filesIn(dir, 'quarantine')[0], damaged);
  t.equal(await codeOf(client.open('get', { params: { digest: damaged } })), 'not_found');
  t.equal((await client.call('list', {})).items.length, 2, 'the others are still there');
  const seen = Date.parse((await client.call('status', {})).oldestCheckAt ?? '');
  await until('another pass is over', async () => {
    const at = (await client.call('status', {})).oldestCheckAt;
    return at !== null && Date.parse(at) > seen;
  });
});

t.test('a pass goes on where it was after a restart, and does not start early', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir);
  for (let i = 0; i < 40; i++) await putBytes(store, someBytes(100));
  const digests = filesIn(dir, 'sha256')
    .map((name) => name.replaceAll('/', ''))
    .sort();
  // A pass of 100 s that began 50 s ago: the first part of the digests is overdue, the rest is not due yet.
  const began = new Date(Date.now() - 50_000);
  const [third = ''] = digests.slice(3);
  const state = { ...firstState(began, false, 'earlier'), heldAt: new Date(0).toISOString(), cursor: third };
  await store.writeState('scrub', JSON.stringify(state));
  for (const digest of digests) flip(dir, digest);
  const due = digests.filter((digest) => digest > third && Number.parseInt(digest.slice(0, 8), 16) / 2 ** 32 < 0.5);
  const scrub = scrubOf(store, 'now', 125_000);
  await until('what is due is checked', () => scrub.damaged() >= due.length);
  await scrub.stop();
  const quarantined = filesIn(dir, 'quarantine').map((name) => name.slice(0, 64));
  t.notOk(
    quarantined.some((digest) => digest <= third),
    'what the pass had behind it is not checked again',
  );
  t.ok(quarantined.length < due.length + 5, `${quarantined.length} checked, ${due.length} due`);

  const next = scrubOf(store, 'after', 125_000);
  await until('it has read the state', () => next.damaged() > 0);
  t.ok(next.damaged() >= due.length, 'the count survives a restart');
  t.equal(next.oldestCheckAt(), null, 'and nothing is claimed that was not checked');
  await next.stop();
});

t.test('of two instances on one store one scrubs, and the other takes over when it stops', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir);
  const one = scrubOf(store, 'one', 500);
  const holder = async (): Promise<unknown> => JSON.parse((await store.readState('scrub')) ?? '{}').holder;
  await until('one has it', async () => (await holder()) === 'one');
  const two = scrubOf(store, 'two', 500);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(await holder(), 'one');
  await Promise.all([one.stop(), two.stop()]);
  const three = scrubOf(store, 'three', 500);
  await until('three has it at once', async () => (await holder()) === 'three');
  await three.stop();
});
