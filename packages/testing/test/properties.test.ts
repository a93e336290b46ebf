/** Random runs of operations through the API against a naive tree in memory: after each, both say the same. */
import fc from 'fast-check';
import t from 'tap';
import { type Client, encodePath, newPerson, startTestStack, waitFor, walk } from '../src/index.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());

const RUNS = Number(process.env.PROPERTY_RUNS ?? 25);

// The model -----------------------------------------------------------------

interface ModelNode {
  id: string;
  kind: 'file' | 'folder';
  name: string;
  parent: ModelNode | null;
  bytes: string;
  /** Older contents, the newest first. */
  versions: string[];
  state: 'live' | 'trashed' | 'gone';
}

class Model {
  readonly root: ModelNode = {
    id: 'root',
    kind: 'folder',
    name: '',
    parent: null,
    bytes: '',
    versions: [],
    state: 'live',
  };
  readonly nodes: ModelNode[] = [];

  isThere(node: ModelNode): boolean {
    for (let at: ModelNode | null = node; at !== null; at = at.parent) if (at.state !== 'live') return false;
    return true;
  }

  childrenOf(parent: ModelNode): ModelNode[] {
    return this.nodes.filter((node) => node.parent === parent && node.state === 'live');
  }

  /** A file and a folder may have one name. */
  find(parent: ModelNode, name: string, kind: ModelNode['kind']): ModelNode | undefined {
    return this.childrenOf(parent).find((node) => node.name === name && node.kind === kind);
  }

  isBelow(node: ModelNode, above: ModelNode): boolean {
    for (let at: ModelNode | null = node; at !== null; at = at.parent) if (at === above) return true;
    return false;
  }

  pathOf(node: ModelNode): string {
    return node.parent === null ? '' : `${this.pathOf(node.parent)}/${node.name}`;
  }

  /** Everything that is there: path with kind and bytes. */
  tree(): Map<string, string> {
    const there = this.nodes.filter((node) => this.isThere(node));
    return new Map(there.map((node) => [`${this.pathOf(node)}${node.kind === 'folder' ? '/' : ''}`, node.id]));
  }

  /** Bytes of whatever is not gone, old contents and the trash included. */
  usedBytes(): number {
    const kept = this.nodes.filter((node) => !this.#isGone(node));
    return kept.reduce(
      (sum, { bytes, versions }) => sum + [bytes, ...versions].reduce((n, one) => n + Buffer.byteLength(one), 0),
      0,
    );
  }

  /** What was trashed by itself stays in the trash, whatever becomes of the folder that it was in. */
  #isGone(node: ModelNode): boolean {
    let at: ModelNode | null = node;
    while (at !== null && at.state === 'live') at = at.parent;
    return at?.state === 'gone';
  }
}

// The operations --------------------------------------------------------------

type Operation =
  | { op: 'put'; folder: number; name: string; bytes: string }
  | { op: 'mkdir'; folder: number; name: string }
  | { op: 'rename'; node: number; name: string }
  | { op: 'move'; node: number; folder: number }
  | { op: 'trash' | 'delete' | 'restore'; node: number }
  | { op: 'copy'; node: number; folder: number; name: string }
  | { op: 'restoreVersion'; node: number; version: number }
  | { op: 'emptyTrash' };

const name = fc.constantFrom('a', 'b', 'A', 'é', 'e\u0301', 'a b', '😀', '%', '..x', 'ｚ', '.hidden', '+&=?#');
const index = fc.nat({ max: 30 });
const bytes = fc.string({ maxLength: 40 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('put' as const), folder: index, name, bytes }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('mkdir' as const), folder: index, name }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('rename' as const), node: index, name }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('move' as const), node: index, folder: index }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('trash' as const, 'delete' as const, 'restore' as const), node: index }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('copy' as const), node: index, folder: index, name }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restoreVersion' as const), node: index, version: index }) },
  { weight: 1, arbitrary: fc.constant({ op: 'emptyTrash' as const }) },
);

