import { blobContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import { parseTime } from '../domain/time.ts';
import type { BlobDriver, BlobEntry } from '../store/driver.ts';

const DEFAULT_PAGE = 1000;

export function readRoutes(app: App, { store }: { store: BlobDriver }): void {
  serve(app, blobContract, 'get', async ({ params, query }, request, reply) => {
    const { lengthBytes, body } = await store.open(params.digest, query);
    if (Buffer.isBuffer(body)) {
      reply.header('content-type', 'application/octet-stream').header('content-length', lengthBytes).send(body);
      return;
    }
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': lengthBytes });
    try {
      await body(raw);
      raw.end();
    } catch (error) {
      // The head has left: a broken connection is the only way to say that these are not all the bytes.
      request.log.error({ err: error, digest: params.digest }, 'a blob could not be read to its end');
      raw.destroy();
    }
  });

  serve(app, blobContract, 'stat', async ({ params }) => {
    const found = await store.stat(params.digest);
    if (found === null) throw appError('not_found', 'There is no such blob');
    return shown(found);
  });

  serve(app, blobContract, 'list', async ({ query }) => {
    const { cursor: after, limit = DEFAULT_PAGE, touchedBefore } = query;
    const before = touchedBefore === undefined ? undefined : parseTime(touchedBefore, 'touchedBefore');
    const { items, nextCursor } = await store.list({ after, limit, touchedBefore: before });
    return { items: items.map(shown), nextCursor };
  });
}

function shown(entry: BlobEntry) {
  return { digest: entry.digest, sizeBytes: entry.sizeBytes, touchedAt: entry.touchedAt.toISOString() };
}
