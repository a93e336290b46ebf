import { type ErrorCode, NOBODY } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import fc from 'fast-check';
import t from 'tap';
import { roleOf } from '../src/domain/access.ts';
import { type NodeDoc, newNode, rootNode } from '../src/domain/node.ts';
import { bench, codeOf, content, Person } from './helpers.ts';

t.setTimeout(300_000);

const generals = ['restricted', 'viewer', 'editor'] as const;
const places = ['direct', 'inherited', 'none'] as const;
const people = ['owner', 'editor', 'viewer', 'stranger', 'nobody'] as const;
type General = (typeof generals)[number];
type Place = (typeof places)[number];
type Who = (typeof people)[number];

/** What somebody asks for, of a folder and a file in it that are shared in the same way. */
interface Fixture {
  folder: string;
  file: string;
  box: string;
  identifier: string;
  number: number;
  vid: string;
}

interface Case {
  /** What has to be held for it. */
  needs: 'read' | 'write';
  /** Where those who may see nothing are told that there is something. */
  tells?: true;
  ask(person: Person, fixture: Fixture): Promise<unknown>;
}

let turn = 0;
const name = () => `n${++turn}`;
const into = (id: string, ifExists: 'fail' | 'replace' | 'rename' = 'fail') => ({
  parent: { id },
  name: name(),
  ifExists,
});
const update = (person: Person, id: string, body: object) => person.call('updateNode', { params: { id }, body });

const cases: Record<string, Case> = {
  'resolve a file': { needs: 'read', ask: (p, f) => p.get(f.file) },
  'resolve a folder': { needs: 'read', ask: (p, f) => p.get(f.folder) },
  'resolve, told what is hidden': {
    needs: 'read',
    tells: true,
    ask: (p, f) => p.call('resolve', { body: { ref: { id: f.file }, tellHidden: true } }),
  },
  resolveMany: {
    needs: 'read',
    ask: async (p, f) => {
      const questions = [{ accountId: p.id, ref: { id: f.file } }];
      const [answer] = (await p.call('resolveMany', { body: { questions } })).answers;
      if (answer !== undefined && 'error' in answer) throw appError(answer.error.code as ErrorCode); // Of the closed set.
    },
  },
  listChildren: { needs: 'read', ask: (p, f) => p.children(f.folder) },
  getAccess: { needs: 'read', ask: (p, f) => p.call('getAccess', { params: { id: f.file } }) },
  listVersions: { needs: 'read', ask: (p, f) => p.call('listVersions', { params: { id: f.file } }) },
  getVersion: { needs: 'read', ask: (p, f) => p.call('getVersion', { params: { id: f.file, vid: f.vid } }) },
  findByNumber: { needs: 'read', ask: (p, f) => p.call('findByNumber', { params: { number: f.number } }) },
  findByIdentifier: {
    needs: 'read',
    tells: true,
    ask: (p, f) => p.call('findByIdentifier', { body: { identifier: f.identifier } }),
  },
  createFolder: { needs: 'write', ask: (p, f) => p.folder(f.folder, name()) },
  'updateNode: name': { needs: 'write', ask: (p, f) => update(p, f.file, { name: name() }) },
  'updateNode: properties': { needs: 'write', ask: (p, f) => update(p, f.folder, { properties: { k: name() } }) },
  'updateNode: general access': { needs: 'write', ask: (p, f) => update(p, f.file, { generalAccess: 'restricted' }) },
  'updateNode: into it': {
    needs: 'write',
    ask: (p, f) => update(p, f.file, { parentId: f.folder, name: name() }),
  },
  changeGrants: {
    needs: 'write',
    ask: (p, f) =>
      p.call('changeGrants', {
        params: { id: f.folder },
        body: { give: [{ accountId: newId(), role: 'viewer' }], take: [] },
      }),
  },
  'deleteNode: trash': { needs: 'write', ask: (p, f) => p.trash(f.file) },
  'deleteNode: for good': { needs: 'write', ask: (p, f) => p.trash(f.folder, true) },
  'prepareWrite: new': { needs: 'write', ask: (p, f) => p.call('prepareWrite', { body: { target: into(f.folder) } }) },
  'prepareWrite: replace': {
    needs: 'write',
    ask: (p, f) => p.call('prepareWrite', { body: { target: { node: { id: f.file } }, sizeBytes: 5 } }),
  },
  'commitWrite: new': {
    needs: 'write',
    ask: (p, f) => p.call('commitWrite', { body: { target: into(f.folder), content: content(1) } }),
  },
  'commitWrite: rename': {
    needs: 'write',
    ask: (p, f) => p.call('commitWrite', { body: { target: into(f.folder, 'rename'), content: content(1) } }),
  },
  'commitWrite: replace': {
    needs: 'write',
    ask: (p, f) => p.call('commitWrite', { body: { target: { node: { id: f.file } }, content: content(1) } }),
  },
  restoreVersion: {
    needs: 'write',
    ask: (p, f) => p.call('restoreVersion', { params: { id: f.file, vid: f.vid }, body: {} }),
  },
  'copyNode: into it': {
    needs: 'write',
    ask: (p, f) => p.call('copyNode', { params: { id: f.file }, body: { parentId: f.folder } }),
  },
};

