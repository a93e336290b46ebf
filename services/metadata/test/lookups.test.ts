import { NOBODY, type NodeRecord } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import t from 'tap';
import { bench, codeOf, content, Person } from './helpers.ts';

t.setTimeout(300_000);

interface Options {
  parent?: string;
  ifExists?: 'fail' | 'replace' | 'rename';
  identifier?: string;
  publish?: boolean;
  sizeBytes?: number;
}
const commit = (by: Person, name: string, { parent = 'root', ifExists = 'fail', sizeBytes = 10, ...o }: Options = {}) =>
  by.call('commitWrite', {
    body: { target: { parent: { id: parent }, name, ifExists }, content: content(sizeBytes), ...o },
  });
const put = async (by: Person, name: string, o: Options = {}) => (await commit(by, name, o)).node;
const numbers = async (by: Person, ids: string[]) => (await by.call('numberNodes', { body: { ids } })).numbers;
const find = (by: Person, identifier: string) => by.call('findByIdentifier', { body: { identifier } });

/** All pages of a list. */
async function all<T>(page: (cursor?: string) => Promise<{ items: T[]; nextCursor: string | null }>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const next = await page(cursor);
    items.push(...next.items);
    cursor = next.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

t.test('a taken name becomes the next free one', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  const names: string[] = [];
  for (let i = 0; i < 25; i++) names.push((await put(ann, 'a.b.txt', { ifExists: 'rename' })).name);
  t.same(names, ['a.b.txt', ...Array.from({ length: 24 }, (_, i) => `a.b (${i + 1}).txt`)]);
  t.equal((await ann.at(['a.b.txt'])).rev, 1, 'nothing was replaced');
  const folder = (o: object) => ann.call('createFolder', { body: { parent: { id: 'root' }, name: 'd.x', ...o } });
  t.equal((await folder({ rename: true })).node.name, 'd.x');
  t.equal((await folder({ rename: true })).node.name, 'd.x (1)');
  t.equal(await codeOf(folder({})), 'name_taken');
  const { node, created } = await folder({ existing: true, rename: true });
  t.same([node.name, created], ['d.x', false]);
  const rename = async (id: string, body: object) =>
    (await ann.call('updateNode', { params: { id }, body: { rename: true, ...body } })).name;
  t.equal(await rename(node.id, { name: 'd.x (1)' }), 'd.x (1) (1)');
  t.equal(await rename(node.id, { name: 'd.x (1) (1)' }), 'd.x (1) (1)', 'its own name is not in its way');
  const inner = await ann.folder(node.id, 'd.x (1)');
  t.equal(await rename(inner.id, { parentId: 'root' }), 'd.x (1) (2)', 'as it moves');
  const target = { parent: { id: 'root' as const }, name: 'a.b.txt', ifExists: 'rename' as const };
  t.equal(await codeOf(ann.call('prepareWrite', { body: { target } })), 'none');
  const preconditions = { ifMatch: ['*'] };
  t.equal(await codeOf(ann.call('prepareWrite', { body: { target, preconditions } })), 'precondition_failed');
  const body = { target, content: content(1), idempotency: { key: 'k', fingerprint: 'f' } };
  const once = await ann.call('commitWrite', { body });
  t.equal((await ann.call('commitWrite', { body })).node.id, once.node.id, 'a repetition makes no second one');
  await ann.recount(t);
});

t.test('a hundred take the next free name at once', async (t) => {
  const place = await bench(t);
  const ann = new Person([await place.start(), await place.start()]);
  const made = await Promise.all(Array.from({ length: 100 }, () => put(ann, 'f.txt', { ifExists: 'rename' })));
  const expected = ['f.txt', ...Array.from({ length: 99 }, (_, i) => `f (${i + 1}).txt`)];
  t.same(new Set(made.map(({ name }) => name)), new Set(expected), 'each another, none skipped');
  const folders = await Promise.all(
    Array.from({ length: 30 }, () =>
      ann.call('createFolder', { body: { parent: { id: 'root' }, name: 'd', rename: true } }),
    ),
  );
  t.equal(new Set(folders.map(({ node }) => node.name)).size, 30);
  t.match(await ann.usage(), { usedBytes: 1_000, files: 100, folders: 30 });
  await ann.recount(t);
});

