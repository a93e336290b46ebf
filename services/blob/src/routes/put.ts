import type { IncomingMessage } from 'node:http';
import { blobContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { announcedSize } from '../domain/expectations.ts';
import type { BlobDriver } from '../store/driver.ts';

// The senders are the other services, which stop as soon as they have read the answer; on a busy machine they send much until then.
const LINGER_BYTES = 256 * 1024 * 1024;
const LINGER_MS = 5_000;
const LOOK_EVERY_MS = 25;

export function putRoutes(app: App, { store }: { store: BlobDriver }): void {
  serve(app, blobContract, 'put', async ({ query }, request) => {
    const { raw } = request;
    try {
      const sizeBytes = announcedSize(query, contentLength(raw));
      return await store.put(raw, { ...query, sizeBytes }, { signal: request.signal, disposable: true });
    } catch (error) {
      linger(raw);
      throw error;
    }
  });
}

function contentLength(raw: IncomingMessage): number | undefined {
  const value = raw.headers['content-length'];
  return value === undefined ? undefined : Number(value); // Node's parser lets only digits through.
}

/**
 * After a refusal the sender may still be sending. Closing at once would reset the connection and take the answer with
 * it; reading to the end could take for ever. So a little more is read, and then the connection closed.
 */
function linger(raw: IncomingMessage): void {
  if (raw.complete || raw.destroyed) return;
  const { socket } = raw;
  const readBefore = socket.bytesRead;
  const endsAtMs = performance.now() + LINGER_MS;
  raw.resume();
  const look = setInterval(() => {
    const over = socket.bytesRead - readBefore > LINGER_BYTES || performance.now() > endsAtMs;
    if (!raw.complete && !socket.destroyed && !over) return;
    clearInterval(look);
    if (!raw.complete) socket.destroy();
  }, LOOK_EVERY_MS);
}
