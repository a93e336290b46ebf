import { setTimeout as sleep } from 'node:timers/promises';
import { appError } from '@coffer/service-kit';

const MAX_ATTEMPTS = 60;
const MAX_MS = 8_000;

/**
 * Tries a conditional change again while another one came between: `attempt` answers undefined for that. Waits a little
 * longer each time, by chance, so that racers part. Throws 409 `busy` when it never gets through.
 */
export async function untilDone<T>(attempt: (n: number) => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + MAX_MS;
  for (let n = 0; n < MAX_ATTEMPTS && Date.now() < until; n++) {
    const result = await attempt(n);
    if (result !== undefined) return result;
    if (n > 0) await sleep(Math.random() * Math.min(2 ** n, 100));
  }
  throw appError('busy', 'Too many others are changing the same thing');
}
