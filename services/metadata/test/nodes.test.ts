import { newId } from '@coffer/service-kit';
import t from 'tap';
import { bench, codeOf, content, hasty, Person, until } from './helpers.ts';

t.setTimeout(180_000);

t.test('folders and files by id and by path', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  const root = await ann.get('root');
  t.equal(root.id, ann.id, 'the root has the account’s id');
  t.same([root.parentId, root.name, root.kind, root.rev], [null, '', 'folder', 1]);
  const trips = await ann.folder('root', 'trips');
  const made = await ann.put(['trips', '2026', 'photo.jpg'], 1234);
  t.equal(made.created, true);
  t.equal(made.node.content?.sizeBytes, 1234);
  const found = await ann.at(['trips', '2026', 'photo.jpg']);
  t.same(found, made.node);
  t.same(await ann.get(made.node.id), made.node, 'the same by id');
  t.equal((await ann.at(['trips', '2026'])).parentId, trips.id);
  t.equal((await ann.at([])).id, ann.id);
  const again = await ann.put(['trips', '2026', 'photo.jpg'], 5);
  t.equal(again.created, false);
  t.equal(again.node.id, made.node.id);
  t.equal(again.node.rev, 2);
  t.equal(await codeOf(ann.at(['trips', 'none'])), 'not_found');
  t.equal(await codeOf(ann.get(newId())), 'not_found');
  t.equal(await codeOf(new Person(service).get(made.node.id)), 'not_found', 'not another’s');
  t.equal(await codeOf(new Person(service, { role: 'operator' }).get(made.node.id)), 'not_found', 'nor an operator’s');
  await ann.recount(t);
});

t.test('a file and a folder of one name stand side by side', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const folder = await ann.folder('root', 'a');
  const file = await ann.file('root', 'a');
  await ann.file('root', 'a-b');
  t.equal((await ann.at(['a'])).id, file.id, 'the file is taken first');
  const resolve = (kind: 'file' | 'folder') => ann.call('resolve', { body: { ref: { path: ['a'], kind } } });
  t.equal((await resolve('folder')).id, folder.id);
  t.equal((await resolve('file')).id, file.id);
  t.same(
    (await ann.children('root')).map(({ name, kind }) => [name, kind]),
    [
      ['a', 'file'],
      ['a-b', 'file'],
      ['a', 'folder'],
    ],
  );
  await ann.trash(file.id);
  t.equal((await ann.at(['a'])).id, folder.id, 'the hint of the file is not believed');
});

t.test('wrong hints of another instance’s changes are noticed', async (t) => {
  const place = await bench(t);
  const [one, two] = [await place.start(), await place.start()];
  const ann = new Person(one);
  const same = new Person(two, ann.principal);
  const { node } = await ann.put(['a', 'b', 'c', 'file'], 1);
  t.equal((await same.at(['a', 'b', 'c', 'file'])).id, node.id);
  t.equal((await same.get(node.id)).id, node.id);
  const b = await ann.at(['a', 'b']);
  await ann.call('updateNode', { params: { id: b.id }, body: { parentId: 'root', name: 'z' } });
  t.equal(await codeOf(same.at(['a', 'b', 'c', 'file'])), 'not_found');
  t.equal((await same.at(['z', 'c', 'file'])).id, node.id);
  t.equal((await same.get(node.id)).id, node.id);
  await ann.folder((await ann.at(['a'])).id, 'b');
  t.equal(await codeOf(same.at(['a', 'b', 'c'])), 'not_found');
  await ann.trash(b.id);
  t.equal(await codeOf(same.get(node.id)), 'not_found', 'below a trashed folder it is not there');
  t.equal(await codeOf(same.at(['z', 'c', 'file'])), 'not_found');
});

t.test('resolveMany answers each for its own account, in order', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  const file = await ann.file('root', 'f');
  const { answers } = await ann.call('resolveMany', {
    body: {
      questions: [
        { accountId: ann.id, ref: { id: file.id } },
        { accountId: bob.id, ref: { id: file.id } },
        { accountId: ann.id, ref: { path: ['f'] } },
        { accountId: bob.id, ref: { id: 'root' } },
        { accountId: ann.id, ref: { path: ['..'] } },
      ],
    },
  });
  t.same(
    answers.map((answer) => ('node' in answer ? answer.node.id : answer.error.code)),
    [file.id, 'not_found', file.id, bob.id, 'invalid_name'],
  );
});

