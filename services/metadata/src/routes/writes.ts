import { metadataContract, type Write, type Written } from '@coffer/contracts';
import { type App, answerPart, type ServiceContext, serve } from '@coffer/service-kit';
import { newProperties } from '../domain/properties.ts';
import { prepareWrite } from '../operations/prepare.ts';
import { type Caller, record, type Tree } from '../operations/tree.ts';
import { commitWrite } from '../operations/write.ts';
import { callerOf, callerOfPart } from './caller.ts';

export default function writeRoutes(app: App, tree: Tree, ctx: ServiceContext): void {
  serve(app, metadataContract, 'prepareWrite', async ({ body }, request) => {
    const { target, sizeBytes, preconditions } = body;
    return { availableBytes: await prepareWrite(tree, callerOf(request), target, sizeBytes, preconditions) };
  });

  const commit = async (caller: Caller, write: Write): Promise<Written> => {
    const properties = newProperties(write.properties);
    const { chain, created } = await commitWrite(tree, caller, { ...write, properties });
    // Who may only put things there still hears what was made of theirs.
    return { node: record(caller.principal, chain, 'viewer'), created };
  };
  const { op } = metadataContract.endpoints.commitWrite;

  serve(app, metadataContract, 'commitWrite', ({ body }, request) => commit(callerOf(request), body));

  serve(app, metadataContract, 'commitMany', async ({ body: { parts } }) => {
    const answers = parts.map(({ head, write }) =>
      answerPart(ctx, { op, head }, (part) => commit(callerOfPart(part), write)),
    );
    return { answers: await Promise.all(answers) };
  });
}