/** Does one operation on both sides; throws where they differ on whether it may be done. */
async function apply(client: Client, model: Model, operation: Operation): Promise<void> {
  const pick = (n: number, from: readonly ModelNode[]): ModelNode | undefined => from[n % Math.max(1, from.length)];
  const folders = [model.root, ...model.nodes.filter((node) => node.kind === 'folder' && model.isThere(node))];
  const folder = 'folder' in operation ? (pick(operation.folder, folders) ?? model.root) : model.root;
  // Of all nodes ever made, so that what is in the trash or gone is asked for as well.
  const node = 'node' in operation ? pick(operation.node, model.nodes) : undefined;
  if ('node' in operation && node === undefined) return;
  const target = node ?? model.root;

  switch (operation.op) {
    case 'put': {
      const { status, body } = await call(
        client,
        'PUT',
        `/v1/nodes/${folder.id}/children/${encodePath(operation.name)}`,
        operation.bytes,
      );
      const before = model.find(folder, operation.name, 'file');
      same(status, before === undefined ? 201 : 200, operation);
      if (before !== undefined) {
        before.versions.unshift(before.bytes);
        before.bytes = operation.bytes;
      } else add(model, idOf(body), 'file', operation.name, folder, operation.bytes);
      return;
    }
    case 'mkdir': {
      const { status, body } = await call(client, 'POST', `/v1/nodes/${folder.id}/children`, { name: operation.name });
      const taken = model.find(folder, operation.name, 'folder') !== undefined;
      same(status, taken ? 409 : 201, operation);
      if (!taken) add(model, idOf(body), 'folder', operation.name, folder, '');
      return;
    }
    case 'rename': {
      const { status } = await call(client, 'PATCH', `/v1/nodes/${target.id}`, { name: operation.name });
      const other = target.parent && model.find(target.parent, operation.name, target.kind);
      const expected = !model.isThere(target) ? 404 : other && other !== target ? 409 : 200;
      same(status, expected, operation);
      if (expected === 200) target.name = operation.name;
      return;
    }
    case 'move': {
      const { status } = await call(client, 'PATCH', `/v1/nodes/${target.id}`, { parentId: folder.id });
      const other = model.find(folder, target.name, target.kind);
      const expected = !model.isThere(target)
        ? 404
        : model.isBelow(folder, target) || (other && other !== target)
          ? 409
          : 200;
      same(status, expected, operation);
      if (expected === 200) target.parent = folder;
      return;
    }
    case 'trash':
    case 'delete': {
      const permanent = operation.op === 'delete' ? '?permanent=true' : '';
      const { status } = await call(client, 'DELETE', `/v1/nodes/${target.id}${permanent}`);
      // What lies in the trash itself can still be deleted for good.
      const mayBe = model.isThere(target) || (permanent !== '' && isInTrash(target));
      same(status, mayBe ? 204 : 404, operation);
      if (mayBe) target.state = operation.op === 'delete' ? 'gone' : 'trashed';
      return;
    }
    case 'restore': {
      const { status, body } = await call(client, 'POST', `/v1/nodes/${target.id}/restore`);
      if (!isInTrash(target)) {
        if (status < 400 && !model.isThere(target)) throw new Error(`${status} for restoring what is not in the trash`);
        return;
      }
      same(status, 200, operation);
      const restored = body as { name: string; parentId: string };
      const wanted = target.parent !== null && model.isThere(target.parent) ? target.parent : model.root;
      const taken = model.find(wanted, target.name, target.kind) !== undefined;
      if (taken === (restored.name === target.name))
        throw new Error(`restored as ${restored.name} where the name was ${taken ? '' : 'not '}taken`);
      if (model.find(wanted, restored.name, target.kind))
        throw new Error(`restored under a name that is taken: ${restored.name}`);
      target.state = 'live';
      target.name = restored.name;
      target.parent = wanted;
      return;
    }
    case 'copy': {
      const { status, body } = await call(client, 'POST', `/v1/nodes/${target.id}/copy`, {
        parentId: folder.id,
        name: operation.name,
      });
      const taken = model.find(folder, operation.name, target.kind) !== undefined;
      if (!model.isThere(target)) {
        same(status, 404, operation);
        return;
      }
      if (taken || (target.kind === 'folder' && model.isBelow(folder, target))) {
        same(status, 409, operation);
        return;
      }
      same(status, 201, operation);
      copyInto(model, target, folder, operation.name, idOf(body));
      await takeIds(client, model, '');
      return;
    }
    case 'restoreVersion': {
      if (target.kind !== 'file' || !model.isThere(target)) return;
      const versions = await client.versions(target.id);
      const sizes = versions.map(({ size }) => size);
      same(JSON.stringify(sizes), JSON.stringify(target.versions.map((one) => Buffer.byteLength(one))), operation);
      const chosen = versions[operation.version % Math.max(1, versions.length)];
      const content = target.versions[operation.version % Math.max(1, versions.length)];
      if (chosen === undefined || content === undefined) return;
      await client.restoreVersion(target.id, chosen.id);
      target.versions.unshift(target.bytes);
      target.bytes = content;
      return;
    }
    case 'emptyTrash': {
      await client.emptyTrash();
      for (const one of model.nodes) if (isInTrash(one)) one.state = 'gone';
      return;
    }
  }
}

/** Trashed itself; what lies below a trashed folder is not listed in the trash. */
const isInTrash = ({ state }: ModelNode): boolean => state === 'trashed';

function add(
  model: Model,
  id: string,
  kind: ModelNode['kind'],
  as: string,
  parent: ModelNode,
  content: string,
): ModelNode {
  const node: ModelNode = { id, kind, name: as, parent, bytes: content, versions: [], state: 'live' };
  model.nodes.push(node);
  return node;
}

function copyInto(model: Model, node: ModelNode, folder: ModelNode, as: string, id: string): void {
  // Looked up before the copy is there, so that it is not copied into itself.
  const below = model.childrenOf(node);
  const copy = add(model, id, node.kind, as, folder, node.bytes);
  for (const child of below) copyInto(model, child, copy, child.name, '');
}

