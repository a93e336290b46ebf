/** A map that forgets what was not used for longest once it holds `max` entries. */
export class Lru<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  get size(): number {
    return this.#entries.size;
  }
}

/**
 * Where nodes were last seen. A hint is never an answer: it only says what to fetch together, and what came back is
 * checked. So hints may be wrong in any way, and another instance's changes need not be told.
 */
export class Hints {
  readonly #children: Lru<string, string>;
  readonly #parents: Lru<string, string>;

  constructor(max: number) {
    this.#children = new Lru(max);
    this.#parents = new Lru(max);
  }

  childOf(parentId: string, sort: string): string | undefined {
    return this.#children.get(`${parentId}/${sort}`);
  }

  parentOf(id: string): string | undefined {
    return this.#parents.get(id);
  }

  saw(node: { _id: string; parentId: string | null; sort: string; live?: true }): void {
    if (node.parentId === null) return;
    this.#parents.set(node._id, node.parentId);
    if (node.live) this.#children.set(`${node.parentId}/${node.sort}`, node._id);
  }

  get size(): number {
    return this.#children.size;
  }

  missed(parentId: string, sort: string): void {
    this.#children.delete(`${parentId}/${sort}`);
  }
}
