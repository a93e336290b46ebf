import { appError, newId } from '@coffer/service-kit';
import t from 'tap';
import { newNode, toContentDoc } from '../src/domain/node.ts';
import { bench, codeOf, content, hasty, Person, type Service, until } from './helpers.ts';

t.setTimeout(300_000);

/**
 * Crash points: an operation is cut between two of its steps by making the next step of the store fail as a lost
 * connection does (before or after the engine did its part), which is what the documents look like after a kill.
 */
type Cut = 'before' | 'after';

function cut(service: Service, method: 'insert' | 'replaceContent', when: Cut): void {
  const nodes = service.tree.nodes as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>; // To break it.
  const whole = nodes[method]?.bind(nodes);
  nodes[method] = async (...args) => {
    if (when === 'after') await whole?.(...args);
    throw appError('unavailable', 'cut');
  };
}

const settled = (service: Service, ann: Person) =>
  until('the sweeper has settled it', async () => {
    const doc = await service.database.usage.findOne({ _id: ann.id });
    return doc !== null && Object.keys(doc.pending).length === 0 && doc.pendingAt === undefined;
  });

for (const when of ['before', 'after'] as const) {
  t.test(`a crash ${when} the node was made`, async (t) => {
    const place = await bench(t);
    const [healthy, dying] = [await place.start(), await place.start()];
    const ann = new Person(healthy);
    await ann.file('root', 'first', 5);
    cut(dying, 'insert', when);
    const same = new Person(dying, ann.principal);
    t.equal(await codeOf(same.file('root', 'f', 100)), 'unavailable');
    t.equal(await codeOf(same.folder('root', 'd')), 'unavailable');
    t.equal((await ann.usage()).usedBytes, 105, 'the space is taken until somebody knows better');
    await settled(healthy, ann);
    const made = when === 'after';
    t.match(await ann.usage(), { usedBytes: made ? 105 : 5, files: made ? 2 : 1, folders: made ? 1 : 0 });
    t.equal((await ann.children('root')).length, made ? 3 : 1, 'the node and its space are both there or neither');
    await ann.recount(t);
  });

  t.test(`a crash ${when} the content was replaced`, async (t) => {
    const place = await bench(t);
    const start = () => place.start({ maxVersions: 1 });
    const [healthy, dying] = [await start(), await start()];
    const ann = new Person(healthy);
    for (const size of [10, 20]) await ann.file('root', 'f', size);
    cut(dying, 'replaceContent', when);
    t.equal(await codeOf(new Person(dying, ann.principal).file('root', 'f', 400)), 'unavailable');
    await settled(healthy, ann);
    const made = when === 'after';
    t.match(await ann.usage(), made ? { usedBytes: 420, versionBytes: 20 } : { usedBytes: 30, versionBytes: 10 });
    await ann.recount(t);
    await ann.file('root', 'f', 1);
    await until('dropped', async () => (await ann.usage()).usedBytes === (made ? 401 : 21));
    await ann.recount(t);
  });
}

