import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { newProperties } from '../domain/properties.ts';
import { createFolder } from '../operations/create.ts';
import { record, type Tree } from '../operations/tree.ts';
import { callerOf } from './caller.ts';

export default function folderRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'createFolder', async ({ body }, request) => {
    const caller = callerOf(request);
    const { chain, created } = await createFolder(tree, caller, {
      parent: body.parent,
      name: body.name,
      properties: newProperties(body.properties),
      makeFolders: body.makeFolders ?? false,
      existing: body.existing ?? false,
      rename: body.rename ?? false,
      idempotency: body.idempotency,
    });
    return { node: record(caller.principal, chain), created };
  });
}
