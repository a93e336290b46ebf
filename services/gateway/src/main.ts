import { authContract, blobContract, metadataContract, paymentContract, workerContract } from '@coffer/contracts';
import { createApp, createClient, createService, listen, registerOps } from '@coffer/service-kit';
import { createGatewayApp } from './app.ts';
import { createApiKeyVerifier } from './auth/api-keys.ts';
import { createRevocations } from './auth/revocations.ts';
import { createTokenVerifier } from './auth/tokens.ts';
import { watchRevocations } from './auth/watch-revocations.ts';
import { readConfig } from './config.ts';
import { createSessionKeys } from './dialects/common/sessions.ts';
import { createNodeReader } from './downloads/node-reader.ts';
import { createSmallBlobs } from './downloads/small-blobs.ts';
import { createLinkTransfers } from './links/transfers.ts';
import { readyChecks } from './routes/health.ts';
import { createLeaveBook } from './uploads/leave.ts';
import { createWrites } from './uploads/writes.ts';

const config = readConfig();
const ctx = await createService({ service: 'gateway', config });
const auth = createClient(ctx, authContract);
const metadata = createClient(ctx, metadataContract);
const blob = createClient(ctx, blobContract);
const payment = createClient(ctx, paymentContract);
const worker = createClient(ctx, workerContract);

const revocations = createRevocations();
const revocationsRead = watchRevocations(ctx, auth, revocations);
const tokens = createTokenVerifier({
  revocations,
  // A gateway that just started knows no ended sessions: no token is honoured before it does.
  loadKeys: async () => {
    await revocationsRead;
    return (await auth.call('getKeySet', {})).keys;
  },
});
const apiKeys = createApiKeyVerifier({
  revocations,
  ask: (keyId, secret) => auth.call('verifyKey', { body: { keyId, secret } }),
});
const sessionKeys = createSessionKeys({
  revocations,
  ask: (key, door) => auth.call('verifySessionKey', { body: { key, door } }),
});

const gateway = {
  ctx,
  config,
  auth,
  metadata,
  blob,
  payment,
  worker,
  tokens,
  apiKeys,
  sessionKeys,
  nodes: createNodeReader(metadata),
  leave: createLeaveBook(),
  linkTransfers: createLinkTransfers(ctx, metadata),
  writes: createWrites(ctx, blob, metadata),
  smallBlobs: createSmallBlobs(config.BLOB_CACHE_BYTES),
};
ctx.metrics.gauge('small_blobs_bytes', 'Memory for small blobs that were read lately', gateway.smallBlobs.sizeBytes);
const ready = readyChecks(ctx);
const isReady = async (): Promise<boolean> => {
  if (ctx.shutdown.signal.aborted) return false;
  const outcomes = await Promise.allSettled(Object.values(ready).map((check) => check()));
  return outcomes.every(({ status }) => status === 'fulfilled');
};

const internalApp = createApp(ctx);
registerOps(internalApp, ctx, { ready });
await listen(internalApp, ctx);
const publicApp = await createGatewayApp(ctx, gateway, isReady);
await listen(publicApp, ctx, { host: config.HOST, port: config.PORT });
