import { newId } from '@coffer/service-kit';
import t from 'tap';
import { type NodeDoc, newNode } from '../src/domain/node.ts';
import { bench, Person } from './helpers.ts';

t.setTimeout(300_000);

/** Children made as documents, past the service, since their number is all that counts here. */
async function fill(insert: (docs: NodeDoc[]) => Promise<unknown>, parent: NodeDoc, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const docs = Array.from({ length: Math.min(1000, count - from) }, (_, i) =>
      newNode({ id: newId(), parent, name: `f${from + i}`, kind: 'folder', by: parent.ownerId, at: new Date() }),
    );
    await insert(docs);
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

t.test('what a page and a rename cost does not depend on how much there is', async (t) => {
  const service = await (await bench(t)).start();
  const ann = new Person(service);
  const sizes = [100, 20_000];
  const folders = await Promise.all(sizes.map((size) => ann.folder('root', `d${size}`)));
  for (const [i, folder] of folders.entries()) {
    const chain = await service.tree.finder.byId(folder.id);
    if (chain === null) throw new Error('the folder is there');
    await fill((docs) => service.database.nodes.insertMany(docs, { ordered: false }), chain.node, sizes[i] ?? 0);
  }
  const operations = {
    'first page': (id: string) => ann.call('listChildren', { params: { id }, query: { limit: 100 } }),
    'page in the middle': async (id: string) => {
      const { makeCursor } = await import('../src/domain/cursors.ts');
      const cursor = makeCursor('children', id, 'f5');
      return ann.call('listChildren', { params: { id }, query: { limit: 40, cursor } });
    },
    rename: (id: string) => ann.call('updateNode', { params: { id }, body: { name: `n${newId()}` } }),
    'search by prefix': (_id: string) => ann.call('search', { query: { q: 'f77', match: 'prefix', limit: 10 } }),
  };
  for (const [what, operation] of Object.entries(operations)) {
    const times: number[][] = folders.map(() => []);
    for (let round = 0; round < 40; round++) {
      for (const [i, folder] of folders.entries()) {
        const began = performance.now();
        await operation(folder.id);
        times[i]?.push(performance.now() - began);
      }
    }
    const [small = 1, large = 1] = times.map(median);
    // A scan would be 200 times as long; the machine's noise is not 5 times.
    t.ok(large < 5 * small + 5, `${what}: ${small.toFixed(1)} ms of 100, ${large.toFixed(1)} ms of 20,000`);
  }
});