t.test('names: what is not one is refused everywhere', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const file = await ann.file('root', 'f');
  const bad = ['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256), 'é'.repeat(128), '\ud800'];
  for (const name of bad) {
    const target = { parent: { id: 'root' as const }, name, ifExists: 'fail' as const };
    const expected = 'invalid_name';
    t.equal(await codeOf(ann.folder('root', name)), expected, JSON.stringify(name.slice(0, 5)));
    t.equal(await codeOf(ann.call('commitWrite', { body: { target, content: content(1) } })), expected);
    t.equal(await codeOf(ann.call('prepareWrite', { body: { target } })), expected);
    t.equal(await codeOf(ann.call('updateNode', { params: { id: file.id }, body: { name } })), expected);
    t.equal(await codeOf(ann.put([name, 'x'])), expected);
    t.equal(
      await codeOf(ann.call('copyNode', { params: { id: file.id }, body: { parentId: 'root', name } })),
      expected,
    );
  }
  for (const name of ['x'.repeat(255), 'é'.repeat(127), ' ', '...', 'a\nb', 'Ａ', '\u202e', 'e\u0301', '$a.b']) {
    t.equal((await ann.file('root', name)).name, name, 'kept exactly');
  }
  t.equal((await ann.children('root')).length, 10);
});

t.test('rename, move and properties in one update', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const [a, b] = [await ann.folder('root', 'a'), await ann.folder('root', 'b')];
  const file = await ann.file(a.id, 'f');
  const properties = { $x: '1', 'a.b': '2', '': '3', __proto__x: '4' };
  t.equal(await codeOf(ann.call('updateNode', { params: { id: file.id }, body: { properties } })), 'invalid_body');
  const { '': _, ...legal } = properties;
  const moved = await ann.call('updateNode', {
    params: { id: file.id },
    body: { name: 'g', parentId: b.id, properties: legal },
  });
  t.same([moved.name, moved.parentId, moved.rev, moved.properties], ['g', b.id, 2, legal]);
  t.ok(moved.modifiedAt >= file.modifiedAt);
  t.same(await ann.get(file.id), moved);
  const cleared = await ann.call('updateNode', { params: { id: file.id }, body: { properties: { $x: null } } });
  t.notOk('$x' in cleared.properties);
  const same = await ann.call('updateNode', { params: { id: file.id }, body: { name: 'g' } });
  t.equal(same.rev, 3, 'nothing changed, nothing written');
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, '']));
  t.equal(
    await codeOf(ann.call('updateNode', { params: { id: file.id }, body: { properties: many } })),
    'invalid_body',
  );
  await ann.file(b.id, 'h');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: file.id }, body: { name: 'h' } })), 'name_taken');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: a.id }, body: { parentId: a.id } })), 'would_cycle');
  const inner = await ann.folder(a.id, 'inner');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: a.id }, body: { parentId: inner.id } })), 'would_cycle');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: a.id }, body: { parentId: file.id } })), 'not_a_folder');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: a.id }, body: { parentId: newId() } })), 'not_found');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: 'root' }, body: { name: 'x' } })), 'forbidden');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: 'root' }, body: { parentId: a.id } })), 'forbidden');
  t.equal(await codeOf(ann.trash('root')), 'forbidden');
  t.equal(await codeOf(ann.trash('root', true)), 'forbidden');
  const marked = await ann.call('updateNode', { params: { id: 'root' }, body: { properties: { k: 'v' } } });
  t.same(marked.properties, { k: 'v' });
  await ann.recount(t);
});