t.test('a writer that wakes up after it was given up finds its write refused, and writes anew', async (t) => {
  const place = await bench(t);
  const service = await place.start({ bus: 'none' });
  const ann = new Person(service);
  const { node: old } = await ann.put(['old'], 10);
  const { nodes } = service.tree;
  const [insert, replace] = [nodes.insert.bind(nodes), nodes.replaceContent.bind(nodes)];
  let stalls = 2;
  const stall = async (): Promise<void> => {
    if (stalls-- > 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
  };
  const slow = async (...args: Parameters<typeof insert>): ReturnType<typeof insert> => {
    await stall();
    return await insert(...args);
  };
  const slowly = async (...args: Parameters<typeof replace>): ReturnType<typeof replace> => {
    await stall();
    return await replace(...args);
  };
  Object.assign(nodes, { insert: slow, replaceContent: slowly });
  const [fresh, replaced] = await Promise.all([ann.put(['new'], 100), ann.put(['old'], 1000)]);
  t.equal(fresh.created, true);
  t.equal(replaced.node.id, old.id);
  t.ok(replaced.node.rev > 2, 'its rev was raised as a fence');
  await settled(service, ann);
  t.match(await ann.usage(), { usedBytes: 1110, files: 2 });
  await ann.recount(t);
});

t.test('a version whose reservation stands is not dropped: it is the proof', async (t) => {
  const place = await bench(t);
  const start = (abandonedAfterMs: number) => place.start({ maxVersions: 1, patience: { ...hasty, abandonedAfterMs } });
  const [patient, dying] = [await start(3_000), await start(60_000)];
  const ann = new Person(patient);
  await ann.file('root', 'f', 1);
  cut(dying, 'replaceContent', 'after');
  await codeOf(new Person(dying, ann.principal).file('root', 'f', 10));
  for (const size of [100, 1000, 10_000]) await ann.file('root', 'f', size);
  const { id } = await ann.at(['f']);
  const kept = async () => (await ann.call('listVersions', { params: { id } })).items.map(({ sizeBytes }) => sizeBytes);
  t.same(await kept(), [1000, 100, 10], 'more than wanted, for a while');
  await settled(patient, ann);
  await ann.file('root', 'f', 2);
  await until('back to the bound', async () => (await kept()).length === 1);
  await until('dropped', async () => (await ann.usage()).usedBytes === 10_002);
  await ann.recount(t);
});

t.test('crashes of the purge at each of its steps', async (t) => {
  for (const [step, method] of [
    ['the sum was decided', 'update'],
    ['the documents were removed', 'settle'],
  ] as const) {
    const place = await bench(t);
    const [healthy, dying] = [
      await place.start({ patience: { ...hasty, everyMs: 60_000 } }),
      await place.start({ patience: { ...hasty, everyMs: 60_000 } }),
    ];
    const ann = new Person(healthy);
    const files = await Promise.all(['a', 'b', 'c'].map((name) => ann.file('root', name, 10)));
    await ann.file('root', 'kept', 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Doomed, but this instance's background work sleeps; the other one begins and dies.
    Object.assign(healthy.tree, { wake: () => {} });
    for (const { id } of files) await ann.trash(id, true);
    const usage = dying.tree.usage as unknown as Record<string, () => Promise<unknown>>; // To break it.
    usage[method] = async () => {
      throw appError('unavailable', 'cut');
    };
    const ids = files.map(({ id }) => id);
    t.equal(await codeOf(dying.tree.graveyard.remove(ann.id, ids)), 'unavailable', `before ${step}`);
    t.equal((await ann.usage()).usedBytes, 31);
    const { backgroundPass } = await import('../src/operations/background.ts');
    t.equal(await healthy.tree.graveyard.remove(ann.id, ids), 0, 'nobody else takes them meanwhile');
    await new Promise((resolve) => setTimeout(resolve, 400));
    await Promise.all([backgroundPass(healthy.tree), backgroundPass(healthy.tree)]);
    await until('given back once', async () => {
      await backgroundPass(healthy.tree);
      return (await ann.usage()).usedBytes === 1;
    });
    await ann.recount(t);
  }
});

t.test('a copy page that is repeated after a crash counts nothing twice', async (t) => {
  const place = await bench(t);
  const [healthy, dying] = [await place.start(), await place.start({ patience: { ...hasty, everyMs: 60_000 } })];
  const ann = new Person(healthy);
  await Promise.all(Array.from({ length: 20 }, (_, i) => ann.put(['d', `e${i % 2}`, `f${i}`], 10)));
  const d = await ann.at(['d']);
  const graveyard = dying.tree.graveyard as unknown as Record<string, () => Promise<unknown>>; // To break it.
  graveyard.filled = async () => {
    throw appError('unavailable', 'cut');
  };
  const same = new Person(dying, ann.principal);
  const copy = same.call('copyNode', { params: { id: d.id }, body: { parentId: 'root', name: 'c' } });
  t.equal(await codeOf(copy), 'unavailable');
  await healthy.database.nodes.updateMany({ fill: { $exists: true } }, { $set: { workAt: new Date() } });
  await until('somebody else went on', async () => {
    await healthy.database.nodes.updateMany({ fill: { $exists: true } }, { $set: { workAt: new Date() } });
    return (await healthy.database.nodes.countDocuments({ fill: { $exists: true } })) === 0;
  });
  t.equal([...(await ann.walk()).keys()].filter((path) => path.startsWith('c/')).length, 23);
  t.match(await ann.usage(), { usedBytes: 400, files: 40, folders: 6 });
  await ann.recount(t);
});

t.test('many writers killed at random', async (t) => {
  const place = await bench(t);
  const healthy = await place.start({ freeLimitBytes: 1_000_000 });
  const ann = new Person(healthy);
  const root = (await healthy.tree.finder.root(ann.id)).node;
  // What is left of a kill is a reservation, with or without its node; so these are written as the steps write them.
  await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const at = new Date();
      const doc = newNode({
        id: newId(),
        parent: root,
        name: `f${i}`,
        kind: 'file',
        by: ann.id,
        at,
        content: toContentDoc(content(i), newId(), ann.id, at),
      });
      const reservation = await healthy.tree.ledger.reserve(ann.id, [
        { nodeId: doc._id, taken: { bytes: i, files: 1 } },
      ]);
      if (i % 3 !== 0) await healthy.tree.nodes.insert(doc);
      if (i % 7 === 0) reservation.settle([i % 3 === 0 ? 'failed' : 'written']);
    }),
  );
  await settled(healthy, ann);
  t.equal((await ann.usage()).files, 66);
  await ann.recount(t);
});