t.test('identifiers: unique in the service, taken in the write itself', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  const nobody = new Person(service, NOBODY);
  const one = 'children_by_sort: "idempotency" ünï/code\u{1f600}';
  const f = await put(ann, 'f', { identifier: one });
  t.equal(f.identifier, one);
  t.equal((await find(ann, one)).id, f.id);
  t.equal(await codeOf(find(bob, one)), 'forbidden');
  t.equal(await codeOf(find(nobody, one)), 'forbidden');
  t.equal(await codeOf(find(bob, 'none')), 'not_found');
  t.equal(await codeOf(commit(bob, 'x', { identifier: one })), 'identifier_taken', 'whatever stands in it');
  t.equal(await codeOf(commit(ann, 'x', { identifier: one, ifExists: 'rename' })), 'identifier_taken');
  t.same([(await bob.usage()).usedBytes, (await bob.children('root')).length], [0, 0], 'nothing is left of it');
  t.equal(await codeOf(commit(bob, 'x', { identifier: f.id })), 'identifier_taken', 'nor an id of something else');
  t.equal(await codeOf(commit(bob, 'x', { identifier: newId() })), 'none');
  t.equal(await codeOf(commit(ann, 'x', { identifier: 'a\ud800' })), 'invalid_body');
  t.equal(await codeOf(commit(ann, 'f', { identifier: 'b', ifExists: 'fail' })), 'name_taken');
  t.equal((await put(ann, 'f', { identifier: 'b', ifExists: 'replace' })).identifier, one, 'for new files only');
  const copy = await ann.call('copyNode', { params: { id: f.id }, body: { parentId: 'root' } });
  t.equal(copy.node.identifier, undefined, 'a copy has none');
  const idempotency = { key: 'k', fingerprint: 'f' };
  const target = { parent: { id: 'root' as const }, name: 'i', ifExists: 'rename' as const };
  const body = { target, content: content(1), identifier: 'again', idempotency };
  const first = await ann.call('commitWrite', { body });
  t.equal((await ann.call('commitWrite', { body })).node.id, first.node.id, 'its own repetition is no other');

  await ann.trash(f.id);
  t.equal(await codeOf(find(ann, one)), 'not_found', 'not there, but');
  t.equal(await codeOf(commit(bob, 'y', { identifier: one })), 'identifier_taken', 'still its own');
  await ann.call('restoreNode', { params: { id: f.id } });
  t.equal((await find(ann, one)).id, f.id);
  await ann.trash(f.id, true);
  t.equal(await codeOf(find(ann, one)), 'not_found');
  t.equal((await put(bob, 'y', { identifier: one })).identifier, one, 'free again');
  await ann.recount(t);
  await bob.recount(t);
});

t.test('a hundred want one identifier: exactly one gets it', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const people = Array.from({ length: 5 }, () => new Person(services));
  for (const ifExists of ['rename', 'fail'] as const) {
    const identifier = `one-${ifExists}`;
    const codes = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const person = people[i % 5];
        if (person === undefined) throw new Error('there are five');
        // With 'fail' each has a name of its own: only the identifier is contended.
        return await codeOf(commit(person, ifExists === 'rename' ? 'same.txt' : `f${i}`, { identifier, ifExists }));
      }),
    );
    t.equal(codes.filter((code) => code === 'none').length, 1);
    t.equal(codes.filter((code) => code === 'identifier_taken').length, 99);
  }
  const usages = await Promise.all(people.map((person) => person.usage()));
  t.equal(
    usages.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    20,
    'only what was made takes space',
  );
  for (const person of people) await person.recount(t);
});

t.test('numbers: one per node, whoever asks, never again', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const [ann, bob] = [new Person(services), new Person(services)];
  const files: NodeRecord[] = [];
  for (let i = 0; i < 20; i++) files.push(await ann.file('root', `f${i}`));
  const ids = files.map(({ id }) => id);
  const asked = await Promise.all(Array.from({ length: 10 }, () => numbers(ann, ids)));
  const [given = []] = asked;
  for (const answer of asked) t.same(answer, given, 'all are told the same');
  t.equal(new Set(given).size, 20);
  t.ok(given.every((number) => Number.isInteger(number) && (number ?? 0) >= 1));
  const [first = '', second = ''] = ids;
  t.same(await numbers(ann, [second, newId(), second, ann.id]), [
    given[1],
    null,
    given[1],
    (await ann.get('root')).number,
  ]);
  t.same(await numbers(bob, [first]), [null], 'only of one’s own tree');
  t.same([(await ann.get(first)).number, (await ann.get(first)).rev], [given[0], 1], 'no change of the node');
  const at = (by: Person, number: number) => by.call('findByNumber', { params: { number } });
  t.equal((await at(ann, given[0] ?? 0)).id, first);
  t.equal(await codeOf(at(bob, given[0] ?? 0)), 'not_found');
  await ann.call('updateNode', { params: { id: first }, body: { generalAccess: 'viewer' } });
  t.equal((await at(new Person(services, NOBODY), given[0] ?? 0)).id, first);
  t.equal(await codeOf(at(ann, 10_000)), 'not_found');
  const copy = await ann.call('copyNode', { params: { id: first }, body: { parentId: 'root' } });
  t.equal(copy.node.number, undefined);
  await ann.trash(first);
  t.same(await numbers(ann, [first]), [null]);
  t.equal(await codeOf(at(ann, given[0] ?? 0)), 'not_found');
  await ann.trash(first, true);
  const more = await numbers(ann, [(await ann.file('root', 'new')).id, copy.node.id]);
  t.ok(
    more.every((number) => !given.includes(number)),
    'never one that was given before',
  );
});