t.test('preconditions', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const file = await ann.file('root', 'f');
  const etag = file.content?.etag ?? '';
  const put = (name: string, preconditions: object) =>
    ann.call('commitWrite', {
      body: { target: { parent: { id: 'root' }, name, ifExists: 'replace' }, content: content(3), preconditions },
    });
  const prepare = (name: string, preconditions: object) =>
    ann.call('prepareWrite', {
      body: { target: { parent: { id: 'root' }, name, ifExists: 'replace' }, preconditions },
    });
  for (const write of [prepare, put]) {
    t.equal(await codeOf(write('f', { ifMatch: ['other'] })), 'precondition_failed');
    t.equal(await codeOf(write('f', { ifNoneMatch: ['*'] })), 'precondition_failed');
    t.equal(await codeOf(write('f', { ifNoneMatch: [etag] })), 'precondition_failed');
    t.equal(await codeOf(write('f', { ifRev: [7] })), 'precondition_failed');
    t.equal(await codeOf(write('new', { ifMatch: ['*'] })), 'precondition_failed');
    t.equal(await codeOf(write('new', { ifRev: [1] })), 'precondition_failed');
  }
  t.equal((await put('new', { ifNoneMatch: ['*'] })).created, true);
  const second = await put('f', { ifMatch: ['x', etag], ifRev: [1] });
  t.equal(second.node.rev, 2);
  t.equal((await put('f', { ifMatch: ['*'] })).node.rev, 3);
  const update = (preconditions: object) =>
    ann.call('updateNode', { params: { id: file.id }, body: { name: 'g', preconditions } });
  t.equal(await codeOf(update({ ifRev: [2] })), 'precondition_failed');
  t.equal((await update({ ifRev: [2, 3] })).rev, 4);
  const remove = (preconditions: object) =>
    ann.call('deleteNode', { body: { ref: { id: file.id }, permanent: false, preconditions } });
  t.equal(await codeOf(remove({ ifRev: [3] })), 'precondition_failed');
  await remove({ ifRev: [4] });
  t.equal(await codeOf(ann.get(file.id)), 'not_found');
  await ann.recount(t);
});

t.test('writes: new names, taken names, wrong kinds, sizes', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const folder = await ann.folder('root', 'folder');
  const file = await ann.file('root', 'file');
  const commit = (target: object, c = content(1)) =>
    ann.call('commitWrite', { body: { target: target as never, content: c } });
  const prepare = (target: object) => ann.call('prepareWrite', { body: { target: target as never, sizeBytes: 1 } });
  for (const write of [prepare, commit]) {
    t.equal(await codeOf(write({ node: { id: folder.id } })), 'not_a_file');
    t.equal(await codeOf(write({ node: { id: newId() } })), 'not_found');
    t.equal(await codeOf(write({ parent: { id: file.id }, name: 'x', ifExists: 'fail' })), 'not_a_folder');
    t.equal(await codeOf(write({ parent: { id: 'root' }, name: 'file', ifExists: 'fail' })), 'name_taken');
    t.equal(await codeOf(write({ parent: { path: ['none'] }, name: 'x', ifExists: 'fail' })), 'not_found');
  }
  t.equal(await codeOf(commit({ node: { id: file.id } }, { ...content(5), sizeBytes: 6 })), 'invalid_body');
  const replaced = await commit({ node: { id: file.id } }, content(5));
  t.same([replaced.created, replaced.node.rev, replaced.node.content?.sizeBytes], [false, 2, 5]);
  t.equal(
    (
      await ann.call('prepareWrite', {
        body: { target: { parent: { path: ['p', 'q'] }, name: 'x', makeFolders: true, ifExists: 'fail' } },
      })
    ).availableBytes,
    100_000_000 - 15,
  );
  t.equal(await codeOf(ann.at(['p'])), 'not_found', 'preparing makes nothing');
  const reader = new Person(await (await bench(t)).start(), { readOnly: true });
  t.equal(await codeOf(reader.folder('root', 'x')), 'read_only');
  t.equal(await codeOf(reader.file('root', 'x')), 'read_only');
  t.equal(
    await codeOf(
      reader.call('prepareWrite', { body: { target: { parent: { id: 'root' }, name: 'x', ifExists: 'fail' } } }),
    ),
    'read_only',
  );
  t.equal(await codeOf(reader.call('emptyTrash', {})), 'read_only');
  t.same(await reader.children('root'), []);
});

t.test('idempotency keys', async (t) => {
  const service = await (await bench(t)).start({ freeLimitBytes: 20 });
  const ann = new Person(service);
  const idempotency = { key: 'k1', fingerprint: 'a' };
  const c = content(15);
  const body = {
    target: { parent: { id: 'root' as const }, name: 'f', ifExists: 'fail' as const },
    content: c,
    idempotency,
  };
  const first = await ann.call('commitWrite', { body });
  const replay = await ann.call('commitWrite', { body });
  t.same(replay, first, 'answered again, although the name is taken and the space would not do');
  t.equal(replay.created, true);
  t.equal(
    await codeOf(ann.call('commitWrite', { body: { ...body, idempotency: { ...idempotency, fingerprint: 'b' } } })),
    'idempotency_key_reused',
  );
  const bob = new Person(service);
  t.equal((await bob.call('commitWrite', { body })).created, true, 'keys are each account’s own');
  const racing = await Promise.all(
    Array.from({ length: 50 }, () =>
      ann.call('createFolder', {
        body: { parent: { id: 'root' }, name: 'n', idempotency: { key: 'k2', fingerprint: 'c' } },
      }),
    ),
  );
  t.equal(new Set(racing.map(({ node }) => node.id)).size, 1, 'racing replays answer one node');
  t.ok(racing.every(({ created }) => created));
  await ann.recount(t);
});

