import { newId, signPrincipal } from '@coffer/service-kit';
import t from 'tap';
import { bench, codeOf, content, Person, until } from './helpers.ts';

t.setTimeout(180_000);

t.test('versions: kept, read, restored, bounded', async (t) => {
  const place = await bench(t);
  const ann = new Person(await place.start({ maxVersions: 3 }));
  const headers = { 'cache-control': 'x', 'a.b': '$c' };
  const write = (c = content(1)) =>
    ann.call('commitWrite', {
      body: { target: { parent: { id: 'root' }, name: 'f', ifExists: 'replace' }, content: c },
    });
  const first = await place.blobs.store(100, { headers, mime: 'image/png' });
  const digest = first.chunks[0]?.digest ?? '';
  const { node } = await write(first);
  await write(content(20));
  const versions = () => ann.call('listVersions', { params: { id: node.id } });
  const [v] = (await versions()).items;
  if (v === undefined) throw new Error('there is a version');
  t.same([v.sizeBytes, v.mime, v.etag, v.by], [100, 'image/png', first.etag, ann.id]);
  const read = await ann.call('getVersion', { params: { id: node.id, vid: v.vid } });
  t.same([read.content.headers, read.content.chunks], [headers, first.chunks], 'what belongs to it went with it');
  t.match(await ann.usage(), { usedBytes: 120, liveBytes: 20, versionBytes: 100, files: 1 });
  const touchedAt = await place.blobs.touchedAt(digest);
  // File times are coarse.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const back = await ann.call('restoreVersion', { params: { id: node.id, vid: v.vid }, body: {} });
  t.same([back.content?.etag, back.content?.headers, back.rev], [first.etag, headers, 3]);
  t.not(back.content?.vid, v.vid);
  t.ok((await place.blobs.touchedAt(digest)) > touchedAt, 'the blob’s time was renewed');
  t.match(await ann.usage(), { usedBytes: 220, liveBytes: 100, versionBytes: 120 });
  for (let i = 0; i < 5; i++) await write(content(i));
  t.same(
    (await versions()).items.map(({ sizeBytes }) => sizeBytes),
    [3, 2, 1],
    'the newest first, the oldest dropped',
  );
  await until('what was dropped is given back', async () => (await ann.usage()).usedBytes === 10);
  t.match(await ann.usage(), { usedBytes: 10, liveBytes: 4, versionBytes: 6 });
  const current = (await ann.get(node.id)).content;
  const read2 = await ann.call('getVersion', { params: { id: node.id, vid: current?.vid ?? '' } });
  t.same(read2.content, current, 'the current one by its id too');
  t.equal(await codeOf(ann.call('getVersion', { params: { id: node.id, vid: newId() } })), 'not_found');
  t.equal(await codeOf(ann.call('restoreVersion', { params: { id: node.id, vid: v.vid }, body: {} })), 'not_found');
  const [last] = (await versions()).items;
  const stale = { preconditions: { ifRev: [1] } };
  const params = { id: node.id, vid: last?.vid ?? '' };
  t.equal(await codeOf(ann.call('restoreVersion', { params, body: stale })), 'precondition_failed');
  const folder = await ann.folder('root', 'd');
  t.equal(await codeOf(ann.call('listVersions', { params: { id: folder.id } })), 'not_a_file');
  await ann.recount(t);
});

t.test('no versions are kept where none are wanted', async (t) => {
  const ann = new Person(await (await bench(t)).start({ maxVersions: 0 }));
  for (let i = 0; i < 30; i++) await ann.file('root', 'f', 10 + i);
  await until('settled', async () => (await ann.usage()).usedBytes < 39 + 10 * 39);
  await ann.file('root', 'f', 5);
  const { id } = await ann.at(['f']);
  await until('none left', async () => {
    await ann.file('root', 'f', 5);
    return (await ann.call('listVersions', { params: { id } })).items.length === 0;
  });
  await until('settled', async () => (await ann.usage()).usedBytes === 5);
  await ann.recount(t);
});

