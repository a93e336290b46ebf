import { newId } from '@coffer/service-kit';
import t from 'tap';
import { bench, codeOf, hasty, Person, until } from './helpers.ts';

t.setTimeout(180_000);

const gone = { usedBytes: 0, liveBytes: 0, trashBytes: 0, versionBytes: 0, files: 0, folders: 0 };

t.test('into the trash and back: one update, whatever lies below', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const { node } = await ann.put(['a', 'b', 'f'], 100);
  await ann.file('root', 'live', 7);
  const a = await ann.at(['a']);
  await ann.trash(a.id);
  for (const path of [['a'], ['a', 'b'], ['a', 'b', 'f']]) t.equal(await codeOf(ann.at(path)), 'not_found');
  t.equal(await codeOf(ann.get(a.id)), 'not_found');
  t.equal(await codeOf(ann.file(a.id, 'x')), 'not_found', 'nothing is made below it');
  t.equal(await codeOf(ann.call('updateNode', { params: { id: node.id }, body: { name: 'x' } })), 'not_found');
  t.equal(await codeOf(ann.trash(node.id)), 'not_found');
  t.equal(await codeOf(ann.trash(node.id, true)), 'not_found', 'what is below goes with the folder only');
  t.equal(await codeOf(ann.call('copyNode', { params: { id: node.id }, body: { parentId: 'root' } })), 'not_found');
  t.match(await ann.usage(), { usedBytes: 107, liveBytes: 7, trashBytes: 100, files: 1, folders: 0 });
  const listed = await ann.call('listTrash', {});
  t.same(
    listed.items.map(({ id, trashedAt }) => [id, typeof trashedAt]),
    [[a.id, 'string']],
  );
  const restored = await ann.call('restoreNode', { params: { id: a.id } });
  t.same([restored.name, restored.parentId, restored.trashedAt], ['a', ann.id, null]);
  t.equal((await ann.at(['a', 'b', 'f'])).id, node.id);
  t.match(await ann.usage(), { liveBytes: 107, trashBytes: 0, files: 2, folders: 2 });
  t.equal(await codeOf(ann.call('restoreNode', { params: { id: a.id } })), 'not_found', 'not in the trash any more');
  await ann.recount(t);
});

t.test('a restored node whose name is taken gets a free one; its folder gone, it comes to the root', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const names: string[] = [];
  for (let i = 0; i < 25; i++) {
    const file = await ann.file('root', 'photo.tar.gz');
    await ann.trash(file.id);
    names.push(file.id);
  }
  await ann.file('root', 'photo.tar.gz');
  const back = await Promise.all(names.map((id) => ann.call('restoreNode', { params: { id } })));
  const expected = Array.from({ length: 25 }, (_, i) => `photo.tar (${i + 1}).gz`);
  t.same(back.map(({ name }) => name).toSorted(), expected.toSorted());

  const { node } = await ann.put(['d', 'e', 'f'], 1);
  await ann.trash(node.id);
  await ann.trash((await ann.at(['d'])).id);
  t.equal((await ann.call('restoreNode', { params: { id: node.id } })).parentId, ann.id);
  await ann.recount(t);
});