t.test('createFolder: existing and makeFolders', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const make = (o: object) => ann.call('createFolder', { body: { parent: { path: ['a', 'b'] }, name: 'c', ...o } });
  t.equal(await codeOf(make({})), 'not_found');
  const first = await make({ makeFolders: true, properties: { k: 'v' } });
  t.same([first.created, first.node.properties], [true, { k: 'v' }]);
  t.equal(await codeOf(make({})), 'name_taken');
  const again = await make({ existing: true });
  t.same([again.created, again.node.id], [false, first.node.id]);
  t.same((await ann.usage()).folders, 3);
  await ann.recount(t);
});

t.test('pages stay whole while the folder changes', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const names = Array.from(
    { length: 3000 },
    (_, i) => `${String.fromCodePoint(0x61 + (i % 5), 0x1f600 + (i % 7), 0xe000 + i)}`,
  );
  const folder = await ann.folder('root', 'many');
  await Promise.all(names.map((name) => ann.file(folder.id, name, 0)));
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; ; page++) {
    const answer = await ann.call('listChildren', { params: { id: folder.id }, query: { limit: 171, cursor } });
    seen.push(...answer.items.map(({ name }) => name));
    if (page % 3 === 0) {
      await ann.file(folder.id, `a-late${page}`);
      const [early] = answer.items;
      if (early !== undefined) await ann.trash(early.id);
    }
    if (answer.nextCursor === null) break;
    cursor = answer.nextCursor;
  }
  const old = seen.filter((name) => !name.startsWith('a-late'));
  const inByteOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  t.same(old, inByteOrder, 'each of them once, in byte order');
  const other = await ann.folder('root', 'other');
  const foreign = ann.call('listChildren', { params: { id: other.id }, query: { cursor } });
  t.equal(await codeOf(foreign), 'invalid_cursor');
  t.equal(
    await codeOf(ann.call('listChildren', { params: { id: other.id }, query: { cursor: 'x' } })),
    'invalid_cursor',
  );
  const file = await ann.file('root', 'file');
  t.equal(await codeOf(ann.children(file.id)), 'not_a_folder');
});

t.test('events: one for each change, published and cleared', async (t) => {
  const place = await bench(t);
  const service = await place.start({ bus: 'nats', patience: hasty });
  const seen: { type: string; data: Record<string, unknown> }[] = [];
  service.ctx.bus.subscribe('metadata.>', (event) => {
    seen.push({ type: event.type, data: event.data as Record<string, unknown> });
  });
  await until('NATS is there', async () => service.ctx.bus.connected());
  const ann = new Person(service);
  const file = await ann.file('root', 'f');
  await ann.file('root', 'f');
  await ann.call('updateNode', { params: { id: file.id }, body: { name: 'g', properties: { a: 'b' } } });
  await ann.trash(file.id);
  await ann.call('restoreNode', { params: { id: file.id } });
  await ann.trash(file.id, true);
  const types = () =>
    seen
      .filter(({ data }) => data.nodeId === file.id)
      .map(({ type, data }) => `${type}:${data.change ?? ''}:${data.rev}`);
  await until('all events', async () => types().length >= 7);
  t.same(types().toSorted(), [
    'metadata.node-changed:content:2',
    'metadata.node-changed:name:3',
    'metadata.node-changed:properties:3',
    'metadata.node-changed:restored:5',
    'metadata.node-created::1',
    'metadata.node-deleted::6',
    'metadata.node-trashed::4',
  ]);
  await until('nothing left of the node', async () => {
    const left = await service.database.husks.findOne({ _id: file.id });
    return left === null || left.huskedAt !== undefined;
  });
  t.same(await service.database.nodes.find({ outboxAt: { $exists: true } }).toArray(), []);
  await ann.recount(t);
});
