/**
 * Many at once is cheaper than one by one: what arrives while a batch is in flight goes together in the next. No timer
 * waits, so an idle store is written to at once.
 */
export interface Batcher<I, O> {
  /** Resolves with this item's own result, rejects with its own error (or the batch's, if `run` threw). */
  add(item: I): Promise<O>;
  /** Items that wait for a batch, those in flight not counted. */
  size(): number;
}

interface Waiting<I, O> {
  item: I;
  resolve: (value: O) => void;
  reject: (error: unknown) => void;
}

/**
 * `run` gets 1 to `maxItems` items and answers one result or Error for each, in order. At most `concurrency` batches
 * are in flight (default 1).
 */
export function createBatcher<I, O>(o: {
  run: (items: I[]) => Promise<(O | Error)[]>;
  maxItems: number;
  concurrency?: number;
}): Batcher<I, O> {
  const { run, maxItems, concurrency = 1 } = o;
  let waiting: Waiting<I, O>[] = [];
  let inFlight = 0;
  let scheduled = false;

  const schedule = (): void => {
    if (scheduled || inFlight >= concurrency || waiting.length === 0) return;
    scheduled = true;
    // After the current turn: what the same turn adds goes along.
    queueMicrotask(() => {
      scheduled = false;
      while (inFlight < concurrency && waiting.length > 0) {
        const batch = waiting.length <= maxItems ? waiting : waiting.slice(0, maxItems);
        waiting = waiting.length <= maxItems ? [] : waiting.slice(maxItems);
        inFlight++;
        void flush(batch).finally(() => {
          inFlight--;
          schedule();
        });
      }
    });
  };

  const flush = async (batch: Waiting<I, O>[]): Promise<void> => {
    let results: (O | Error)[];
    try {
      results = await run(batch.map((one) => one.item));
      if (results.length !== batch.length) throw new Error(`${results.length} results for ${batch.length} items`);
    } catch (error) {
      for (const one of batch) one.reject(error);
      return;
    }
    for (const [i, one] of batch.entries()) {
      const result = results[i];
      if (result instanceof Error) one.reject(result);
      // The lengths are equal, so undefined here is a result that O allows.
      else one.resolve(result as O);
    }
  };

  return {
    add: (item) =>
      new Promise<O>((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        schedule();
      }),
    size: () => waiting.length,
  };
}