t.test('copies without bytes', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Person(service);
  const target = { parent: { id: 'root' as const }, name: 'f.txt', ifExists: 'fail' as const };
  const bytes = await place.blobs.store(10);
  const digest = bytes.chunks[0]?.digest ?? '';
  const { node: file } = await ann.call('commitWrite', { body: { target, content: bytes } });
  const touchedAt = await place.blobs.touchedAt(digest);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const copy = (id: string, body: object) =>
    ann.call('copyNode', { params: { id }, body: { parentId: 'root', ...body } });
  const same = await copy(file.id, {});
  t.same([same.node.name, same.pending, same.node.content?.chunks], ['f (1).txt', false, file.content?.chunks]);
  t.equal((await copy(file.id, {})).node.name, 'f (2).txt');
  t.equal(await codeOf(copy(file.id, { name: 'f.txt' })), 'name_taken');
  t.equal((await copy(file.id, { name: 'g' })).node.name, 'g');
  t.ok((await place.blobs.touchedAt(digest)) > touchedAt, 'the blob’s time was renewed');
  const idempotency = { key: 'k', fingerprint: 'f' };
  const once = await copy(file.id, { name: 'h', idempotency });
  t.same((await copy(file.id, { name: 'h', idempotency })).node.id, once.node.id);

  for (let i = 0; i < 30; i++) await ann.put(['d', `e${i % 3}`, `f${i}`], 2);
  const d = await ann.at(['d']);
  await ann.call('updateNode', { params: { id: d.id }, body: { properties: { k: 'v' } } });
  const done = await copy(d.id, { name: 'd2' });
  t.equal(done.pending, false);
  t.same(done.node.properties, { k: 'v' });
  const below = (prefix: string, paths: Iterable<string>) =>
    [...paths].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const paths = (await ann.walk()).keys();
  const list = [...paths];
  t.same(below('d2/', list), below('d/', list));
  const e0 = await ann.at(['d', 'e0']);
  t.equal(await codeOf(copy(d.id, { parentId: e0.id })), 'would_cycle');
  t.equal(await codeOf(copy(d.id, { parentId: d.id })), 'would_cycle');
  t.equal(await codeOf(copy(d.id, { parentId: file.id })), 'not_a_folder');
  t.equal(await codeOf(copy(newId(), {})), 'not_found');
  await place.blobs.lose(digest);
  t.equal(await codeOf(copy(file.id, {})), 'blob_missing');
  await ann.recount(t);
});

t.test('a large folder is copied in the background, by whoever is there', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()] as const;
  const { nodes } = services[0].database;
  const ann = new Person([...services]);
  await Promise.all(Array.from({ length: 700 }, (_, i) => ann.put(['d', `e${i % 5}`, `f${i}`], 2)));
  const d = await ann.at(['d']);
  const { node, pending } = await ann.call('copyNode', { params: { id: d.id }, body: { parentId: 'root', name: 'c' } });
  t.equal(pending, true);
  await until('all is copied', async () => (await ann.usage()).files === 1400);
  // The space of the last page is taken before its nodes are made.
  await until('and made', async () => (await nodes.countDocuments({ fill: { $exists: true } })) === 0);
  t.equal((await ann.walk(node.id)).size, 705);
  t.match(await ann.usage(), { usedBytes: 2800, files: 1400, folders: 12 });
  await ann.recount(t);
  await ann.trash(node.id, true);
  await until('gone', async () => (await ann.usage()).usedBytes === 1400);
  await ann.recount(t);
});

t.test('a copy that does not fit is refused before anything is made', async (t) => {
  const ann = new Person(await (await bench(t)).start({ freeLimitBytes: 150 }));
  for (let i = 0; i < 10; i++) await ann.put(['d', `f${i}`], 10);
  const d = await ann.at(['d']);
  const copy = ann.call('copyNode', { params: { id: d.id }, body: { parentId: 'root', name: 'c' } });
  t.equal(await codeOf(copy), 'quota_exceeded');
  t.same(
    [...(await ann.walk()).keys()].filter((path) => path.startsWith('c')),
    [],
  );
  await ann.recount(t);
});

