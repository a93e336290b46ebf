/**
 * One at a time per key, in the order of arrival, within this process. It makes nothing correct (other instances do not
 * see it); it only keeps those who would collide anyway from wasting each other's work.
 */
export class Turns {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** `waited` tells the task that what was read before may be out of date. */
  async take<T>(key: string, task: (waited: boolean) => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const turn = before === undefined ? task(false) : before.then(() => task(true));
    const tail = turn.catch(() => undefined);
    this.#tails.set(key, tail);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
