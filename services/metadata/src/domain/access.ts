import { type GrantRole, type LinkRole, NOBODY, type Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { type Chain, isRoot, type NodeDoc } from './node.ts';

/**
 * What can be done to a node. `place` is to change where or under which name it stands, or whether it stands at all;
 * `share` is to change who may do what; `deposit` is to put a new file into the folder, whatever its name becomes.
 */
export type Action = 'read' | 'change' | 'place' | 'share' | 'deposit';
export type Role = 'owner' | 'editor' | 'viewer';
export type Verdict = 'yes' | 'not_found' | 'forbidden' | 'read_only';

/** Higher is more; nothing is 0. */
export const rankOf = (role: Role | null | undefined): number =>
  role === 'owner' ? 3 : role === 'editor' ? 2 : role === 'viewer' ? 1 : 0;

export const isNobody = (principal: Principal): boolean => principal.accountId === NOBODY.accountId;

/** The strongest right that the principal has on the node, from the tree it is in, what it hangs on, and a link. */
export function roleOf(principal: Principal, node: NodeDoc, ancestors: readonly NodeDoc[]): Role | null {
  if (node.ownerId === principal.accountId) return 'owner';
  const places = [node, ...ancestors];
  const linked = places.some(({ _id }) => _id === linkedNode(principal, 'viewer')) ? rankOf('viewer') : 0;
  const most = places.reduce((rank, place) => Math.max(rank, rankHere(principal, place)), linked);
  if (most === 0) return null;
  // Someone who has not logged in changes nothing, also where everyone else may.
  return most >= rankOf('editor') && !isNobody(principal) ? 'editor' : 'viewer';
}

/** The node that the principal came by a link to, of a link of that kind. */
function linkedNode({ link }: Principal, role: LinkRole): string | undefined {
  return link?.role === role ? link.nodeId : undefined;
}

/** Whether all that the principal may do in this folder is to put something into it, by a link and without an account. */
export const isDepositor = (principal: Principal, folderId: string): boolean =>
  isNobody(principal) && linkedNode(principal, 'dropbox') === folderId;

/** What one node or folder by itself gives to the principal. */
function rankHere(principal: Principal, place: NodeDoc): number {
  const open = place.generalAccess === 'restricted' ? 0 : rankOf(place.generalAccess);
  // Nobody is no account: a grant to that id would be one to everybody.
  const grant = isNobody(principal) ? undefined : roleIn(place, principal.accountId);
  return Math.max(open, rankOf(grant));
}

/** What the node's own list grants to an account. */
export function roleIn(place: NodeDoc, accountId: string): GrantRole | undefined {
  return place.grants.find((grant) => grant.accountId === accountId)?.role;
}

/**
 * The only judge of who may do what. Someone without any right learns nothing, not even that the node exists; being an
 * operator gives no right to other people's files. A read-only key may not change even what its account owns.
 */
export function can(principal: Principal, action: Action, node: NodeDoc, ancestors: readonly NodeDoc[]): Verdict {
  // Nobody's principal is read-only, and this is the one thing that it may do all the same.
  if (action === 'deposit' && isDepositor(principal, node._id)) return 'yes';
  const role = roleOf(principal, node, ancestors);
  if (role === null) return 'not_found';
  if (action === 'read') return 'yes';
  if (principal.readOnly) return 'read_only';
  if (role === 'viewer') return 'forbidden';
  if (action !== 'change' && action !== 'deposit' && isRoot(node)) return 'forbidden';
  return 'yes';
}

const details = {
  not_found: 'There is no such node',
  forbidden: 'This needs more rights than to look at it',
  read_only: 'This key may only read',
} as const;
const ROOT_DETAIL = 'The root folder cannot be renamed, moved, shared or deleted';

/** Throws the refusal as the error that the caller sees. */
export function demand(principal: Principal, action: Action, chain: Chain): void {
  const verdict = can(principal, action, chain.node, chain.ancestors);
  if (verdict === 'yes') return;
  const isRootItself = verdict === 'forbidden' && isRoot(chain.node) && chain.node.ownerId === principal.accountId;
  throw appError(verdict, isRootItself ? ROOT_DETAIL : details[verdict]);
}

/** For what is the caller's own (a root, a list): 401 `unauthorized` for someone who has not logged in. */
export function demandAccount(accountId: string): void {
  if (accountId === NOBODY.accountId) throw appError('unauthorized', 'This is for those who have logged in');
}

/** For what names no node yet (a new name by path, the trash): only whether the key may change anything at all. */
export function demandWriter(principal: Principal): void {
  demandAccount(principal.accountId);
  if (principal.readOnly) throw appError('read_only', details.read_only);
}
