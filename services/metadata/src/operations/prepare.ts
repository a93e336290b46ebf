import type { Preconditions, WriteTarget } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import { checkName, sortKey } from '../domain/names.ts';
import type { Chain } from '../domain/node.ts';
import { demandPreconditions, hasPreconditions } from '../domain/preconditions.ts';
import { nameTaken, parentFor } from './create.ts';
import { type Caller, fileOnly, find, type Tree } from './tree.ts';
import { actionOf, type ByName, folderKey, sawFolder } from './write.ts';

/** Of an unknown size it is supposed that it is large, so that its limit is not out of date. */
const LARGE_BYTES = Number.MAX_SAFE_INTEGER / 2;

/** How many bytes new content may have; throws what `commitWrite` would, as far as it can be known before. */
export async function prepareWrite(
  tree: Tree,
  caller: Caller,
  target: WriteTarget,
  sizeBytes: number | undefined,
  preconditions: Preconditions | undefined,
): Promise<number> {
  const { accountId } = caller.principal;
  // Both in flight at once: nearly always the tree that is written to is the caller's own.
  const reading = freeBytes(tree, accountId, sizeBytes ?? LARGE_BYTES);
  reading.catch(() => undefined);
  const ownerId = await prepareTarget(tree, caller, target, preconditions);
  // Whoever owns the tree pays for what others put into it.
  const availableBytes = await (ownerId === accountId ? reading : freeBytes(tree, ownerId, sizeBytes ?? LARGE_BYTES));
  if ((sizeBytes ?? 0) > availableBytes) {
    throw appError('quota_exceeded', 'There is not enough space left in the account');
  }
  return availableBytes;
}

/** What was left a moment ago, if that is more than enough; else what is left. */
async function freeBytes(tree: Tree, accountId: string, sizeBytes: number): Promise<number> {
  const recent = tree.recentSpace.get(accountId);
  if (recent !== undefined && recent > 2 * sizeBytes) return recent;
  const usage = await tree.usage.get(accountId);
  const limitBytes = usage?.limitBytes ?? tree.usage.freeLimitBytes;
  const bytes = Math.max(0, limitBytes - (usage?.usedBytes ?? 0));
  tree.recentSpace.saw(accountId, bytes);
  return bytes;
}

/** Answers whose tree it is. */
async function prepareTarget(
  tree: Tree,
  caller: Caller,
  target: WriteTarget,
  preconditions: Preconditions | undefined,
): Promise<string> {
  const { accountId } = caller.principal;
  if ('node' in target) {
    const { node } = fileOnly(await find(tree, caller, target.node, 'change'));
    demandPreconditions(preconditions, node);
    return node.ownerId;
  }
  checkName(target.name, '/target/name');
  // Only these need to know what is there; a new name is not looked up twice.
  const look = hasPreconditions(preconditions) || target.ifExists === 'fail';
  const place = folderKey(caller, target.parent);
  if (!look && !caller.principal.readOnly && tree.recentFolders.get(place)) return accountId;
  const parent = await parentToBe(tree, caller, target);
  sawFolder(tree, caller, target, parent);
  // A folder that is yet to be made is one of the caller's own paths.
  const ownerId = parent?.node.ownerId ?? accountId;
  if (!look) return ownerId;
  const isSought = parent !== null && target.ifExists !== 'rename';
  const existing = isSought ? await tree.finder.child(parent.node, sortKey(target.name, 'file')) : null;
  demandPreconditions(preconditions, existing);
  if (existing !== null && target.ifExists === 'fail') throw nameTaken();
  return ownerId;
}

/** The folder, or null where the commit is going to make it. */
async function parentToBe(tree: Tree, caller: Caller, target: ByName): Promise<Chain | null> {
  try {
    return await parentFor(tree, caller, target.parent, false, actionOf(caller, target));
  } catch (error) {
    const willBeMade = target.makeFolders === true && 'path' in target.parent;
    if (willBeMade && isAppError(error, 'not_found')) return null;
    throw error;
  }
}
