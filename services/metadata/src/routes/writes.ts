import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { newProperties } from '../domain/properties.ts';
import { record, type Tree } from '../operations/tree.ts';
import { commitWrite, prepareWrite } from '../operations/write.ts';
import { callerOf } from './caller.ts';

export default function writeRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'prepareWrite', async ({ body }, request) => {
    const { target, sizeBytes, preconditions } = body;
    return { availableBytes: await prepareWrite(tree, callerOf(request), target, sizeBytes, preconditions) };
  });

  serve(app, metadataContract, 'commitWrite', async ({ body }, request) => {
    const caller = callerOf(request);
    const properties = newProperties(body.properties);
    const { chain, created } = await commitWrite(tree, caller, { ...body, properties });
    return { node: record(caller.principal, chain), created };
  });
}
