import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { changeGrants, getAccess } from '../operations/access.ts';
import { listShared } from '../operations/listings.ts';
import { record, type Tree } from '../operations/tree.ts';
import { callerOf, DEFAULT_PAGE } from './caller.ts';

export default function accessRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'getAccess', async ({ params }, request) =>
    getAccess(tree, callerOf(request), params.id),
  );

  serve(app, metadataContract, 'changeGrants', async ({ params, body }, request) => {
    const caller = callerOf(request);
    const { give, take, notify = false, preconditions } = body;
    const { chain, changed } = await changeGrants(tree, caller, params.id, { give, take, notify }, preconditions);
    return { node: record(caller.principal, chain, 'editor'), changed };
  });

  serve(app, metadataContract, 'listShared', async ({ query }, request) =>
    listShared(tree, callerOf(request), { limit: query.limit ?? DEFAULT_PAGE, cursor: query.cursor }),
  );
}
