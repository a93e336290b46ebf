import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { toRecord } from '../domain/node.ts';
import { emptyTrash, listTrash } from '../operations/trash.ts';
import type { Tree } from '../operations/tree.ts';
import { callerOf, DEFAULT_PAGE } from './caller.ts';

export default function trashRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'listTrash', async ({ query }, request) => {
    const page = await listTrash(tree, callerOf(request), query.limit ?? DEFAULT_PAGE, query.cursor);
    return { items: page.items.map((node) => toRecord(node, 'owner')), nextCursor: page.nextCursor };
  });

  serve(app, metadataContract, 'emptyTrash', async (_input, request) => {
    await emptyTrash(tree, callerOf(request));
    return undefined;
  });
}
