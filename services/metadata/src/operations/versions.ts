import type { Preconditions } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { type Chain, type ContentDoc, toContent } from '../domain/node.ts';
import { renew } from './copy.ts';
import { replaceContent } from './replace.ts';
import { type Caller, fileOnly, find, type Tree } from './tree.ts';

/** The older contents of a file, the newest first. */
export async function listVersions(tree: Tree, caller: Caller, id: string): Promise<ContentDoc[]> {
  const { node } = fileOnly(await find(tree, caller, { id }, 'read'));
  return (await tree.nodes.versionsOf(node._id))?.versions ?? [];
}

export async function getVersion(
  tree: Tree,
  caller: Caller,
  id: string,
  vid: string,
): Promise<{ chain: Chain; content: ContentDoc }> {
  const chain = fileOnly(await find(tree, caller, { id }, 'read'));
  const { content } = chain.node;
  if (content?.vid === vid) return { chain, content };
  return { chain, content: await older(tree, id, vid) };
}

/** What the file held becomes a version in its turn, so a restore can be undone; and it counts like any new content. */
export async function restoreVersion(
  tree: Tree,
  caller: Caller,
  id: string,
  vid: string,
  preconditions: Preconditions | undefined,
): Promise<Chain> {
  const chain = fileOnly(await find(tree, caller, { id }, 'change'));
  const version = await older(tree, id, vid);
  await renew(tree, caller.call, [version]);
  const { vid: _vid, at: _at, by: _by, ...content } = toContent(version);
  const replaced = await replaceContent(tree, caller, chain, content, preconditions);
  if (replaced === 'gone') throw appError('not_found', 'There is no such node');
  return replaced;
}

async function older(tree: Tree, id: string, vid: string): Promise<ContentDoc> {
  const found = (await tree.nodes.versionsOf(id))?.versions.find((version) => version.vid === vid);
  if (found === undefined) throw appError('not_found', 'There is no such version');
  return found;
}
