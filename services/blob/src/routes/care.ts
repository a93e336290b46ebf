import { blobContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import { parseTime } from '../domain/time.ts';
import type { Scrub } from '../scrub.ts';
import type { BlobDriver } from '../store/driver.ts';

export function careRoutes(
  app: App,
  { store, scrub }: { store: BlobDriver; scrub: Pick<Scrub, 'oldestCheckAt'> },
): void {
  serve(app, blobContract, 'renew', async ({ body }) => ({ missing: await store.renew(body.digests) }));

  serve(app, blobContract, 'removeUntouched', async ({ params, query }) => {
    const touchedBefore = parseTime(query.touchedBefore, 'touchedBefore');
    return { outcome: await store.removeUntouched(params.digest, touchedBefore) };
  });

  serve(app, blobContract, 'quarantine', async ({ params }) => {
    if (!(await store.quarantine(params.digest))) throw appError('not_found', 'There is no such blob');
    return undefined;
  });

  serve(app, blobContract, 'verify', async ({ params }, request) => {
    const outcome = await store.verify(params.digest, request.signal);
    if (outcome === 'absent') throw appError('not_found', 'There is no such blob');
    if (outcome === 'unreadable') throw appError('internal', 'The blob cannot be read');
    return { intact: outcome === 'intact' };
  });

  serve(app, blobContract, 'status', async () => ({
    ...(await store.status()),
    oldestCheckAt: scrub.oldestCheckAt()?.toISOString() ?? null,
  }));
}
