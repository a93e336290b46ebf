import type { App } from './app.ts';
import type { ServiceContext } from './context.ts';

const CHECK_TIMEOUT_MS = 2_000;

export type ReadyChecks = Record<string, () => Promise<void>>;

/**
 * `/healthz`: this process answers. `/readyz`: what it cannot work without is reachable (each check has two seconds);
 * 503 names what is not. `/metrics` on internal apps only: it tells more than the public should know.
 */
export function registerOps(app: App, ctx: ServiceContext, o: { ready: ReadyChecks }): void {
  app.get('/healthz', { config: { op: 'ops.healthz' } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { config: { op: 'ops.readyz' } }, async (_request, reply) => {
    const checks = await runChecks(o.ready, ctx);
    const ready = !ctx.shutdown.signal.aborted && Object.values(checks).every((one) => one === 'ok');
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
  });
  if (!app.internal) return;
  app.get('/metrics', { config: { op: 'ops.metrics' } }, async (_request, reply) => {
    const text = await ctx.metrics.text();
    return reply
      .header('content-type', ctx.metrics.contentType)
      .serializer((payload: string) => payload)
      .send(text);
  });
}

async function runChecks(checks: ReadyChecks, ctx: ServiceContext): Promise<Record<string, 'ok' | 'failed'>> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      let timer: NodeJS.Timeout | undefined;
      try {
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
        });
        await Promise.race([check(), late]);
        return [name, 'ok'] as const;
      } catch (error) {
        ctx.logger.warn({ err: error, check: name }, 'not ready');
        return [name, 'failed'] as const;
      } finally {
        clearTimeout(timer);
      }
    }),
  );
  return Object.fromEntries(results);
}
