import { type App, createApp, registerOps, type ServiceContext } from '@coffer/service-kit';
import { careRoutes } from './routes/care.ts';
import { putRoutes } from './routes/put.ts';
import { putManyRoute } from './routes/put-many.ts';
import { readRoutes } from './routes/read.ts';
import type { Scrub } from './scrub.ts';
import type { BlobDriver } from './store/driver.ts';

export interface AppParts {
  readonly store: BlobDriver;
  readonly scrub: Pick<Scrub, 'oldestCheckAt' | 'damaged'>;
}

/** The blob service over any store. Tests use it without listening. */
export function buildApp(ctx: ServiceContext, parts: AppParts): App {
  const app = createApp(ctx);
  registerOps(app, ctx, { ready: { store: () => parts.store.ready() } });
  putRoutes(app, parts);
  putManyRoute(app, ctx, parts);
  readRoutes(app, parts);
  careRoutes(app, parts);

  const { scrub } = parts;
  ctx.metrics.gauge('blob_scrub_damaged', 'Damaged blobs the scrub has found since the store was made', scrub.damaged);
  ctx.metrics.gauge(
    'blob_oldest_check_age_seconds',
    'No stored byte was last compared with its digest longer ago; -1 until the first pass is over',
    () => {
      const oldest = scrub.oldestCheckAt();
      return oldest === null ? -1 : Math.max(0, (Date.now() - oldest.getTime()) / 1000);
    },
  );
  return app;
}
