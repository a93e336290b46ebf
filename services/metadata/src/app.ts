import { setTimeout as sleep } from 'node:timers/promises';
import { blobContract, paymentContract } from '@coffer/contracts';
import { type App, appError, createApp, createClient, registerOps, type ServiceContext } from '@coffer/service-kit';
import type { Config } from './config.ts';
import { watchDeletedAccounts } from './events/account-deleted.ts';
import { watchLimits } from './events/limit-changed.ts';
import { assembleTree, type Patience } from './operations/assemble.ts';
import { reconcileLimits } from './operations/limits.ts';
import type { RenewBlobs, Tree } from './operations/tree.ts';
import accessRoutes from './routes/access.ts';
import folderRoutes from './routes/folders.ts';
import linkRoutes from './routes/links.ts';
import lookupRoutes from './routes/lookups.ts';
import nodeRoutes from './routes/nodes.ts';
import searchRoutes from './routes/search.ts';
import trashRoutes from './routes/trash.ts';
import usageRoutes from './routes/usage.ts';
import versionRoutes from './routes/versions.ts';
import writeRoutes from './routes/writes.ts';
import { type Database, openDatabase } from './store/mongo.ts';

export type ServiceConfig = Pick<Config, 'MONGODB_URL' | 'MONGODB_DATABASE' | 'FREE_LIMIT_BYTES' | 'MAX_VERSIONS'>;

export interface BuildOptions {
  patience?: Patience;
  /** A blob service at a fixed address, for tests without discovery. */
  blobAddress?: string;
  paymentAddress?: string;
}

export interface Built {
  app: App;
  tree: Tree;
  database: Database;
}

const MAX_DIGESTS = 10_000;
const LIMITS_EVERY_MS = 180_000;

/** The service as an app that does not listen yet; the context's shutdown ends what it opens. */
export function buildApp(ctx: ServiceContext, config: ServiceConfig, o: BuildOptions = {}): Built {
  const database = openDatabase({ url: config.MONGODB_URL, name: config.MONGODB_DATABASE, logger: ctx.logger });
  const { tree, background } = assembleTree(ctx, database, {
    freeLimitBytes: config.FREE_LIMIT_BYTES,
    maxVersions: config.MAX_VERSIONS,
    renewBlobs: blobRenewer(ctx, o.blobAddress),
    patience: o.patience ?? {},
  });
  const { shutdown } = ctx;
  watchDeletedAccounts(ctx, tree, () => database.isPrepared());
  watchLimits(ctx, tree, () => database.isPrepared());
  const starting = database.prepare(shutdown.signal).then(() => background.start());
  const reconciling = starting.then(() => reconcileForever(ctx, tree, o));
  shutdown.onPhase('queues', 'background work', async () => {
    await starting;
    await reconciling;
    await background.stopped();
    await tree.ledger.flush();
  });
  shutdown.onPhase('connections', 'database', () => database.close());

  const app = createApp(ctx);
  registerOps(app, ctx, { ready: { mongodb: () => database.ping() } });
  app.register((scope: App, _options, done) => {
    scope.addHook('onRequest', async () => {
      // The unique indexes are what keeps names unique, so nothing is done before they are there.
      if (!database.isPrepared()) throw appError('unavailable', 'The database does not answer at present');
    });
    for (const routes of [
      nodeRoutes,
      folderRoutes,
      versionRoutes,
      trashRoutes,
      searchRoutes,
      usageRoutes,
      accessRoutes,
      linkRoutes,
      lookupRoutes,
    ]) {
      routes(scope, tree);
    }
    writeRoutes(scope, tree, ctx);
    done();
  });
  return { app, tree, database };
}

/** What no event brought: an instance that was away for longer than the bus keeps them, a bus that lost them. */
async function reconcileForever(ctx: ServiceContext, tree: Tree, o: BuildOptions): Promise<void> {
  const { signal } = ctx.shutdown;
  const address = o.paymentAddress;
  const payment = createClient(ctx, paymentContract, address === undefined ? {} : { address });
  const everyMs = o.patience?.limitsEveryMs ?? LIMITS_EVERY_MS;
  while (!signal.aborted) {
    // By chance, so that instances that were started together do not ask together.
    await sleep(everyMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const applied = await reconcileLimits(tree, payment, { signal });
      if (applied) ctx.logger.info({ applied }, 'limits were changed that no event had brought');
    } catch (error) {
      if (!signal.aborted) ctx.logger.warn({ err: error }, 'limits could not be reconciled');
    }
  }
}

function blobRenewer(ctx: ServiceContext, address: string | undefined): RenewBlobs {
  const blobs = createClient(ctx, blobContract, address === undefined ? {} : { address });
  return async (digests, call) => {
    const missing: string[] = [];
    for (let i = 0; i < digests.length; i += MAX_DIGESTS) {
      const body = { digests: digests.slice(i, i + MAX_DIGESTS) };
      missing.push(...(await blobs.call('renew', { body }, call)).missing);
    }
    return missing;
  };
}
