import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { copyNode } from '../operations/copy.ts';
import { listChildren, resolveMany } from '../operations/read.ts';
import { deleteNode, restoreNode } from '../operations/trash.ts';
import { demandSeen, find, lookUp, record, type Tree } from '../operations/tree.ts';
import { updateNode } from '../operations/update.ts';
import { callerOf, DEFAULT_PAGE } from './caller.ts';

export default function nodeRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'resolve', async ({ body }, request) => {
    const caller = callerOf(request);
    const { ref, tellHidden } = body;
    const chain =
      tellHidden === true
        ? demandSeen(caller, await lookUp(tree, caller.principal.accountId, ref))
        : await find(tree, caller, ref, 'read');
    return record(caller.principal, chain);
  });

  serve(app, metadataContract, 'resolveMany', async ({ body }) => ({
    answers: await resolveMany(tree, body.questions),
  }));

  serve(app, metadataContract, 'listChildren', async ({ params, query }, request) => {
    const caller = callerOf(request);
    return await listChildren(tree, caller, params.id, query.limit ?? DEFAULT_PAGE, query.cursor);
  });

  serve(app, metadataContract, 'updateNode', async ({ params, body }, request) => {
    const caller = callerOf(request);
    const { preconditions, ...changes } = body;
    return record(caller.principal, await updateNode(tree, caller, params.id, changes, preconditions), 'editor');
  });

  serve(app, metadataContract, 'deleteNode', async ({ body }, request) => {
    await deleteNode(tree, callerOf(request), body.ref, body.permanent, body.preconditions);
    return undefined;
  });

  serve(app, metadataContract, 'restoreNode', async ({ params }, request) => {
    const caller = callerOf(request);
    return record(caller.principal, await restoreNode(tree, caller, params.id));
  });

  serve(app, metadataContract, 'copyNode', async ({ params, body }, request) => {
    const caller = callerOf(request);
    const { chain, pending } = await copyNode(tree, caller, params.id, body);
    return { node: record(caller.principal, chain), pending };
  });
}
