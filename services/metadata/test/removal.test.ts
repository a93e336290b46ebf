import { events, NOBODY } from '@coffer/contracts';
import { createOutbox, newId } from '@coffer/service-kit';
import t from 'tap';
import { removeAccount } from '../src/operations/removal.ts';
import { bench, codeOf, content, Person, type Service, until } from './helpers.ts';

t.setTimeout(300_000);

/** As the auth service says it: the event as it goes over the bus. */
async function tellDeleted(service: Service, accountId: string): Promise<void> {
  const outbox = createOutbox(service.ctx, { clear: async () => {}, overdue: async () => [] });
  const event = outbox.makeEvent('accountDeleted', { accountId });
  await until('the bus takes it', async () => {
    try {
      await service.ctx.bus.publish(events.accountDeleted.type, event, { id: event.id });
      return true;
    } catch {
      return false;
    }
  });
}

const left = (service: Service, ownerId: string) =>
  service.database.nodes.countDocuments({ ownerId, parentId: { $ne: null } });
const isOver = async (service: Service, accountId: string) => {
  const doc = await service.database.usage.findOne({ _id: accountId });
  return doc?.deletedAt !== undefined && doc.removing === undefined && (await left(service, accountId)) === 0;
};

async function furnish(ann: Person, bob: Person): Promise<{ shared: string; published: string }> {
  await Promise.all(Array.from({ length: 60 }, (_, i) => ann.put(['d', `e${i % 4}`, `f${i}`], 10)));
  await ann.file('root', 'versioned', 10);
  await ann.file('root', 'versioned', 20);
  await ann.put(['gone', 'f'], 10);
  await ann.put(['gone', 'g'], 10);
  await ann.trash((await ann.at(['gone', 'g'])).id);
  await ann.trash((await ann.at(['gone'])).id);
  const d = await ann.at(['d']);
  await ann.call('changeGrants', {
    params: { id: d.id },
    body: { give: [{ accountId: bob.id, role: 'editor' }], take: [] },
  });
  const target = { parent: { id: 'root' as const }, name: 'p', ifExists: 'fail' as const };
  const body = { target, content: content(10), publish: true, identifier: `of ${ann.id}` };
  const { node } = await ann.call('commitWrite', { body });
  return { shared: d.id, published: node.id };
}

t.test('the tree of a deleted account goes, and none comes in its place', async (t) => {
  const place = await bench(t);
  const services = [await place.start({ bus: 'nats' }), await place.start({ bus: 'nats' })];
  const [service] = services;
  if (service === undefined) throw new Error('there are two');
  const [ann, bob] = [new Person(services), new Person(services)];
  const operator = new Person(services, { role: 'operator' });
  const { shared, published } = await furnish(ann, bob);
  await bob.file('root', 'of-bob', 7);
  await tellDeleted(service, ann.id);
  await until('it is not there', async () => (await codeOf(ann.get('root'))) === 'not_found');
  t.equal(await codeOf(bob.get(shared)), 'not_found', 'nor for whom it was shared with');
  t.equal(await codeOf(new Person(services, NOBODY).get(published)), 'not_found');
  t.same((await bob.call('listPublished', { query: {} })).items, []);
  t.same((await bob.call('listShared', { query: {} })).items, []);
  const late = {
    'resolve by path': () => ann.at(['d']),
    children: () => ann.children('root'),
    folder: () => ann.folder('root', 'late'),
    file: () => ann.file('root', 'late'),
    'file by path': () => ann.put(['a', 'b']),
    'a file of another in it': () => bob.file(shared, 'late'),
    usage: () => ann.usage(),
  };
  for (const [what, call] of Object.entries(late)) t.equal(await codeOf(call()), 'not_found', what);
  await until('all is removed', () => isOver(service, ann.id));
  for (const person of [ann, new Person(services, ann.principal)]) {
    t.equal(await codeOf(person.get('root')), 'not_found', 'still');
    t.equal(await codeOf(person.file('root', 'late')), 'not_found');
    t.same((await person.call('listTrash', { query: {} })).items, []);
    t.same((await person.call('listFiles', { query: {} })).items, []);
  }
  const params = { accountId: ann.id };
  t.match(await operator.call('getUsage', { params }), { usedBytes: 0, files: 0, folders: 0, trashBytes: 0 });
  const { stored, counted } = await operator.call('recount', { params, body: { repair: false } });
  t.same(stored, counted);
  await bob.recount(t);
  t.equal((await bob.at(['of-bob'])).content?.sizeBytes, 7, 'others keep theirs');
  const target = { parent: { id: 'root' as const }, name: 'p', ifExists: 'fail' as const };
  const again = bob.call('commitWrite', { body: { target, content: content(1), identifier: `of ${ann.id}` } });
  t.equal(await codeOf(again), 'none', 'the identifier is free');

  const unseen = newId();
  await tellDeleted(service, unseen);
  const ghost = new Person(services, { accountId: unseen });
  await until('an account that had nothing', () => isOver(service, unseen));
  t.equal(await codeOf(ghost.file('root', 'f')), 'not_found');
});

t.test('a removal that a crash cut at any point is finished by another', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const bob = new Person(service);
  const cuts: Record<string, (ann: Person) => Promise<unknown>> = {
    'after the mark': (ann) => service.tree.usage.markDeleted(ann.id),
    'after the root': async (ann) => {
      await removeAccount(service.tree, ann.id);
    },
    'twice at once': (ann) =>
      Promise.all([
        removeAccount(service.tree, ann.id),
        removeAccount(service.tree, ann.id),
        ann.trash('root').catch(() => {}),
      ]),
  };
  for (const [when, cut] of Object.entries(cuts)) {
    const ann = new Person(service);
    await furnish(ann, bob);
    await cut(ann);
    await until(`${when}: finished`, () => isOver(service, ann.id));
    t.equal(await codeOf(ann.file('root', 'f')), 'not_found', when);
    const rev = (await service.database.nodes.findOne({ _id: ann.id }))?.rev;
    await removeAccount(service.tree, ann.id);
    t.equal((await service.database.nodes.findOne({ _id: ann.id }))?.rev, rev, 'once more changes nothing');
  }
});

t.test('writes that race with the removal leave nothing behind', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const [service] = services;
  if (service === undefined) throw new Error('there are two');
  const [ann, bob] = [new Person(services), new Person(services)];
  const { shared } = await furnish(ann, bob);
  let over = false;
  const codes = new Set<string>();
  const writers = Array.from({ length: 8 }, async (_, w) => {
    for (let i = 0; !over; i++) {
      const name = `w${w}-${i}`;
      const call = [
        () => ann.put(['x', name], 3),
        () => bob.file(shared, name, 3),
        () => ann.folder('root', name),
        async () => ann.trash((await ann.file('root', name)).id),
      ][w % 4];
      codes.add(await codeOf(call?.() ?? Promise.resolve()));
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await removeAccount(service.tree, ann.id);
  await new Promise((resolve) => setTimeout(resolve, 300));
  over = true;
  await Promise.all(writers);
  t.same([...codes].sort(), ['none', 'not_found']);
  await until('all is removed', () => isOver(service, ann.id));
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.equal(await left(service, ann.id), 0);
  t.equal((await service.database.usage.findOne({ _id: ann.id }))?.usedBytes, 0);
});
