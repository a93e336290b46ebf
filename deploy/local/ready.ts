import { setTimeout as delay } from 'node:timers/promises';

const TIMEOUT_MS = 60_000;
const ASK_EVERY_MS = 100;
const ANSWER_WITHIN_MS = 5_000;

/** Asks `GET <url>/readyz` until it answers 200; rejects after a minute with what the last answer said. */
export async function waitUntilReady(url: string, signal?: AbortSignal, timeoutMs = TIMEOUT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = 'no answer';
  while (performance.now() < deadline) {
    signal?.throwIfAborted();
    try {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      const body = await response.text();
      if (response.ok) return;
      last = `${response.status} ${body}`;
    } catch (error) {
      last = error instanceof Error ? String(error.cause ?? error.message) : String(error);
    }
    await delay(ASK_EVERY_MS);
  }
  throw new Error(`the gateway at ${url} listens but was not ready in ${timeoutMs / 1000} s: ${last}`);
}
