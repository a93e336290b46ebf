import { metadataContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import {
  countDownload,
  createLink,
  listLinks,
  openLink,
  raiseLinkEpoch,
  revokeLink,
  updateLink,
} from '../operations/links.ts';
import { record, type Tree } from '../operations/tree.ts';
import { callerOf } from './caller.ts';

export default function linkRoutes(app: App, tree: Tree): void {
  serve(app, metadataContract, 'createLink', async ({ params, body }, request) => {
    const { role, ...settings } = body;
    return await createLink(tree, callerOf(request), params.id, role, settings);
  });

  serve(app, metadataContract, 'listLinks', async ({ params }, request) => ({
    items: await listLinks(tree, callerOf(request), params.id),
  }));

  serve(app, metadataContract, 'updateLink', async ({ params, body }, request) =>
    updateLink(tree, callerOf(request), params.linkId, body),
  );

  serve(app, metadataContract, 'revokeLink', async ({ params }, request) => {
    await revokeLink(tree, callerOf(request), params.linkId);
    return undefined;
  });

  serve(app, metadataContract, 'openLink', async ({ body }) => openLink(tree, body));

  serve(app, metadataContract, 'countDownload', async ({ params }) => {
    await countDownload(tree, params.linkId);
    return undefined;
  });

  serve(app, metadataContract, 'revokedLinks', async ({ body }) => ({
    linkIds: await tree.links.revokedAmong(body.linkIds),
  }));

  serve(app, metadataContract, 'raiseLinkEpoch', async ({ params }, request) => {
    const caller = callerOf(request);
    return record(caller.principal, await raiseLinkEpoch(tree, caller, params.id), 'editor');
  });
}
