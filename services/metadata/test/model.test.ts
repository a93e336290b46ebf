import fc from 'fast-check';
import t from 'tap';
import { freeName } from '../src/domain/names.ts';
import { bench, codeOf, hasty, Person, until } from './helpers.ts';

t.setTimeout(300_000);

const MAX_VERSIONS = 2;
const LIMIT = 2_000;

/** A naive tree in memory: what the service must be indistinguishable from. */
class Model {
  id = 'root';
  kind: 'file' | 'folder' = 'folder';
  name = '';
  parent: Model | null = null;
  children: Model[] = [];
  /** The current content's size first, then the versions'. */
  sizes: number[] = [];
  trashed = false;
  /** The root's: where trashed nodes hang whose folder is gone for good. Nothing in it is there. */
  limbo: Model | null = null;

  isBelow(other: Model): boolean {
    return this === other || (this.parent?.isBelow(other) ?? false);
  }
  isThere(): boolean {
    return !this.trashed && (this.parent?.isThere() ?? true);
  }
  child(name: string, kind: 'file' | 'folder'): Model | undefined {
    return this.children.find((c) => !c.trashed && c.name === name && c.kind === kind);
  }
  all(): Model[] {
    return [...this.children.flatMap((c) => [c, ...c.all()]), ...(this.limbo?.all() ?? [])];
  }
  path(): string {
    return this.parent === null ? '' : `${this.parent.path()}${this.name}${this.kind === 'folder' ? '/' : ''}`;
  }
  detach(): void {
    if (this.parent) this.parent.children = this.parent.children.filter((c) => c !== this);
  }
  attach(parent: Model): void {
    this.detach();
    this.parent = parent;
    parent.children.push(this);
  }
  free(name: string, kind: 'file' | 'folder'): string {
    for (let n = 0; ; n++) if (!this.child(freeName(name, kind, n), kind)) return freeName(name, kind, n);
  }
}

const sum = (sizes: number[]): number => sizes.reduce((a, b) => a + b, 0);
const usedBy = (root: Model): number => sum(root.all().flatMap(({ sizes }) => sizes));

function make(parent: Model, id: string, name: string, kind: 'file' | 'folder', sizes: number[] = []): Model {
  const node = Object.assign(new Model(), { id, name, kind, sizes });
  node.attach(parent);
  return node;
}

const names = ['a', 'b', 'a.x'];
const op = fc.record({
  what: fc.constantFrom(
    'put',
    'put',
    'put',
    'mkdir',
    'rename',
    'move',
    'trash',
    'restore',
    'delete',
    'copy',
    'version',
    'empty',
  ),
  node: fc.nat(),
  to: fc.nat(),
  name: fc.constantFrom(...names),
  size: fc.integer({ min: 0, max: 150 }),
});
type Op = typeof op extends fc.Arbitrary<infer O> ? O : never;

async function apply(root: Model, ann: Person, { what, node: n, to: m, name, size }: Op): Promise<[string, string]> {
  const there = [root, ...root.all().filter((x) => x.isThere())];
  const node = there[n % there.length] ?? root;
  const folders = there.filter(({ kind }) => kind === 'folder');
  const to = folders[m % folders.length] ?? root;
  const [id, toId] = [node.id, to.id];
  const did = async <T>(call: Promise<T>, expected: string, then: (answer: T) => void): Promise<[string, string]> => {
    const code = await codeOf(call.then((answer) => (expected === 'none' ? then(answer) : undefined)));
    return [code, expected];
  };
  const room = (bytes: number) => (bytes === 0 || usedBy(root) + bytes <= LIMIT ? 'none' : 'quota_exceeded');
  const replace = (file: Model, bytes: number): void => {
    file.sizes = [bytes, ...file.sizes].slice(0, MAX_VERSIONS + 1);
  };
  if (what === 'put') {
    return did(ann.file(toId, name, size), room(size), (made) => {
      const file = to.child(name, 'file');
      if (file) replace(file, size);
      else make(to, made.id, name, 'file', [size]);
    });
  }
  if (what === 'mkdir') {
    const expected = to.child(name, 'folder') ? 'name_taken' : 'none';
    return did(ann.folder(toId, name), expected, (made) => make(to, made.id, name, 'folder'));
  }
  if (what === 'rename') {
    const twin = node.parent?.child(name, node.kind);
    const expected = node === root ? 'forbidden' : twin && twin !== node ? 'name_taken' : 'none';
    return did(ann.call('updateNode', { params: { id }, body: { name } }), expected, () => {
      node.name = name;
    });
  }
  if (what === 'move') {
    const twin = to.child(node.name, node.kind);
    const expected =
      node === root
        ? 'forbidden'
        : to === node.parent
          ? 'none'
          : to.isBelow(node)
            ? 'would_cycle'
            : twin
              ? 'name_taken'
              : 'none';
    return did(ann.call('updateNode', { params: { id }, body: { parentId: toId } }), expected, () => node.attach(to));
  }
  if (what === 'trash' || what === 'delete') {
    return did(ann.trash(id, what === 'delete'), node === root ? 'forbidden' : 'none', () => {
      if (what === 'trash') node.trashed = true;
      else remove(root, node);
    });
  }
  if (what === 'restore') {
    const trashed = root.all().filter((x) => x.trashed);
    const item = trashed[n % Math.max(1, trashed.length)];
    if (item === undefined) return ['none', 'none'];
    return did(ann.call('restoreNode', { params: { id: item.id } }), 'none', () => {
      const parent = item.parent?.isThere() ? item.parent : root;
      item.name = parent.free(item.name, item.kind);
      item.trashed = false;
      item.attach(parent);
    });
  }
  if (what === 'copy') {
    const bytes = sum([node, ...liveBelow(node)].map(({ sizes }) => sizes[0] ?? 0));
    const expected = to.isBelow(node) ? 'would_cycle' : room(bytes);
    const call = ann.call('copyNode', { params: { id }, body: { parentId: toId } });
    const code = await codeOf(call);
    if (code === 'none' && expected === 'none') await copied(ann, node, to, (await call).node.id);
    return [code, expected];
  }
  if (what === 'version') {
    const files = there.filter(({ sizes }) => sizes.length > 1);
    const file = files[n % Math.max(1, files.length)];
    if (file === undefined) return ['none', 'none'];
    const { items } = await ann.call('listVersions', { params: { id: file.id } });
    const [oldest] = items.slice(-1);
    const bytes = file.sizes.at(-1) ?? 0;
    const params = { id: file.id, vid: oldest?.vid ?? '' };
    return did(ann.call('restoreVersion', { params, body: {} }), room(bytes), () => replace(file, bytes));
  }
  for (const item of root.all().filter((x) => x.trashed)) remove(root, item);
  return did(ann.call('emptyTrash', {}), 'none', () => {});
}

