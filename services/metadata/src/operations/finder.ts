import type { Hints } from '../domain/hints.ts';
import { sortKey } from '../domain/names.ts';
import { type Chain, type NodeDoc, type NodeKind, rootNode } from '../domain/node.ts';
import type { NodeStore } from '../store/nodes.ts';
import type { UsageStore } from '../store/usage.ts';

/** How far a path leads: the last node found with its ancestors, and the names behind it that are not there. */
export interface PathResult {
  chain: Chain;
  missing: string[];
}

/** True if the node and everything it hangs on is live. A node below a trashed or doomed folder is not there. */
export function isThere({ node, ancestors }: Chain): boolean {
  return node.live === true && ancestors.every((ancestor) => ancestor.live === true);
}

/**
 * Finds nodes with all that they hang on, in one round trip where the hints are right: the node and every hinted ancestor
 * are fetched together, then the links are checked between what came back. Nothing but the answer is believed.
 *
 * The documents of a chain are not read at one instant. Each link was true at some time during the request, which is
 * what a change that happens at the same time may look like anyway; what must not depend on it (cycles) takes a lock.
 */
export class Finder {
  readonly #nodes: NodeStore;
  readonly #usage: UsageStore;
  readonly #hints: Hints;

  constructor(nodes: NodeStore, usage: UsageStore, hints: Hints) {
    this.#nodes = nodes;
    this.#usage = usage;
    this.#hints = hints;
  }

  /** The chain of a node in whatever state, or null if it does not exist or hangs on nothing. */
  async byId(id: string): Promise<Chain | null> {
    return (await this.byIds([id])).get(id) ?? null;
  }

