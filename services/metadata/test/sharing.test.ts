import { events, NOBODY, type Principal } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import t from 'tap';
import { bench, codeOf, content, Person, type Service, until } from './helpers.ts';

t.setTimeout(300_000);

type Role = 'editor' | 'viewer';
const grant = (by: Person, id: string, to: Person, role: Role, o: object = {}) =>
  by.call('changeGrants', { params: { id }, body: { give: [{ accountId: to.id, role }], take: [], ...o } });
const revoke = (by: Person, id: string, from: Person) =>
  by.call('changeGrants', { params: { id }, body: { give: [], take: [{ accountId: from.id }] } });
const access = (by: Person, id: string) => by.call('getAccess', { params: { id } });
const open = (by: Person, id: string, generalAccess: 'restricted' | Role) =>
  by.call('updateNode', { params: { id }, body: { generalAccess } });
const eventsOf = async (service: Service, id: string, type: string) =>
  ((await service.database.nodes.findOne({ _id: id }))?.outbox ?? []).filter((event) => event.type === type);

t.test('giving and taking: one update, told once, repeatable', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob, cid] = [new Person(service), new Person(service), new Person(service)];
  const d = await ann.folder('root', 'd');
  const body = {
    give: [
      { accountId: bob.id, role: 'editor' as const },
      { accountId: cid.id, role: 'viewer' as const },
      { accountId: ann.id, role: 'viewer' as const },
      { accountId: NOBODY.accountId, role: 'editor' as const },
    ],
    take: [],
    notify: true,
  };
  const given = await ann.call('changeGrants', { params: { id: d.id }, body });
  t.same(new Set(given.changed), new Set([bob.id, cid.id]), 'owner and nobody are passed over');
  t.same([given.node.rev, given.node.role], [2, 'owner']);
  const again = await ann.call('changeGrants', { params: { id: d.id }, body });
  t.same([again.changed, again.node.rev], [[], 2], 'nothing changed, nothing written');
  const shared = await eventsOf(service, d.id, events.nodeShared.type);
  t.same(
    shared.map(({ data }) => data),
    [
      {
        nodeId: d.id,
        ownerId: ann.id,
        parentId: ann.id,
        kind: 'folder',
        rev: 2,
        by: ann.id,
        accountIds: [bob.id],
        role: 'editor',
        notify: true,
      },
      {
        nodeId: d.id,
        ownerId: ann.id,
        parentId: ann.id,
        kind: 'folder',
        rev: 2,
        by: ann.id,
        accountIds: [cid.id],
        role: 'viewer',
        notify: true,
      },
    ],
  );
  t.equal((await eventsOf(service, d.id, events.nodeChanged.type)).length, 1);

  await grant(ann, d.id, bob, 'viewer');
  t.equal((await eventsOf(service, d.id, events.nodeShared.type)).length, 2, 'who has less now is told nothing');
  t.equal((await bob.get(d.id)).role, 'viewer', 'one role per account: giving replaces it');
  const take = [{ accountId: bob.id, role: 'editor' as const }, { accountId: newId() }];
  t.same((await ann.call('changeGrants', { params: { id: d.id }, body: { give: [], take } })).changed, []);
  t.same((await revoke(ann, d.id, bob)).changed, [bob.id]);
  t.equal(await codeOf(bob.get(d.id)), 'not_found');
  const moved = { give: [{ accountId: cid.id, role: 'editor' as const }], take: [{ accountId: cid.id }] };
  t.same(
    (await ann.call('changeGrants', { params: { id: d.id }, body: moved })).changed,
    [cid.id],
    'taken, then given',
  );
  t.equal((await cid.get(d.id)).role, 'editor');

  t.equal(await codeOf(grant(ann, 'root', bob, 'viewer')), 'forbidden');
  t.equal(await codeOf(open(ann, 'root', 'viewer')), 'forbidden');
  t.equal(await codeOf(grant(ann, newId(), bob, 'viewer')), 'not_found');
  t.equal(await codeOf(grant(ann, d.id, bob, 'viewer', { preconditions: { ifRev: [1] } })), 'precondition_failed');
  const left = await cid.call('changeGrants', {
    params: { id: d.id },
    body: { give: [], take: [{ accountId: cid.id }] },
  });
  t.same([left.changed, left.node.id], [[cid.id], d.id], 'who leaves is answered');
  t.equal(await codeOf(cid.get(d.id)), 'not_found');
  await open(ann, d.id, 'editor');
  t.equal((await open(cid, d.id, 'restricted')).generalAccess, 'restricted', 'also who shuts themselves out');
  t.equal(await codeOf(cid.get(d.id)), 'not_found');

  for (let i = 0; i < 10; i++) {
    const give = Array.from({ length: 100 }, () => ({ accountId: newId(), role: 'viewer' as const }));
    await ann.call('changeGrants', { params: { id: d.id }, body: { give, take: [] } });
  }
  t.equal(await codeOf(grant(ann, d.id, bob, 'viewer')), 'conflict', 'a thousand at most');
  await ann.trash(d.id);
  t.equal(await codeOf(grant(ann, d.id, bob, 'viewer')), 'not_found');
});

