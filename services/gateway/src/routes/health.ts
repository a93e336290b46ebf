import { authContract, blobContract, metadataContract } from '@coffer/contracts';
import { appError, type ServiceContext } from '@coffer/service-kit';
import { request } from 'undici';
import type { App } from '../gateway.ts';

type ReadyChecks = Record<string, () => Promise<void>>;

const TIMEOUT_MS = 1_500;

/** What the gateway cannot work without: of each service one instance that is ready itself. */
export function readyChecks(ctx: ServiceContext): ReadyChecks {
  const services = [authContract, metadataContract, blobContract].map(({ service }) => service);
  // Begins to look for them.
  for (const service of services) ctx.bus.discover(service);
  return Object.fromEntries(services.map((service) => [service, () => anyReady(ctx, service)]));
}

async function anyReady(ctx: ServiceContext, service: string): Promise<void> {
  const instances = ctx.bus.discover(service);
  if (instances.length === 0) throw new Error(`no instance of ${service} is known`);
  await Promise.any(instances.map(({ address }) => askReady(`${address}/readyz`, ctx.internalSecret)));
}

async function askReady(url: string, secret: string): Promise<void> {
  const { statusCode, body } = await request(url, {
    headers: { 'x-coffer-secret': secret },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`${url} answers ${statusCode}`);
}

/** For load balancers outside: whether, but not why. */
export function healthRoutes(app: App, isReady: () => Promise<boolean>): void {
  app.get('/healthz', { config: { op: 'ops.healthz' }, schema: { hide: true } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { config: { op: 'ops.readyz' }, schema: { hide: true } }, async () => {
    if (!(await isReady())) throw appError('unavailable', undefined, { headers: { 'retry-after': '2' } });
    return { status: 'ready' };
  });
}
