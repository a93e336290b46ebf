import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import type { Tree } from '../operations/tree.ts';
import { getTotals, getUsage, recount, setLimit } from '../operations/usage.ts';

export default function usageRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'getUsage', async ({ params }, request) =>
    getUsage(tree, request.principal(), params.accountId),
  );

  serve(app, metadataContract, 'setLimit', async ({ params, body }, request) =>
    setLimit(tree, request.principal(), params.accountId, body.limitBytes),
  );

  serve(app, metadataContract, 'getTotals', async (_input, request) => getTotals(tree, request.principal()));

  serve(app, metadataContract, 'recount', async ({ params, body }, request) =>
    recount(tree, request.principal(), params.accountId, body.repair),
  );
}
