import t from 'tap';
import { bench, codeOf, content, hasty, Person, until } from './helpers.ts';

t.setTimeout(300_000);

const tally = (codes: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
};
const times = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

t.test('one name, made by many at two instances', async (t) => {
  const place = await bench(t);
  const ann = new Person([await place.start(), await place.start()]);
  const commit = (name: string, ifExists: 'fail' | 'replace', preconditions = {}) =>
    ann.call('commitWrite', {
      body: {
        target: { parent: { path: ['x'] }, name, makeFolders: true, ifExists },
        content: content(5),
        preconditions,
      },
    });
  const outcome = async (call: ReturnType<typeof commit>): Promise<string> => {
    let created = 'none';
    const code = await codeOf(call.then((answer) => (created = answer.created ? 'created' : 'replaced')));
    return code === 'none' ? created : code;
  };
  const failing = await Promise.all(times(200).map(() => outcome(commit('one', 'fail'))));
  t.same(tally(failing), { created: 1, name_taken: 199 });
  const guarded = await Promise.all(times(200).map(() => outcome(commit('two', 'replace', { ifNoneMatch: ['*'] }))));
  t.same(tally(guarded), { created: 1, precondition_failed: 199 });
  const replacing = await Promise.all(times(150).map(() => outcome(commit('three', 'replace'))));
  t.same(tally(replacing), { created: 1, replaced: 149 });
  t.equal((await ann.at(['x', 'three'])).rev, 150, 'every one of them counts');
  const folders = await Promise.all(
    times(100).map(() => ann.call('createFolder', { body: { parent: { id: 'root' }, name: 'f', existing: true } })),
  );
  t.equal(new Set(folders.map(({ node }) => node.id)).size, 1);
  t.same(tally(folders.map(({ created }) => String(created))), { true: 1, false: 99 });
  t.same(
    (await ann.children('root')).map(({ name }) => name),
    ['f', 'x'],
  );
  await until('settled', async () => (await ann.usage()).usedBytes === 5 * (2 + 21));
  await ann.recount(t);
});

t.test('the last bytes of the quota', async (t) => {
  const place = await bench(t);
  const start = () => place.start({ freeLimitBytes: 1000 });
  const ann = new Person([await start(), await start()]);
  const codes = await Promise.all(times(300).map((i) => codeOf(ann.file('root', `f${i}`, 7))));
  t.same(tally(codes), { none: 142, quota_exceeded: 158 });
  t.match(await ann.usage(), { usedBytes: 994, files: 142 });
  t.equal((await ann.children('root')).length, 142);
  await ann.recount(t);
});

t.test('no update is lost: If-Match', async (t) => {
  const place = await bench(t);
  const ann = new Person([await place.start(), await place.start()]);
  const { node } = await ann.put(['counter'], 0);
  const add = async (): Promise<void> => {
    for (;;) {
      const now = await ann.get(node.id);
      const next = content((now.content?.sizeBytes ?? 0) + 1);
      const code = await codeOf(
        ann.call('commitWrite', {
          body: {
            target: { node: { id: node.id } },
            content: next,
            preconditions: { ifMatch: [now.content?.etag ?? ''] },
          },
        }),
      );
      if (code === 'none') return;
      t.equal(code, 'precondition_failed');
    }
  };
  await Promise.all(
    times(20).map(async () => {
      for (let i = 0; i < 3; i++) await add();
    }),
  );
  t.equal((await ann.get(node.id)).content?.sizeBytes, 60, 'the file counts its writers');
  const renames = await Promise.all(
    times(100).map((i) =>
      codeOf(
        ann.call('updateNode', { params: { id: node.id }, body: { name: `n${i}`, preconditions: { ifRev: [61] } } }),
      ),
    ),
  );
  t.same(tally(renames), { none: 1, precondition_failed: 99 });
  await ann.recount(t);
});

