import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { toRecord } from '../domain/node.ts';
import { searchByName } from '../operations/search.ts';
import type { Tree } from '../operations/tree.ts';
import { callerOf, DEFAULT_PAGE } from './caller.ts';

export default function searchRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'search', async ({ query }, request) => {
    const { q, match = 'substring', limit = DEFAULT_PAGE, cursor } = query;
    const page = await searchByName(tree, callerOf(request), { q, match, limit, cursor });
    return { items: page.items.map((node) => toRecord(node, 'owner')), nextCursor: page.nextCursor };
  });
}
