import type { NodeDoc } from '../domain/node.ts';

/** How much one request looks through when nearly all that is found is not for the caller; the cursor goes on from there. */
const MAX_ROUNDS = 10;

export interface Sifted<T> {
  items: T[];
  /** The last one that was looked at, null at the end of the list. */
  last: NodeDoc | null;
}

/**
 * A page of an ordered list of which only some items count: reads on behind those that do not until the page is full.
 * `pick` answers null for what is left out. A page may still be shorter than `limit` and not be the last.
 */
export async function sift<T>(
  limit: number,
  read: (after: NodeDoc | null, count: number) => Promise<NodeDoc[]>,
  pick: (nodes: NodeDoc[]) => Promise<(T | null)[]>,
): Promise<Sifted<T>> {
  const items: T[] = [];
  let last: NodeDoc | null = null;
  for (let round = 0; round < MAX_ROUNDS && items.length < limit; round++) {
    const wanted = limit - items.length;
    // One more than wanted, which only tells that there is more.
    const found = await read(last, wanted + 1);
    const looked = found.slice(0, wanted);
    for (const item of await pick(looked)) if (item !== null) items.push(item);
    last = looked.at(-1) ?? null;
    if (found.length <= wanted) return { items, last: null };
  }
  return { items, last };
}