/** Ids of what was copied along with a folder: the API tells only the copy's own. */
async function takeIds(client: Client, model: Model, unknown: string): Promise<void> {
  if (!model.nodes.some(({ id }) => id === unknown)) return;
  const ids = await treeOf(client);
  for (const node of model.nodes) {
    if (node.id === unknown) node.id = ids.get(`${model.pathOf(node)}${node.kind === 'folder' ? '/' : ''}`) ?? unknown;
  }
}

async function treeOf(client: Client): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  for await (const { node, path } of walk(client)) tree.set(`${path}${node.kind === 'folder' ? '/' : ''}`, node.id);
  return tree;
}

async function call(
  client: Client,
  method: string,
  path: string,
  body?: string | object,
): Promise<{ status: number; body: unknown }> {
  const reply = await client.request(
    method,
    path,
    typeof body === 'string' ? { body } : body === undefined ? {} : { json: body },
  );
  return { status: reply.status, body: reply.body.length === 0 ? undefined : reply.json() };
}

const idOf = (body: unknown): string => (body as { id: string }).id;

function same(got: number | string, expected: number | string, operation: Operation): void {
  if (got !== expected) throw new Error(`${JSON.stringify(operation)}: ${got}, the model says ${expected}`);
}

const sorted = (map: Map<string, string>): [string, string][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

// The properties ----------------------------------------------------------------

t.test('the tree is what the operations say', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
      const { client } = await newPerson(stack.http);
      const model = new Model();
      for (const one of operations) await apply(client, model, one);
      const expected = sorted(model.tree());
      const got = sorted(await treeOf(client));
      if (JSON.stringify(got) !== JSON.stringify(expected)) {
        throw new Error(`the tree is ${JSON.stringify(got)}, the model's ${JSON.stringify(expected)}`);
      }
      for (const node of model.nodes.filter((one) => one.kind === 'file' && model.isThere(one))) {
        const byPath = await client.getFile(model.pathOf(node).slice(1));
        if (byPath.text() !== node.bytes)
          throw new Error(`${model.pathOf(node)} holds ${byPath.text()}, not ${node.bytes}`);
      }
      const trash = (await client.trash({ limit: 1000 })).items.map(({ id }) => id).sort();
      const inTrash = model.nodes
        .filter(isInTrash)
        .map(({ id }) => id)
        .sort();
      if (trash.join() !== inTrash.join()) throw new Error(`in the trash: ${trash}, in the model's: ${inTrash}`);
      await waitFor(
        `usage to be ${model.usedBytes()}`,
        async () => (await client.usage()).usedBytes === model.usedBytes(),
      );
      const { files, liveBytes, trashBytes, usedBytes, versionBytes } = await client.usage();
      const live = model.nodes.filter((node) => node.kind === 'file' && model.isThere(node));
      const sizes = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      const wanted = {
        files: live.length,
        liveBytes: sizes(live.map((node) => node.bytes)),
        versionBytes: sizes(live.flatMap((node) => node.versions)),
      };
      if (JSON.stringify({ files, liveBytes, versionBytes }) !== JSON.stringify(wanted)) {
        throw new Error(
          `usage says ${JSON.stringify({ files, liveBytes, versionBytes })}, the model ${JSON.stringify(wanted)}`,
        );
      }
      if (usedBytes !== liveBytes + trashBytes + versionBytes) throw new Error('the sum of usage is not its parts');
    }),
    { numRuns: RUNS, endOnFailure: process.env.PROPERTY_SHRINK === undefined },
  );
  t.pass(`${RUNS} runs`);
});

t.test('any legal name comes back as it was given, by id and by path', async (t) => {
  const { client } = await newPerson(stack.http);
  const legal = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter(
      (text) =>
        !/[/\0]/.test(text) && text !== '.' && text !== '..' && Buffer.byteLength(text) <= 255 && text.isWellFormed(),
    );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(legal, { minLength: 1, maxLength: 4 }), async (names) => {
      const path = names.join('/');
      const node = await client.putFile(path, path);
      const seen = await client.node(node.id);
      if (seen.name !== names.at(-1))
        throw new Error(`${JSON.stringify(names.at(-1))} came back as ${JSON.stringify(seen.name)}`);
      const text = (await client.getFile(path)).text();
      if (text !== path) throw new Error(`${JSON.stringify(path)} holds ${JSON.stringify(text)}`);
    }),
    { numRuns: RUNS * 4, endOnFailure: true },
  );
  t.pass();
});

t.test('a folder lists in byte order, whatever the page', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { minLength: 1 }), fc.integer({ min: 1, max: 7 }), async (names, limit) => {
      const { client } = await newPerson(stack.http);
      await Promise.all(names.map((one) => client.putFile(one, '')));
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.children('root', { limit, ...(cursor === undefined ? {} : { cursor }) });
        if (page.items.length > limit) throw new Error(`a page of ${page.items.length}`);
        listed.push(...page.items.map((node) => node.name));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      const inOrder = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      if (JSON.stringify(listed) !== JSON.stringify(inOrder))
        throw new Error(`${JSON.stringify(listed)} for ${JSON.stringify(inOrder)}`);
    }),
    { numRuns: Math.ceil(RUNS / 2), endOnFailure: true },
  );
  t.pass();
});
