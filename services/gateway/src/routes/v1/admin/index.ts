import { appError } from '@coffer/service-kit';
import type { App, Gateway } from '../../../gateway.ts';
import { accountActionRoutes } from './account-actions.ts';
import { accountRoutes } from './accounts.ts';
import { auditRoute } from './audit.ts';
import { jobRoutes } from './jobs.ts';
import { moneyRoutes } from './money.ts';
import { storeRoutes } from './store.ts';

/**
 * A scope of its own: no route in it can be reached without being an operator. An operator's API key is as good as a session here, so that
 * scripts need no password; a read-only one reads.
 */
export function adminRoutes(app: App, gateway: Gateway): void {
  app.addHook('onRequest', async (request) => {
    if (request.principal().role !== 'operator') throw appError('forbidden', 'This is for operators');
  });
  for (const routes of [accountRoutes, accountActionRoutes, storeRoutes, moneyRoutes, jobRoutes, auditRoute])
    routes(app, gateway);
}
