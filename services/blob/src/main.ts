import { createService, listen } from '@coffer/service-kit';
import { buildApp } from './app.ts';
import { readConfig } from './config.ts';
import { startScrub } from './scrub.ts';
import { openDiskDriver } from './store/disk/disk-driver.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const config = readConfig();
const ctx = await createService({ service: 'blob', config });
const store = await openDiskDriver({
  blobDir: config.BLOB_DIR,
  floorBytes: config.BLOB_FREE_FLOOR_BYTES,
  instance: ctx.instance,
  log: ctx.logger,
});
const scrub = startScrub({
  store,
  log: ctx.logger,
  instance: ctx.instance,
  periodMs: config.SCRUB_PERIOD_DAYS * DAY_MS,
  maxBytesPerSecond: config.SCRUB_MAX_BYTES_PER_SECOND,
});
ctx.shutdown.onPhase('queues', 'scrub', () => scrub.stop());
ctx.shutdown.onPhase('connections', 'store', () => store.close());
await listen(buildApp(ctx, { store, scrub }), ctx);
