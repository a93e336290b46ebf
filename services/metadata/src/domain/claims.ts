/**
 * What writes of this process that are under way are about to take. It makes nothing correct (other instances do not see
 * it); it only keeps those who choose at the same moment from choosing the same.
 */
export class Claims {
  readonly #claimed = new Set<string>();

  /** Claims the first of the keys that nobody claims; undefined where there is none. */
  take(keys: readonly string[]): string | undefined {
    const key = keys.find((one) => !this.#claimed.has(one));
    if (key !== undefined) this.#claimed.add(key);
    return key;
  }

  release(key: string): void {
    this.#claimed.delete(key);
  }
}