t.test('search by name', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  await ann.put(['Trips', 'Über Berge', 'PHOTO.jpg']);
  await ann.put(['ｐｈｏｔｏ 2.jpg']);
  await ann.put(['a.*b']);
  await ann.put(['gone', 'photo 3']);
  await ann.trash((await ann.at(['gone'])).id);
  const search = async (q: string, o: object = {}) =>
    (await ann.call('search', { query: { q, ...o } })).items.map(({ name }) => name);
  t.same(await search('photo'), ['ｐｈｏｔｏ 2.jpg', 'PHOTO.jpg'], 'case and width ignored; nothing from the trash');
  t.same(await search('hot'), ['ｐｈｏｔｏ 2.jpg', 'PHOTO.jpg']);
  t.same(await search('hot', { match: 'prefix' }), []);
  t.same(await search('PHO', { match: 'prefix' }), ['ｐｈｏｔｏ 2.jpg', 'PHOTO.jpg']);
  t.same(await search('über'), ['Über Berge']);
  t.same(await search('.*'), ['a.*b'], 'no pattern');
  t.same(await search('nothing'), []);
  t.same((await new Person(service).call('search', { query: { q: 'photo' } })).items, []);
  await Promise.all(Array.from({ length: 60 }, (_, i) => ann.put([i % 2 ? 'gone2' : 'dir', `x${i}`])));
  await ann.trash((await ann.at(['gone2'])).id);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ann.call('search', { query: { q: 'x', limit: 4, cursor } });
    t.ok(page.items.length <= 4);
    seen.push(...page.items.map(({ name }) => name));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  t.same(seen, Array.from({ length: 30 }, (_, i) => `x${2 * i}`).toSorted());
  const page = await ann.call('search', { query: { q: 'x', limit: 1 } });
  const foreign = ann.call('search', { query: { q: 'y', limit: 1, cursor: page.nextCursor ?? '' } });
  t.equal(await codeOf(foreign), 'invalid_cursor');
});

t.test('usage, limits and who may see them', async (t) => {
  const service = await (await bench(t)).start({ freeLimitBytes: 1000 });
  const ann = new Person(service);
  const operator = new Person(service, { role: 'operator' });
  t.same(await ann.usage(), {
    usedBytes: 0,
    limitBytes: 1000,
    liveBytes: 0,
    trashBytes: 0,
    versionBytes: 0,
    files: 0,
    folders: 0,
  });
  const params = { accountId: ann.id };
  t.equal(await codeOf(new Person(service).call('getUsage', { params })), 'not_found');
  t.equal(await codeOf(ann.call('setLimit', { params, body: { limitBytes: 5 } })), 'forbidden');
  t.equal((await operator.call('setLimit', { params, body: { limitBytes: 50 } })).limitBytes, 50);
  t.equal(await codeOf(ann.file('root', 'f', 51)), 'quota_exceeded');
  t.same(await ann.children('root'), [], 'nothing was made');
  await ann.file('root', 'f', 50);
  t.equal(await codeOf(ann.file('root', 'f', 1)), 'quota_exceeded', 'versions count');
  const target = { parent: { id: 'root' as const }, name: 'g', ifExists: 'fail' as const };
  t.equal((await ann.call('prepareWrite', { body: { target } })).availableBytes, 0);
  t.equal(await codeOf(ann.call('prepareWrite', { body: { target, sizeBytes: 1 } })), 'quota_exceeded');
  await operator.call('setLimit', { params, body: { limitBytes: 10 } });
  await ann.file('root', 'empty', 0);
  await ann.folder('root', 'd');
  t.match(await operator.call('getUsage', { params }), { usedBytes: 50, limitBytes: 10, files: 2, folders: 1 });
  await ann.recount(t);
  t.equal(await codeOf(ann.call('recount', { params, body: { repair: true } })), 'forbidden');
  await service.database.usage.updateOne({ _id: ann.id }, { $inc: { usedBytes: 7, files: -1 } });
  const { stored, counted } = await operator.call('recount', { params, body: { repair: true } });
  t.same([stored.usedBytes, counted.usedBytes, stored.files, counted.files], [57, 50, 1, 2]);
  t.equal((await ann.usage()).usedBytes, 50, 'repaired');
  await ann.recount(t);
});

