import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { listFiles, listPublished } from '../operations/listings.ts';
import { findByIdentifier, findByNumber, numberNodes } from '../operations/lookups.ts';
import { record, type Tree } from '../operations/tree.ts';
import { callerOf, DEFAULT_PAGE } from './caller.ts';

export default function lookupRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'listFiles', async ({ query }, request) =>
    listFiles(tree, callerOf(request), { limit: query.limit ?? DEFAULT_PAGE, cursor: query.cursor }),
  );

  serve(app, metadataContract, 'listPublished', async ({ query }, request) => {
    const { limit = DEFAULT_PAGE, cursor, ownerId } = query;
    return await listPublished(tree, callerOf(request), { limit, cursor, ownerId });
  });

  serve(app, metadataContract, 'numberNodes', async ({ body }, request) => ({
    numbers: await numberNodes(tree, callerOf(request), body.ids),
  }));

  serve(app, metadataContract, 'findByNumber', async ({ params }, request) => {
    const caller = callerOf(request);
    return record(caller.principal, await findByNumber(tree, caller, params.number));
  });

  serve(app, metadataContract, 'findByIdentifier', async ({ body }, request) => {
    const caller = callerOf(request);
    return record(caller.principal, await findByIdentifier(tree, caller, body.identifier));
  });
}