t.test('every file with its path', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  const list = (limit: number) => all((cursor) => ann.call('listFiles', { query: { limit, cursor } }));
  t.same(await list(5), []);
  const paths: string[][] = [];
  for (let i = 0; i < 40; i++) {
    const path = [['f'], ['a', 'f'], ['a', 'b', 'f'], ['gone', 'f']][i % 4]?.with(-1, `f${i}`) ?? [];
    await ann.put(path);
    if (i % 4 < 3) paths.push(path);
  }
  const shared = await bob.folder('root', 'shared');
  await bob.call('changeGrants', {
    params: { id: shared.id },
    body: { give: [{ accountId: ann.id, role: 'editor' }], take: [] },
  });
  await ann.file(shared.id, 'of-bob');
  await ann.trash((await ann.at(['gone'])).id);
  const found = await list(7);
  t.same(
    found.map(({ path }) => path),
    paths,
    'in the order of making; nothing below the trash, nothing of others',
  );
  t.ok(found.every(({ node, path }) => node.name === path.at(-1) && node.role === 'owner' && node.kind === 'file'));
  t.same((await list(1)).length, 30);
  const copy = await ann.call('copyNode', {
    params: { id: (await ann.at(['a'])).id },
    body: { parentId: 'root', name: 'z' },
  });
  t.equal(copy.pending, false);
  const after = await list(11);
  t.same(after.slice(0, 30), found, 'copies come after');
  t.ok(after.slice(30).every(({ path }) => path[0] === 'z'));
  t.equal(after.length, 50);
});

t.test('published files, of all and of one', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  const nobody = new Person(service, NOBODY);
  const made: NodeRecord[] = [];
  for (let i = 0; i < 12; i++) made.unshift(await put(i % 2 ? ann : bob, `f${i}`, { publish: true }));
  const [newest] = made;
  t.same([newest?.generalAccess, newest?.publishedAt], ['viewer', newest?.createdAt]);
  const list = async (by: Person, o: { ownerId?: string } = {}, limit = 5) =>
    (await all((cursor) => by.call('listPublished', { query: { limit, cursor, ...o } }))).map(({ id }) => id);
  const ids = made.map(({ id }) => id);
  t.same(await list(nobody), ids, 'the latest first');
  t.same(await list(nobody, {}, 1), ids);
  const ofAnn = made.filter(({ ownerId }) => ownerId === ann.id).map(({ id }) => id);
  t.same(await list(bob, { ownerId: ann.id }), ofAnn);
  t.equal((await put(ann, 'f1', { ifExists: 'replace', publish: true })).publishedAt, made.at(-2)?.publishedAt);
  await ann.call('updateNode', { params: { id: ofAnn[0] ?? '' }, body: { generalAccess: 'restricted' } });
  await ann.trash(ofAnn[1] ?? '');
  const d = await ann.folder('root', 'd');
  await ann.call('updateNode', { params: { id: ofAnn[2] ?? '' }, body: { parentId: d.id } });
  await ann.trash(d.id);
  await ann.trash(ofAnn[3] ?? '', true);
  t.same(await list(nobody, { ownerId: ann.id }, 1), ofAnn.slice(4), 'judged at the moment');
  t.same(await list(ann, { ownerId: ann.id }), ofAnn.slice(4), 'also for who may see more');
  t.equal((await list(nobody)).length, 8);
  const copy = await ann.call('copyNode', { params: { id: ofAnn[4] ?? '' }, body: { parentId: 'root' } });
  t.same([copy.node.publishedAt, copy.node.generalAccess], [undefined, 'restricted']);
  const { nextCursor } = await nobody.call('listPublished', { query: { limit: 1 } });
  const foreign = nobody.call('listPublished', { query: { cursor: nextCursor ?? '', ownerId: ann.id } });
  t.equal(await codeOf(foreign), 'invalid_cursor');
});