t.test('who has what, and from where', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob, cid, dan] = [new Person(service), new Person(service), new Person(service), new Person(service)];
  const nobody = new Person(service, NOBODY);
  const d = await ann.folder('root', 'd');
  const f = await ann.file(d.id, 'f');
  await grant(ann, d.id, bob, 'editor');
  await grant(ann, d.id, cid, 'viewer');
  await grant(ann, f.id, bob, 'viewer');
  const all = {
    ownerId: ann.id,
    generalAccess: 'restricted',
    effectiveGeneralAccess: { access: 'restricted', nodeId: f.id },
    grants: [
      { accountId: bob.id, role: 'viewer', nodeId: f.id },
      { accountId: bob.id, role: 'editor', nodeId: d.id },
      { accountId: cid.id, role: 'viewer', nodeId: d.id },
    ],
  };
  t.same(await access(ann, f.id), all);
  t.same(await access(bob, f.id), all, 'an editor sees all: the highest right counts');
  t.same((await access(cid, f.id)).grants, all.grants.slice(2), 'a viewer their own entries');
  t.equal(await codeOf(access(dan, f.id)), 'not_found');
  await open(ann, d.id, 'viewer');
  t.same(await access(dan, f.id), {
    ...all,
    effectiveGeneralAccess: { access: 'viewer', nodeId: d.id },
    grants: [],
  });
  t.same((await access(nobody, f.id)).grants, []);
  await open(ann, f.id, 'viewer');
  t.same((await access(ann, f.id)).effectiveGeneralAccess, { access: 'viewer', nodeId: f.id }, 'of equals the nearest');
  const roles = async (...people: Person[]) => Promise.all(people.map(async (person) => (await person.get(f.id)).role));
  t.same(await roles(ann, bob, cid, dan, nobody), ['owner', 'editor', 'viewer', 'viewer', 'viewer']);
  await open(ann, d.id, 'editor');
  t.same(await roles(dan, nobody), ['editor', 'viewer']);
  t.same(
    (await bob.children(d.id)).map(({ role }) => role),
    ['editor'],
  );
  t.equal((await service.database.nodes.findOne({ _id: f.id }))?.modifiedAt.toISOString(), f.modifiedAt);
});

t.test('what others shared with me, the latest first', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob, cid] = [new Person(service), new Person(service), new Person(service)];
  t.same((await bob.call('listShared', { query: {} })).items, []);
  const made: string[] = [];
  for (let i = 0; i < 7; i++) {
    const owner = i % 2 ? ann : cid;
    const d = await owner.folder('root', `d${i}`);
    await grant(owner, d.id, bob, 'viewer');
    made.unshift(d.id);
  }
  const list = async (limit: number) => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await bob.call('listShared', { query: { limit, cursor } });
      t.ok(page.items.length <= limit);
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return ids;
  };
  t.same(await list(3), made);
  t.same(await list(1), made);
  const [first = '', second = '', third = '', fourth = ''] = made;
  const ownerOf = async (id: string) => ((await bob.get(id)).ownerId === ann.id ? ann : cid);
  await grant(await ownerOf(fourth), fourth, bob, 'editor');
  t.equal((await list(2))[0], fourth, 'a new role is the latest');
  await grant(await ownerOf(fourth), fourth, cid, 'editor');
  await (await ownerOf(first)).trash(first);
  await revoke(await ownerOf(second), second, bob);
  const top = await (await ownerOf(third)).folder('root', 'top');
  await (await ownerOf(third)).call('updateNode', { params: { id: third }, body: { parentId: top.id } });
  await (await ownerOf(third)).trash(top.id);
  t.same(await list(2), [fourth, ...made.slice(4)], 'nothing from the trash, below it, or taken back');
  t.equal(await codeOf(bob.call('listShared', { query: { cursor: 'x' } })), 'invalid_cursor');
});

