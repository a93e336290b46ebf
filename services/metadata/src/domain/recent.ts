import { Lru } from './hints.ts';

/**
 * What was found to be so a moment ago. For questions whose answer is judged again before anything is done: there a yes
 * that is out of date does no harm, and a no is never remembered.
 */
export class Recent<V> {
  readonly #entries = new Lru<string, { value: V; until: number }>(10_000);
  readonly #forMs: number;

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.until < performance.now() ? undefined : entry.value;
  }

  saw(key: string, value: V): void {
    this.#entries.set(key, { value, until: performance.now() + this.#forMs });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  forgetAll(): void {
    this.#entries.clear();
  }
}
