import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { toContent, toVersion } from '../domain/node.ts';
import { record, type Tree } from '../operations/tree.ts';
import { getVersion, listVersions, restoreVersion } from '../operations/versions.ts';
import { callerOf } from './caller.ts';

export default function versionRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'listVersions', async ({ params }, request) => ({
    items: (await listVersions(tree, callerOf(request), params.id)).map(toVersion),
  }));

  serve(app, metadataContract, 'getVersion', async ({ params }, request) => {
    const caller = callerOf(request);
    const { chain, content } = await getVersion(tree, caller, params.id, params.vid);
    return { node: record(caller.principal, chain), content: toContent(content) };
  });

  serve(app, metadataContract, 'restoreVersion', async ({ params, body }, request) => {
    const caller = callerOf(request);
    const { id, vid } = params;
    return record(caller.principal, await restoreVersion(tree, caller, id, vid, body.preconditions));
  });
}