t.test('others’ writes: the owner of the tree pays', async (t) => {
  const service = await (await bench(t)).start({ freeLimitBytes: 1_000 });
  const [ann, bob] = [new Person(service), new Person(service)];
  const d = await ann.folder('root', 'd');
  await grant(ann, d.id, bob, 'editor');
  const f = await bob.file(d.id, 'f', 100);
  t.same([f.ownerId, f.content?.by, f.role], [ann.id, bob.id, 'editor']);
  t.equal((await service.database.nodes.findOne({ _id: f.id }))?.createdBy, bob.id);
  await bob.file('root', 'mine', 900);
  const target = { parent: { id: d.id }, name: 'g', ifExists: 'fail' as const };
  t.equal((await bob.call('prepareWrite', { body: { target } })).availableBytes, 900, 'of the owner’s space');
  t.equal(await codeOf(bob.call('prepareWrite', { body: { target, sizeBytes: 901 } })), 'quota_exceeded');
  t.equal(await codeOf(bob.file(d.id, 'g', 901)), 'quota_exceeded');
  t.equal(
    await codeOf(bob.call('commitWrite', { body: { target: { ...target, name: 'f' }, content: content(5) } })),
    'name_taken',
  );
  await bob.file(d.id, 'f', 200);
  t.match(await ann.usage(), { usedBytes: 300, versionBytes: 100, files: 1, folders: 1 });
  t.match(await bob.usage(), { usedBytes: 900, files: 1 });
  const idempotency = { key: 'k', fingerprint: 'f' };
  const put = () =>
    bob.call('commitWrite', { body: { target: { ...target, name: 'h' }, content: content(7), idempotency } });
  t.equal((await put()).node.id, (await put()).node.id, 'the same request once');
  const sub = (await bob.call('createFolder', { body: { parent: { id: d.id }, name: 'sub' } })).node;
  t.equal(sub.ownerId, ann.id);

  await bob.trash(f.id);
  t.same(
    (await ann.call('listTrash', { query: {} })).items.map(({ id }) => id),
    [f.id],
    'in the owner’s trash',
  );
  t.same((await bob.call('listTrash', { query: {} })).items, []);
  t.equal((await bob.call('restoreNode', { params: { id: f.id } })).parentId, d.id);
  await bob.trash(f.id, true);
  await until('given back', async () => (await ann.usage()).usedBytes === 7);

  const g = await ann.file('root', 'g', 1);
  await grant(ann, g.id, bob, 'editor');
  await bob.trash(g.id);
  t.equal((await bob.call('restoreNode', { params: { id: g.id } })).name, 'g', 'where it was, though that is hidden');
  await bob.file(sub.id, 'below', 3);
  const [below] = await bob.children(sub.id);
  await bob.trash(below?.id ?? '');
  await ann.trash(sub.id);
  t.equal(await codeOf(bob.call('restoreNode', { params: { id: below?.id ?? '' } })), 'conflict', 'its folder is gone');
  t.equal((await ann.call('restoreNode', { params: { id: below?.id ?? '' } })).parentId, ann.id);
  await ann.recount(t);
  await bob.recount(t);
});

t.test('copies and moves between trees', async (t) => {
  const service = await (await bench(t)).start({ freeLimitBytes: 500 });
  const [ann, bob, cid] = [new Person(service), new Person(service), new Person(service)];
  const d = await ann.folder('root', 'd');
  const f = await ann.file(d.id, 'f', 100);
  await ann.put(['d', 'e', 'deep'], 50);
  await grant(ann, d.id, bob, 'viewer');
  await open(ann, f.id, 'viewer');
  const copy = (by: Person, id: string, parentId: string) =>
    by.call('copyNode', { params: { id }, body: { parentId } });
  const mine = await copy(bob, f.id, 'root');
  t.same(
    [mine.node.ownerId, mine.node.role, mine.node.generalAccess, mine.node.content?.by],
    [bob.id, 'owner', 'restricted', bob.id],
    'who copies pays, and no right is copied',
  );
  const whole = await copy(bob, d.id, 'root');
  t.equal(whole.pending, false);
  t.same([...(await bob.walk(whole.node.id)).keys()], ['e/', 'e/deep', 'f']);
  t.same((await access(bob, whole.node.id)).grants, []);
  t.equal((await bob.usage()).usedBytes, 250);
  t.equal((await ann.usage()).usedBytes, 150);
  t.equal(await codeOf(copy(cid, d.id, 'root')), 'not_found');
  t.equal(await codeOf(copy(bob, mine.node.id, d.id)), 'forbidden', 'a viewer puts nothing there');
  await grant(ann, d.id, bob, 'editor');
  t.equal((await copy(bob, mine.node.id, d.id)).node.ownerId, ann.id);
  t.match(await ann.usage(), { usedBytes: 250, files: 3 });
  t.match(await bob.usage(), { usedBytes: 250, files: 3 });
  await ann.file('root', 'fill', 200);
  t.equal(await codeOf(copy(bob, whole.node.id, d.id)), 'quota_exceeded', 'the owner of the place has no more');

  const move = (by: Person, id: string, parentId: string) =>
    by.call('updateNode', { params: { id }, body: { parentId } });
  const e = await ann.at(['d', 'e']);
  t.equal((await move(bob, f.id, e.id)).parentId, e.id, 'an editor moves within');
  t.equal(await codeOf(move(bob, f.id, 'root')), 'conflict', 'not between trees');
  t.equal(await codeOf(move(bob, mine.node.id, d.id)), 'conflict');
  t.equal(await codeOf(move(bob, f.id, ann.id)), 'not_found', 'nor to where one sees nothing');
  t.equal(await codeOf(move(bob, d.id, e.id)), 'would_cycle');
  await ann.recount(t);
  await bob.recount(t);
});