/** Written apart from the code: what the words of the design say, for this table alone. */
function expected(who: Who, general: General, place: Place, { needs, tells }: Case): string {
  if (who === 'owner') return 'none';
  const shared = place !== 'none';
  const mayRead = shared && (who === 'editor' || who === 'viewer' || general !== 'restricted');
  const mayWrite = shared && who !== 'nobody' && (who === 'editor' || general === 'editor');
  if (!mayRead) return tells ? 'forbidden' : 'not_found';
  if (needs === 'read' || mayWrite) return 'none';
  return who === 'nobody' ? 'read_only' : 'forbidden';
}

t.test('every endpoint, for everyone, however it is shared', async (t) => {
  const service = await (await bench(t)).start();
  const owner = new Person(service);
  const persons: Record<Who, Person> = {
    owner,
    editor: new Person(service),
    viewer: new Person(service),
    stranger: new Person(service),
    nobody: new Person(service, NOBODY),
  };
  const share = async (id: string, general: General): Promise<void> => {
    await owner.call('changeGrants', {
      params: { id },
      body: {
        give: [
          { accountId: persons.editor.id, role: 'editor' },
          { accountId: persons.viewer.id, role: 'viewer' },
        ],
        take: [],
      },
    });
    await update(owner, id, { generalAccess: general });
  };
  const build = async (general: General, place: Place): Promise<Fixture> => {
    const box = await owner.folder('root', name());
    const beside = await owner.folder('root', name());
    const folder = await owner.folder(box.id, name());
    await owner.file(folder.id, 'below');
    const identifier = name();
    const { node } = await owner.call('commitWrite', {
      body: { target: into(box.id), content: content(3), identifier },
    });
    await owner.call('commitWrite', { body: { target: { node: { id: node.id } }, content: content(4) } });
    const [version] = (await owner.call('listVersions', { params: { id: node.id } })).items;
    const [number] = (await owner.call('numberNodes', { body: { ids: [node.id] } })).numbers;
    const shared = { direct: [folder.id, node.id], inherited: [box.id], none: [beside.id] }[place];
    for (const id of shared) await share(id, general);
    return { folder: folder.id, file: node.id, box: box.id, identifier, number: number ?? 0, vid: version?.vid ?? '' };
  };
  let cells = 0;
  const wrong: string[] = [];
  for (const general of generals) {
    for (const place of places) {
      let fixture = await build(general, place);
      for (const [what, one] of Object.entries(cases)) {
        for (const who of people) {
          const code = await codeOf(one.ask(persons[who], fixture));
          const should = expected(who, general, place, one);
          cells++;
          if (code !== should) wrong.push(`${what}: ${who}, ${general}, ${place}: ${code} instead of ${should}`);
          if (code === 'none' && one.needs === 'write') fixture = await build(general, place);
        }
      }
    }
  }
  t.same(wrong, []);
  t.ok(cells >= 1_000, `${cells} cells`);
  await owner.recount(t);
  for (const person of [persons.editor, persons.viewer, persons.stranger]) {
    t.equal((await person.usage()).usedBytes, 0, 'only the owner of the tree pays');
  }
});

