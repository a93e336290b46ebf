import { setTimeout as sleep } from 'node:timers/promises';
import { isRoot, type NodeDoc } from '../domain/node.ts';
import type { UsageDoc } from '../domain/usage.ts';
import { fillFolder } from './copy.ts';
import { doom } from './doom.ts';
import { removeSome } from './removal.ts';
import type { Tree } from './tree.ts';

const PAGE = 500;
const CHILD_PAGES_PER_VISIT = 4;
const RETRY_MS = 1_000;
const FIRST_LOOK_AGAIN_MS = 500;

/**
 * Work that nobody waits for: purging what was deleted for good, emptying the trash, filling copies, settling what a
 * crash left open. Any instance does it, several at once do no harm, and nothing is lost when one dies in between: all
 * of it is found through the database.
 */
export class Background {
  readonly #tree: Tree;
  readonly #everyMs: number;
  readonly #signal: AbortSignal;
  #wake: (() => void) | undefined;
  #woken = false;
  #running: Promise<void> | undefined;

  constructor(tree: Tree, signal: AbortSignal, o: { everyMs?: number } = {}) {
    this.#tree = tree;
    this.#signal = signal;
    this.#everyMs = o.everyMs ?? 2_000;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There is something to do: at once instead of at the next pass. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stopped(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      this.#woken = false;
      await backgroundPass(this.#tree, this.#signal).catch((error: unknown) => {
        this.#tree.logger.warn({ err: error }, 'background work was interrupted');
      });
      if (!this.#woken) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const awake = new AbortController();
    this.#wake = () => awake.abort();
    await sleep(this.#everyMs, undefined, { signal: AbortSignal.any([awake.signal, this.#signal]) }).catch(
      () => undefined,
    );
    this.#wake = undefined;
  }
}

/** Everything that is due now, once. */
export async function backgroundPass(tree: Tree, signal?: AbortSignal): Promise<void> {
  await tree.sweeper.sweep(signal);
  await tree.links.purge();
  for (const usage of await tree.usage.emptying(50)) {
    if (signal?.aborted) return;
    await emptySome(tree, usage, 20);
  }
  for (const { _id } of await tree.usage.removing(50)) {
    if (signal?.aborted) return;
    await removeSome(tree, _id, 20);
  }
  while (!signal?.aborted) {
    const due = await tree.graveyard.due(PAGE);
    if (due.length === 0) return;
    await purge(
      tree,
      due.filter(({ doomedAt }) => doomedAt !== undefined),
    );
    for (const folder of due.filter(({ fill }) => fill !== undefined)) {
      if (signal?.aborted) return;
      await fillFolder(tree, folder);
    }
    // Whoever is waiting goes before bulk work.
    await sleep(1);
  }
}

/** Dooms up to `pages` of what the emptied trash holds; the mark goes when nothing is left. */
export async function emptySome(tree: Tree, usage: UsageDoc, pages: number): Promise<void> {
  const { _id: accountId, emptyBefore } = usage;
  if (emptyBefore === undefined) return;
  for (let i = 0; i < pages; i++) {
    const nodes = await tree.lists.trashedUntil(accountId, emptyBefore, PAGE);
    if (nodes.length === 0) {
      await tree.usage.update(accountId, { $unset: { emptyBefore: '' } }, { emptyBefore });
      return;
    }
    await doom(tree, nodes);
  }
}

/**
 * Removes doomed files at once. Doomed folders first pass their doom on to their children, and stay for as long as a
 * write that saw them alive might still put a child into them. Until then their children are looked for again and again,
 * at twice the age each time: most late children come within moments, and the space they take is given back as soon.
 * (After that it needs no tombstone: a chain that ends in nothing is as little there as one that ends in a doomed folder.
 * But a deleted account's root stays: where there is none, one would be made.)
 */
async function purge(tree: Tree, doomed: readonly NodeDoc[]): Promise<void> {
  const removable: NodeDoc[] = [];
  for (const node of doomed) {
    if (node.kind === 'file') {
      removable.push(node);
      continue;
    }
    const ageMs = Date.now() - (node.doomedAt?.getTime() ?? 0);
    if (!(await doomChildren(tree, node))) continue;
    if (ageMs >= tree.lateChildMs) {
      if (isRoot(node)) await tree.graveyard.rest(node._id);
      else removable.push(node);
    } else {
      const waitMs = Math.min(Math.max(ageMs, FIRST_LOOK_AGAIN_MS), tree.lateChildMs - ageMs);
      await tree.graveyard.lookAgain([node._id], new Date(Date.now() + waitMs));
    }
  }
  // Before the nodes, so that a crash between the two leaves none of them.
  await tree.links.dropOfNodes(removable.map(({ _id }) => _id));
  for (const [ownerId, ids] of byOwner(removable)) {
    const removed = await tree.graveyard.remove(ownerId, ids);
    // Somebody's write to them is not settled yet, or another instance is at it.
    if (removed < ids.length) await tree.graveyard.lookAgain(ids, new Date(Date.now() + RETRY_MS));
  }
}

/** False where there are more children than one visit takes; the folder stays due then. */
async function doomChildren(tree: Tree, folder: NodeDoc): Promise<boolean> {
  for (let i = 0; i < CHILD_PAGES_PER_VISIT; i++) {
    const children = await tree.graveyard.liveChildren(folder.ownerId, folder._id, PAGE);
    if (children.length === 0) return true;
    await doom(tree, children);
  }
  return false;
}

function byOwner(nodes: readonly NodeDoc[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { ownerId, _id } of nodes) {
    const ids = groups.get(ownerId);
    if (ids === undefined) groups.set(ownerId, [_id]);
    else ids.push(_id);
  }
  return groups;
}