t.test('the trash in pages, the latest first', async (t) => {
  const ann = new Person(await (await bench(t)).start());
  const ids: string[] = [];
  for (let i = 0; i < 12; i++) {
    const file = await ann.file('root', `f${i}`);
    await ann.trash(file.id);
    ids.unshift(file.id);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ann.call('listTrash', { query: { limit: 5, cursor } });
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  t.same(seen, ids);
  t.equal(await codeOf(ann.call('listTrash', { query: { cursor: 'abc' } })), 'invalid_cursor');
});

t.test('deleted for good: gone at once, its bytes given back, nothing of it left', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  await Promise.all(Array.from({ length: 300 }, (_, i) => ann.put(['top', `d${i % 7}`, `e${i % 3}`, `f${i}`], 10)));
  await ann.put(['top', 'd0', 'e0', 'f0'], 4);
  await ann.put(['other'], 3);
  const top = await ann.at(['top']);
  const inside = await ann.at(['top', 'd1', 'e1', 'f1']);
  const own = await ann.at(['top', 'd2', 'e2', 'f2']);
  await ann.trash(own.id);
  await ann.trash(top.id, true);
  t.equal(await codeOf(ann.get(top.id)), 'not_found');
  t.equal(await codeOf(ann.get(inside.id)), 'not_found');
  t.equal(await codeOf(ann.call('restoreNode', { params: { id: top.id } })), 'not_found');
  t.equal(await codeOf(ann.trash(top.id, true)), 'not_found');
  await until('the bytes are back', async () => (await ann.usage()).usedBytes === 13);
  t.match(await ann.usage(), { usedBytes: 13, liveBytes: 3, trashBytes: 10, files: 1, folders: 0, versionBytes: 0 });
  await until('the folders are gone', async () => {
    return (await service.database.nodes.countDocuments({ ownerId: ann.id })) === 3;
  });
  const back = await ann.call('restoreNode', { params: { id: own.id } });
  t.equal(back.parentId, ann.id, 'what was in the trash by itself is not lost with its folder');
  await ann.recount(t);
});

t.test('emptying: gone at once, also with thousands in it', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  const files = await Promise.all(Array.from({ length: 700 }, (_, i) => ann.file('root', `f${i}`, 1)));
  const kept = await ann.file('root', 'kept', 5);
  await Promise.all(files.map(({ id }) => ann.trash(id)));
  await ann.call('emptyTrash', {});
  t.same((await ann.call('listTrash', {})).items, []);
  const [first] = files;
  t.equal(await codeOf(ann.call('restoreNode', { params: { id: first?.id ?? '' } })), 'not_found');
  await ann.trash(kept.id);
  await until('the bytes are back', async () => (await ann.usage()).usedBytes === 5);
  t.same(
    (await ann.call('listTrash', {})).items.map(({ id }) => id),
    [kept.id],
    'what came later stays',
  );
  await ann.call('emptyTrash', {});
  await until('empty', async () => (await ann.usage()).usedBytes === 0);
  t.match(await ann.usage(), gone);
  await ann.call('emptyTrash', {});
  await new Person(service).call('emptyTrash', {});
  await ann.recount(t);
});

t.test('a child that comes too late for its folder’s purge goes with it', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  const folder = await ann.folder('root', 'd');
  const chain = await service.tree.finder.byId(folder.id);
  await ann.trash(folder.id, true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // What a write does that has seen the folder alive before.
  const { insertNode } = await import('../src/operations/create.ts');
  const caller = { principal: ann.principal, traceparent: undefined, call: {} };
  if (chain === null) throw new Error('the folder was there');
  const late = { id: newId(), parent: chain.node, name: 'late', kind: 'folder', by: ann.id, at: new Date() } as const;
  t.type(await insertNode(service.tree, caller, late), 'object');
  t.equal(await codeOf(ann.get(late.id)), 'not_found');
  await until('all gone', async () => (await service.database.nodes.countDocuments({ ownerId: ann.id })) === 1);
  await until('its figures too', async () => (await ann.usage()).folders === 0);
  t.match(await ann.usage(), gone);
  await ann.recount(t);
});

t.test('two instances purge at once, and each byte comes back once', async (t) => {
  const place = await bench(t);
  const services = [await place.start({ patience: hasty }), await place.start({ patience: hasty })];
  const ann = new Person(services);
  await Promise.all(Array.from({ length: 400 }, (_, i) => ann.put([`d${i % 20}`, `f${i}`], 3)));
  const folders = await ann.children('root');
  await Promise.all([
    ...folders.slice(0, 10).map(({ id }) => ann.trash(id, true)),
    ...folders.slice(10, 15).map(({ id }) => ann.trash(id)),
  ]);
  await ann.call('emptyTrash', {});
  await until('the bytes are back', async () => (await ann.usage()).usedBytes === 300);
  await until('the folders too', async () => (await ann.usage()).folders === 5);
  await ann.recount(t);
});