t.test('what is one’s own needs an account', async (t) => {
  const service = await (await bench(t)).start();
  const nobody = new Person(service, NOBODY);
  const root = { parent: { id: 'root' as const }, name: 'f', ifExists: 'fail' as const };
  const path = { parent: { path: ['a'] }, name: 'f', ifExists: 'fail' as const, makeFolders: true };
  const calls = {
    root: () => nobody.get('root'),
    'the nil id': () => nobody.get(NOBODY.accountId),
    path: () => nobody.at(['a']),
    children: () => nobody.children('root'),
    folder: () => nobody.folder('root', 'd'),
    'folder by path': () =>
      nobody.call('createFolder', { body: { parent: { path: ['a'] }, name: 'd', makeFolders: true } }),
    commit: () => nobody.call('commitWrite', { body: { target: root, content: content(1) } }),
    'commit by path': () => nobody.call('commitWrite', { body: { target: path, content: content(1) } }),
    prepare: () => nobody.call('prepareWrite', { body: { target: root } }),
    'prepare by path': () => nobody.call('prepareWrite', { body: { target: path } }),
    trash: () => nobody.call('listTrash', { query: {} }),
    empty: () => nobody.call('emptyTrash', {}),
    search: () => nobody.call('search', { query: { q: 'a' } }),
    files: () => nobody.call('listFiles', { query: {} }),
    shared: () => nobody.call('listShared', { query: {} }),
    numbers: () => nobody.call('numberNodes', { body: { ids: [newId()] } }),
    usage: () => nobody.usage(),
    recount: () => nobody.call('recount', { params: { accountId: nobody.id }, body: { repair: false } }),
  };
  for (const [what, call] of Object.entries(calls)) t.equal(await codeOf(call()), 'unauthorized', what);
  t.equal(await service.database.nodes.countDocuments({}), 0, 'no root was made');
  t.equal(await service.database.usage.countDocuments({}), 0, 'nor figures');
});

t.test('rights go down the tree: the code against a naive oracle', async (t) => {
  const accounts = [newId(), newId(), newId()];
  const role = fc.constantFrom('editor' as const, 'viewer' as const);
  const place = fc.record({
    general: fc.constantFrom(...generals),
    grants: fc.uniqueArray(fc.record({ account: fc.integer({ min: 0, max: 3 }), role }), {
      selector: ({ account }) => account,
      maxLength: 4,
    }),
  });
  // Everything that anyone was given, as sentences; the strongest of those about me, or about all, is mine.
  const oracle = (
    who: number,
    chain: { general: General; grants: { account: number; role: string }[] }[],
  ): string | null => {
    const said = chain.flatMap(({ general, grants }) => [
      ...(general === 'restricted' ? [] : [`all ${general}`]),
      ...grants.map((grant) => `${grant.account} ${grant.role}`),
    ]);
    const has = (what: string): boolean =>
      said.includes(`all ${what}`) || (who !== 3 && said.includes(`${who} ${what}`));
    if (has('editor')) return who === 3 ? 'viewer' : 'editor';
    return has('viewer') ? 'viewer' : null;
  };
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 3 }), (chain, who) => {
      const at = new Date();
      const root = rootNode(newId(), at);
      const docs: NodeDoc[] = [root];
      for (const { general, grants } of chain) {
        const parent = docs.at(-1) ?? root;
        const doc = newNode({ id: newId(), parent, name: 'd', kind: 'folder', by: root._id, at });
        doc.generalAccess = general;
        doc.grants = grants.map((grant) => ({
          accountId: accounts[grant.account] ?? NOBODY.accountId,
          role: grant.role,
          at,
        }));
        docs.push(doc);
      }
      const [node = root, ...ancestors] = docs.reverse();
      const accountId = accounts[who];
      const principal = accountId === undefined ? NOBODY : { accountId, role: 'user' as const, readOnly: false };
      if (roleOf(principal, node, ancestors) !== oracle(who, chain)) return false;
      return roleOf({ accountId: root._id, role: 'user', readOnly: false }, node, ancestors) === 'owner';
    }),
    { numRuns: 2_000 },
  );
  t.pass('2,000 chains');
});
