/** Runs actions one after another; an action that fails holds nobody up. */
export function makeQueue(): <T>(action: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(action: () => Promise<T>): Promise<T> => {
    const mine = last.then(action, action);
    last = mine.catch(() => {});
    return mine;
  };
}

const mostAtOnce = 8;

/**
 * Runs second attempts of writes that met others: one at a time as long as they still meet (side by side they would only go on losing),
 * and more with each one that does not. `isLost` says whether a result or an error is another defeat.
 */
export class RetryQueue {
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #atOnce = 1;

  async run<T>(action: () => Promise<T>, isLost: (outcome: unknown) => boolean): Promise<T> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      const result = await action();
      this.#learn(isLost(result));
      return result;
    } catch (error) {
      this.#learn(isLost(error));
      throw error;
    } finally {
      this.#running--;
      this.#next();
    }
  }

  #learn(lost: boolean): void {
    this.#atOnce = lost ? 1 : Math.min(this.#atOnce + 1, mostAtOnce);
  }

  #next(): void {
    while (this.#running < this.#atOnce) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#running++;
      next();
    }
    // The next time begins with care.
    if (this.#running === 0) this.#atOnce = 1;
  }
}