t.test('a right that was taken away ends a copy that is under way', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  await Promise.all(Array.from({ length: 900 }, (_, i) => ann.put(['d', `e${i % 30}`, `f${i}`], 2)));
  const d = await ann.at(['d']);
  await grant(ann, d.id, bob, 'viewer');
  const { node, pending } = await bob.call('copyNode', { params: { id: d.id }, body: { parentId: 'root' } });
  t.equal(pending, true);
  await revoke(ann, d.id, bob);
  await until(
    'it is over',
    async () => (await service.database.nodes.countDocuments({ ownerId: bob.id, fill: { $exists: true } })) === 0,
  );
  const files = (await bob.usage()).files;
  t.ok(files < 900, `${files} of 900 files`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.equal((await bob.usage()).files, files, 'nothing more comes');
  t.equal((await bob.get(node.id)).role, 'owner');
  await bob.recount(t);
});

t.test('many change the rights of one node at once: none is lost', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const ann = new Person(services);
  const d = await ann.folder('root', 'd');
  const people = Array.from({ length: 40 }, () => new Person(services));
  await Promise.all(people.map((person, i) => grant(ann, d.id, person, i % 2 ? 'editor' : 'viewer')));
  const { grants } = await access(ann, d.id);
  t.equal(grants.length, 40);
  for (const [i, person] of people.entries()) {
    t.equal(grants.find(({ accountId }) => accountId === person.id)?.role, i % 2 ? 'editor' : 'viewer');
  }
  t.equal((await ann.get(d.id)).rev, 41);
  await Promise.all(
    people.map((person, i) => (i % 2 ? revoke(ann, d.id, person) : open(ann, d.id, i % 4 ? 'viewer' : 'editor'))),
  );
  t.equal((await access(ann, d.id)).grants.length, 20);
});

t.test('after a revocation is answered no write that begins is acknowledged', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const ann = new Person(services);
  const bob = new Person(services);
  const d = await ann.folder('root', 'd');
  const f = await ann.file(d.id, 'f');
  let acknowledged = 0;
  const late: string[] = [];
  for (let round = 0; round < 15; round++) {
    await grant(ann, d.id, bob, 'editor');
    let revokedAt = Number.POSITIVE_INFINITY;
    let n = 0;
    const writer = async (): Promise<void> => {
      for (;;) {
        const beganAt = performance.now();
        const name = `r${round}-${n++}`;
        const calls = [
          () => bob.file(d.id, name),
          () => bob.call('commitWrite', { body: { target: { node: { id: f.id } }, content: content(2) } }),
          () => bob.call('prepareWrite', { body: { target: { parent: { id: d.id }, name, ifExists: 'replace' } } }),
          () => bob.folder(d.id, `${name}d`),
        ];
        const code = await codeOf(calls[n % calls.length]?.() ?? Promise.resolve());
        if (code === 'none') acknowledged++;
        if (code === 'none' && beganAt > revokedAt) late.push(name);
        if (beganAt > revokedAt) return;
      }
    };
    const writers = Array.from({ length: 8 }, writer);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await revoke(ann, d.id, bob);
    revokedAt = performance.now();
    await Promise.all(writers);
  }
  t.same(late, []);
  t.ok(acknowledged > 15, `${acknowledged} were acknowledged before`);
  await ann.recount(t);
});

t.test('hidden or not there', async (t) => {
  const service = await (await bench(t)).start();
  const [ann, bob] = [new Person(service), new Person(service)];
  const f = await ann.file('root', 'f');
  const resolve = (id: string, tellHidden: boolean, principal: Partial<Principal> = bob.principal) =>
    codeOf(new Person(service, principal).call('resolve', { body: { ref: { id }, tellHidden } }));
  t.equal(await resolve(f.id, true), 'forbidden');
  t.equal(await resolve(f.id, false), 'not_found');
  t.equal(await resolve(f.id, true, NOBODY), 'forbidden');
  t.equal(await resolve(newId(), true), 'not_found');
  await ann.trash(f.id);
  t.equal(await resolve(f.id, true), 'not_found', 'what is in the trash is not there');
});
