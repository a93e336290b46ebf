/** A process of the service `shop`, for tests that kill and restart instances. */
import { BaseConfig, createApp, createService, listen, loadConfig, registerOps, serve } from '../src/index.ts';
import { shopContract, sleep } from './helpers.ts';

const ctx = await createService({ service: 'shop', config: loadConfig(BaseConfig, process.env) });
const app = createApp(ctx);
registerOps(app, ctx, { ready: { nats: () => ctx.bus.ping() } });
serve(app, shopContract, 'get', async ({ params }) => {
  if (params.id === 'slow') await sleep(600);
  return { id: ctx.instance, count: process.pid };
});
serve(app, shopContract, 'create', async ({ body }) => ({ id: ctx.instance, count: body.count }));
for (const phase of ['leave', 'drain', 'queues', 'connections'] as const) {
  ctx.shutdown.onPhase(phase, 'told', () => {
    if (process.connected) process.send?.({ type: 'phase', phase });
    if (process.env.FAIL_PHASE === phase) throw new Error('as the test asked');
    return process.env.HANG_PHASE === phase ? new Promise<void>(() => {}) : undefined;
  });
}
await listen(app, ctx);
