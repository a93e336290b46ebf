import { createTestContext, listen, parseConfig } from '@coffer/service-kit';
import { buildApp } from '../src/app.ts';
import { ConfigSchema } from '../src/config.ts';

/**
 * A whole instance that is killed (SIGKILL, by itself) right before its n-th write. Its one argument is JSON: `{env, dieAt}`. Prints
 * its address when it is ready.
 */
interface Orders {
  env: Record<string, string>;
  dieAt: number;
}

const orders: Orders = JSON.parse(process.argv[2] ?? '');
const ctx = createTestContext('payment', orders.env);
const { app, money, isPrepared } = buildApp(ctx, parseConfig(ConfigSchema, orders.env));
let writes = 0;

function endanger(store: object, methods: string[]): void {
  const open = store as Record<string, (...args: unknown[]) => Promise<unknown>>; // To break it.
  for (const method of methods) {
    const whole = open[method]?.bind(open);
    if (whole === undefined) throw new Error(`there is no ${method}`);
    open[method] = async (...args) => {
      writes++;
      if (writes === orders.dieAt) process.kill(process.pid, 'SIGKILL');
      return await whole(...args);
    };
  }
}
endanger(money.payments, ['insert', 'transit', 'stepDone']);
endanger(money.subscriptions, ['replace']);
endanger(money.movements, ['append']);
const sandbox = money.providers.get('sandbox');
if (sandbox !== undefined) endanger(sandbox, ['initialize']);

const { url } = await listen(app, ctx);
while (!isPrepared()) await new Promise((resolve) => setTimeout(resolve, 5));
console.log(url);
