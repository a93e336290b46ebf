import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import type { App } from './app.ts';
import type { ServiceContext } from './context.ts';

// Others hear that this instance leaves before its port closes.
const LEAVE_GRACE_MS = 150;
const IDLE_SWEEP_MS = 50;
const DRAIN_MS = 7_000;

/**
 * Listens (on SERVICE_HOST:SERVICE_PORT unless told otherwise), makes an internal app known to the other services,
 * tells the parent process the URL, and puts the app into the shutdown: in-flight requests end, for some seconds.
 */
export async function listen(
  app: App,
  ctx: ServiceContext,
  o?: { host: string; port: number },
): Promise<{ url: string }> {
  const { SERVICE_HOST, SERVICE_PORT, ADVERTISE_HOST } = ctx.config;
  const host = o?.host ?? SERVICE_HOST;
  await app.listen({ host, port: o?.port ?? SERVICE_PORT });
  const { port } = app.server.address() as AddressInfo; // A TCP listener has no other kind of address.
  const url = `http://${bracketed(host)}:${port}`;
  if (app.internal) {
    const reachable = ADVERTISE_HOST ?? (isAnyAddress(host) ? hostname() : host);
    ctx.bus.fleet.advertise({ version: ctx.version, address: `http://${bracketed(reachable)}:${port}` });
    ctx.shutdown.onPhase('leave', 'grace', async () => {
      if (ctx.bus.connected()) await new Promise((resolve) => setTimeout(resolve, LEAVE_GRACE_MS));
    });
  }
  ctx.shutdown.onPhase('drain', `listener ${url}`, () => drain(app, ctx));
  if (process.connected) process.send?.({ type: 'listening', url, ...(app.internal ? {} : { public: true }) });
  return { url };
}

/** Closes the app; a connection whose request ended meanwhile is closed too, and after the deadline every one. */
async function drain(app: App, ctx: ServiceContext): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
  const deadline = setTimeout(() => {
    ctx.logger.warn('requests are still in flight; their connections are closed');
    app.server.closeAllConnections();
  }, DRAIN_MS);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(deadline);
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