  /** Like `byId`, but a trashed node whose folder was deleted for good hangs on nothing and is found all the same. */
  async evenTrashed(id: string): Promise<Chain | null> {
    const chain = await this.byId(id);
    if (chain !== null) return chain;
    const node = (await this.#nodes.load([id])).get(id);
    return node?.trashedAt === undefined ? null : { node, ancestors: [] };
  }

  async byIds(ids: readonly string[]): Promise<Map<string, Chain>> {
    const docs = await this.#gather(ids);
    const chains = new Map<string, Chain>();
    for (const id of ids) {
      const chain = chainIn(docs, id);
      if (chain !== null) chains.set(id, chain);
    }
    return chains;
  }

  /** The root of an account's tree; made, with the usage document, when the account is first seen. */
  async root(accountId: string): Promise<Chain> {
    const found = (await this.#nodes.load([accountId])).get(accountId);
    return { node: found ?? (await this.#makeRoot(accountId)), ancestors: [] };
  }

  /** From the root on. `kind` is the last name's; without it a file goes before a folder. */
  async byPath(accountId: string, names: readonly string[], kind?: NodeKind): Promise<PathResult> {
    const last = names.length - 1;
    const sorts = names.map((name, i) => sortKey(name, i < last ? 'folder' : (kind ?? 'file')));
    const hinted = this.#hintedPath(accountId, sorts);
    const docs = await this.#nodes.load([accountId, ...hinted]);
    let node = docs.get(accountId) ?? (await this.#makeRoot(accountId));
    const above: NodeDoc[] = [];
    let depth = 0;
    for (const id of hinted) {
      const next = docs.get(id);
      const sort = sorts[depth] ?? '';
      if (next === undefined || !isLiveChild(next, node, sort)) {
        this.#hints.missed(node._id, sort);
        break;
      }
      above.unshift(node);
      node = next;
      depth++;
    }
    for (; depth < names.length; depth++) {
      const sort = sorts[depth] ?? '';
      const either = depth === last && kind === undefined ? [sort, `${sort}/`] : [sort];
      const found = await this.#nodes.lookup(node.ownerId, node._id, either);
      const next = found.find((doc) => doc.sort === sort) ?? found[0];
      if (next === undefined) break;
      this.#hints.saw(next);
      above.unshift(node);
      node = next;
    }
    return { chain: { node, ancestors: above }, missing: names.slice(depth) };
  }

  /**
   * The live child of a folder where a hint says there is one: found (in the round trip that fetches its parent), or
   * undefined, which says nothing. `parent` is a promise, since the child is asked for at the same time.
   */
  async hintedChild(
    parent: Promise<NodeDoc>,
    parentId: string | undefined,
    sort: string,
  ): Promise<NodeDoc | undefined> {
    const id = parentId === undefined ? undefined : this.#hints.childOf(parentId, sort);
    const [folder, docs] = await Promise.all([parent, id === undefined ? null : this.#nodes.load([id])]);
    const child = id === undefined ? undefined : docs?.get(id);
    if (child !== undefined && isLiveChild(child, folder, sort)) return child;
    if (id !== undefined && parentId !== undefined) this.#hints.missed(parentId, sort);
    return undefined;
  }

  /** The live child of that sort key, by asking. */
  async child(parent: NodeDoc, sort: string): Promise<NodeDoc | null> {
    const [found] = await this.#nodes.lookup(parent.ownerId, parent._id, [sort]);
    if (found !== undefined) this.#hints.saw(found);
    return found ?? null;
  }

  /** Where the hints think that a path of folders ends. */
  guessFolder(accountId: string, names: readonly string[]): string | undefined {
    const ids = this.#hintedPath(
      accountId,
      names.map((name) => sortKey(name, 'folder')),
    );
    return ids.length === names.length ? (ids.at(-1) ?? accountId) : undefined;
  }

  #hintedPath(accountId: string, sorts: readonly string[]): string[] {
    const ids: string[] = [];
    let parentId = accountId;
    for (const sort of sorts) {
      const id = this.#hints.childOf(parentId, sort);
      if (id === undefined) break;
      ids.push(id);
      parentId = id;
    }
    return ids;
  }

  async #gather(ids: readonly string[]): Promise<Map<string, NodeDoc>> {
    const docs = new Map<string, NodeDoc>();
    const asked = new Set<string>();
    let wanted = this.#withHintedParents(ids);
    for (let round = 0; wanted.length > 0; round++) {
      for (const id of wanted) asked.add(id);
      if (round === 0) {
        const found = await this.#nodes.load(wanted);
        for (const id of wanted) this.#take(docs, found.get(id));
      } else for (const doc of await this.#nodes.loadWithAncestors(wanted)) this.#take(docs, doc);
      wanted = unknownParents(docs, ids).filter((id) => !asked.has(id));
    }
    return docs;
  }

  #take(docs: Map<string, NodeDoc>, doc: NodeDoc | undefined): void {
    if (doc === undefined) return;
    docs.set(doc._id, doc);
    this.#hints.saw(doc);
  }

  #withHintedParents(ids: readonly string[]): string[] {
    const all = new Set<string>(ids);
    for (const id of ids) {
      let parentId = this.#hints.parentOf(id);
      while (parentId !== undefined && !all.has(parentId)) {
        all.add(parentId);
        parentId = this.#hints.parentOf(parentId);
      }
    }
    return [...all];
  }

  async #makeRoot(accountId: string): Promise<NodeDoc> {
    const root = rootNode(accountId, new Date());
    await Promise.all([this.#nodes.ensureRoot(root), this.#usage.ensure(accountId)]);
    return root;
  }
}

function isLiveChild(node: NodeDoc, parent: NodeDoc, sort: string): boolean {
  return node.live === true && node.parentId === parent._id && node.sort === sort && node.ownerId === parent.ownerId;
}

function chainIn(docs: ReadonlyMap<string, NodeDoc>, id: string): Chain | null {
  const node = docs.get(id);
  if (node === undefined) return null;
  const ancestors: NodeDoc[] = [];
  const seen = new Set([id]);
  let top = node;
  while (top.parentId !== null) {
    const parent = docs.get(top.parentId);
    if (parent === undefined || seen.has(parent._id) || parent.ownerId !== node.ownerId) return null;
    seen.add(parent._id);
    ancestors.push(parent);
    top = parent;
  }
  return { node, ancestors };
}

function unknownParents(docs: ReadonlyMap<string, NodeDoc>, ids: readonly string[]): string[] {
  const unknown = new Set<string>();
  const seen = new Set<string>();
  for (const id of ids) {
    let doc = docs.get(id);
    while (doc !== undefined && !seen.has(doc._id) && doc.parentId !== null) {
      seen.add(doc._id);
      if (!docs.has(doc.parentId)) unknown.add(doc.parentId);
      doc = docs.get(doc.parentId);
    }
  }
  return [...unknown];
}