t.test('what was judged a moment ago is judged again by the commit', async (t) => {
  const place = await bench(t);
  const [one, two] = [await place.start(), await place.start()];
  const ann = new Person(one);
  const same = new Person(two, ann.principal);
  const operator = new Person(two, { role: 'operator' });
  await ann.put(['d', 'f'], 10);
  const target = { parent: { path: ['d'] }, name: 'g', ifExists: 'replace' as const };
  const prepare = (sizeBytes: number) => ann.call('prepareWrite', { body: { target, sizeBytes } });
  await prepare(1);
  await operator.call('setLimit', { params: { accountId: ann.id }, body: { limitBytes: 15 } });
  const commit = () => ann.call('commitWrite', { body: { target, content: content(10) } });
  t.equal(await codeOf(commit()), 'quota_exceeded');
  await same.trash((await same.at(['d'])).id);
  t.equal(await codeOf(commit()), 'not_found');
  await until('the preparation knows it too', async () => (await codeOf(prepare(1))) === 'not_found');
  const other = { ...target, parent: { id: 'root' as const } };
  const big = () => codeOf(ann.call('prepareWrite', { body: { target: other, sizeBytes: 6 } }));
  await until('and the limit', async () => (await big()) === 'quota_exceeded');
  await ann.recount(t);
});

t.test('several commits in one call, each with its own answer', async (t) => {
  const { start } = await bench(t);
  const service = await start({ freeLimitBytes: 1_000 });
  const [ada, bob] = [new Person(service), new Person(service)];
  const guest = new Person(service, { accountId: ada.id, readOnly: true });
  await ada.file('root', 'taken');
  const { internalSecret } = service.ctx;
  const part = (
    who: Person | string | undefined,
    name: string,
    sizeBytes: number,
    ifExists: 'fail' | 'replace' = 'fail',
  ) => ({
    head: {
      requestId: `together-${name}`,
      ...(who !== undefined && {
        principal: typeof who === 'string' ? who : signPrincipal(who.principal, internalSecret),
      }),
    },
    write: { target: { parent: { id: 'root' as const }, name, ifExists }, content: content(sizeBytes) },
  });
  const forged = `${signPrincipal(ada.principal, 'another secret that is long enough too').split('.')[0]}.AAAA`;
  const { answers } = await service.client.call('commitMany', {
    body: {
      parts: [
        part(ada, 'a', 100),
        part(bob, 'a', 200),
        part(ada, 'taken', 10),
        part(ada, 'taken', 10, 'replace'),
        part(ada, 'too large', 5_000),
        part(guest, 'b', 10),
        part(undefined, 'c', 10),
        part(forged, 'd', 10),
        part(ada, 'a/b', 10),
      ],
    },
  });
  t.strictSame(
    answers.map((answer) => ('error' in answer ? answer.error.code : answer.created)),
    [true, true, 'name_taken', false, 'quota_exceeded', 'read_only', 'unauthorized', 'unauthorized', 'invalid_name'],
  );
  t.match(answers[0], { node: { name: 'a', ownerId: ada.id, content: { sizeBytes: 100 } } });
  t.match(answers[1], { node: { name: 'a', ownerId: bob.id, content: { sizeBytes: 200 } } });
  t.match(answers[8], { error: { errors: [{ path: '/target/name' }] } });
  for (const [who, usedBytes] of [
    [ada, 120],
    [bob, 200],
  ] as const) {
    const { stored, counted } = await who.call('recount', { params: { accountId: who.id }, body: { repair: false } });
    t.equal(stored.usedBytes, usedBytes);
    t.equal(counted.usedBytes, usedBytes);
  }
});