const liveBelow = (node: Model): Model[] =>
  node.children.filter((c) => !c.trashed).flatMap((c) => [c, ...liveBelow(c)]);

/** Gone for good with all below, but not what was trashed by itself: that stays in the trash, without a folder. */
function remove(root: Model, node: Model): void {
  const rescue = (x: Model): void => {
    for (const child of [...x.children]) {
      if (child.trashed) child.attach(root.limbo ?? root);
      else rescue(child);
    }
  };
  rescue(node);
  node.detach();
}

/** Ids of the copies are learnt by walking both. */
async function copied(ann: Person, from: Model, to: Model, id: string): Promise<void> {
  const put = async (source: Model, parent: Model, copyId: string, name: string): Promise<void> => {
    const made = make(parent, copyId, name, source.kind, source.sizes.slice(0, 1));
    if (source.kind !== 'folder') return;
    const ids = new Map((await ann.children(copyId)).map((c) => [`${c.name}:${c.kind}`, c.id]));
    for (const child of source.children.filter((c) => !c.trashed)) {
      await put(child, made, ids.get(`${child.name}:${child.kind}`) ?? 'missing', child.name);
    }
  };
  await put(from, to, id, to.free(from.name || 'Copy', from.kind));
}

t.test('indistinguishable from a naive tree, figures included', async (t) => {
  const place = await bench(t);
  const service = await place.start({ maxVersions: MAX_VERSIONS, freeLimitBytes: LIMIT, patience: hasty });
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 40 }), async (ops) => {
      const ann = new Person(service);
      const limbo = Object.assign(new Model(), { trashed: true });
      const root = Object.assign(new Model(), { id: ann.id, limbo });
      for (const one of ops) {
        // What the background gives back must be back before the limit is judged.
        await until('figures', async () => (await ann.usage()).usedBytes === usedBy(root));
        const [code, expected] = await apply(root, ann, one);
        if (code !== expected) throw new Error(`${JSON.stringify(one)}: ${code}, expected ${expected}`);
      }
      const live = liveBelow(root);
      const expected = live.map((x) => x.path()).toSorted();
      const found = [...(await ann.walk()).keys()].toSorted();
      if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${found} instead of ${expected}`);
      for (const x of live) {
        if ((await ann.get(x.id)).content?.sizeBytes !== x.sizes[0]) throw new Error(`another size at ${x.path()}`);
      }
      const versionBytes = sum(live.flatMap(({ sizes }) => sizes.slice(1)));
      const liveBytes = sum(live.map(({ sizes }) => sizes[0] ?? 0));
      const wanted = {
        usedBytes: usedBy(root),
        limitBytes: LIMIT,
        liveBytes,
        trashBytes: usedBy(root) - liveBytes - versionBytes,
        versionBytes,
        files: live.filter((x) => x.kind === 'file').length,
        folders: live.filter((x) => x.kind === 'folder').length,
      };
      // What was deleted for good is given back in the background; between the removal of a document and the update of
      // the figures, it counts as live for a moment.
      await until(`usage to be ${JSON.stringify(wanted)}`, async () => {
        return JSON.stringify(await ann.usage()) === JSON.stringify(wanted);
      });
      const { stored, counted } = await ann.call('recount', { params: { accountId: ann.id }, body: { repair: false } });
      if (JSON.stringify(stored) !== JSON.stringify(counted)) throw new Error('a recount finds other figures');
    }),
    { numRuns: Number(process.env.MODEL_RUNS ?? 25), endOnFailure: true },
  );
  t.pass('every sequence');
});