t.test('crossing moves make no cycle and lose nothing', async (t) => {
  const place = await bench(t);
  const ann = new Person([await place.start(), await place.start()]);
  const folders: string[] = [];
  for (const i of times(12)) folders.push((await ann.folder(folders[(i / 2) | 0] ?? 'root', `d${i}`)).id);
  await Promise.all(folders.map((id, i) => ann.file(id, `f${i}`)));
  // From each other's ends, which is where two harmless moves make a cycle.
  const pick = () => folders[Math.floor(Math.random() * folders.length)] ?? 'root';
  const codes = await Promise.all(
    times(300).map((i) =>
      codeOf(ann.call('updateNode', { params: { id: pick() }, body: { parentId: i % 10 === 0 ? 'root' : pick() } })),
    ),
  );
  const counts = tally(codes);
  t.ok((counts.none ?? 0) > 20, `${JSON.stringify(counts)}`);
  t.same(
    Object.keys(counts).filter((code) => !['none', 'would_cycle', 'busy'].includes(code)),
    [],
  );
  const found = await ann.walk();
  t.equal([...found.keys()].filter((path) => path.endsWith('/')).length, 12, 'every folder hangs on the root');
  t.equal([...found.keys()].filter((path) => !path.endsWith('/')).length, 12, 'and every file');
  await ann.recount(t);
});

t.test('a stalled mover finds its move refused, whatever happened meanwhile', async (t) => {
  const service = await (await bench(t)).start({ patience: { ...hasty, moveLeaseMs: 100 } });
  const ann = new Person(service);
  const [a, b] = [await ann.folder('root', 'a'), await ann.folder('root', 'b')];
  const { locks, nodes } = service.tree;
  let wakeUp = (): void => {};
  const stalled = new Promise<void>((resolve) => {
    wakeUp = resolve;
  });
  let moved: unknown;
  // It has looked (a may go below b), and now it does not get on.
  const mover = { accountId: 'another instance', node: { _id: a.id, rev: a.rev } };
  const { MoveLocks } = await import('../src/store/moves.ts');
  const elsewhere = new MoveLocks(service.database, service.tree.usage, { leaseMs: 100 });
  const late = elsewhere.hold(ann.id, mover.node, async () => {
    await stalled;
    moved = await nodes.update(a.id, a.rev, { $set: { parentId: b.id, rev: a.rev + 1 } });
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  await ann.call('updateNode', { params: { id: b.id }, body: { parentId: a.id } });
  wakeUp();
  await late;
  t.equal(moved, false, 'the lease was taken over, and its node fenced');
  t.equal((await ann.at(['a', 'b'])).id, b.id);
  t.type(locks, 'object');
});

t.test('all at once on one small tree', async (t) => {
  const place = await bench(t);
  const ann = new Person([await place.start({ maxVersions: 2 }), await place.start({ maxVersions: 2 })]);
  const names = ['a', 'b', 'c'];
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(Math.random() * from.length)];
  const path = () => times(1 + Math.floor(Math.random() * 3)).map(() => pick(names) ?? 'a');
  const some = async () => pick([...(await ann.walk()).values()])?.id ?? 'root';
  const work = [
    () => ann.put(path(), Math.floor(Math.random() * 50)),
    () => ann.put(path(), Math.floor(Math.random() * 50)),
    async () => ann.trash(await some()),
    async () => ann.trash(await some(), true),
    async () => ann.call('updateNode', { params: { id: await some() }, body: { parentId: await some() } }),
    async () => ann.call('updateNode', { params: { id: await some() }, body: { name: pick(names) ?? 'a' } }),
    async () => ann.call('copyNode', { params: { id: await some() }, body: { parentId: 'root' } }),
    async () => {
      const item = pick((await ann.call('listTrash', {})).items);
      if (item !== undefined) await ann.call('restoreNode', { params: { id: item.id } });
    },
    () => ann.call('emptyTrash', {}),
  ];
  const codes: string[] = [];
  await Promise.all(
    times(12).map(async () => {
      for (let i = 0; i < 12; i++) codes.push(await codeOf(Promise.resolve(pick(work)?.())));
    }),
  );
  const expected = ['none', 'not_found', 'would_cycle', 'not_a_folder', 'name_taken', 'forbidden', 'busy'];
  t.same(
    codes.filter((code) => !expected.includes(code)),
    [],
    JSON.stringify(tally(codes)),
  );
  await until('the purge is over', async () => {
    const { nodes, usage } = (await place.start()).database;
    const [work, pending] = [
      await nodes.countDocuments({ workAt: { $exists: true } }),
      await usage.findOne({ _id: ann.id }),
    ];
    return work === 0 && Object.keys(pending?.pending ?? {}).length === 0;
  });
  await ann.recount(t);
  const { files, folders } = await ann.usage();
  const found = [...(await ann.walk()).keys()];
  t.same(
    [files, folders],
    [found.filter((p) => !p.endsWith('/')).length, found.filter((p) => p.endsWith('/')).length],
    'what is counted as live is what is there',
  );
});
