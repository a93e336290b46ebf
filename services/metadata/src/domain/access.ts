import type { Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { type Chain, isRoot, type NodeDoc } from './node.ts';

/** What can be done to a node. `place` is to change where or under which name it stands, or whether it stands at all. */
export type Action = 'read' | 'change' | 'place';
export type Role = 'owner' | 'editor' | 'viewer';
export type Verdict = 'yes' | 'not_found' | 'forbidden' | 'read_only';

/** The strongest right that the principal has on the node, from the tree it is in and what it hangs on. */
export function roleOf(principal: Principal, node: NodeDoc, _ancestors: readonly NodeDoc[]): Role | null {
  return node.ownerId === principal.accountId ? 'owner' : null;
}

/**
 * The only judge of who may do what. Someone without any right learns nothing, not even that the node exists; being an
 * operator gives no right to other people's files. A read-only key may not change even what its account owns.
 */
export function can(principal: Principal, action: Action, node: NodeDoc, ancestors: readonly NodeDoc[]): Verdict {
  const role = roleOf(principal, node, ancestors);
  if (role === null) return 'not_found';
  if (action === 'read') return 'yes';
  if (principal.readOnly) return 'read_only';
  if (role === 'viewer') return 'forbidden';
  if (action === 'place' && isRoot(node)) return 'forbidden';
  return 'yes';
}

const details = {
  not_found: 'There is no such node',
  forbidden: 'The root folder cannot be renamed, moved or deleted',
  read_only: 'This key may only read',
} as const;

/** Throws the refusal as the error that the caller sees. */
export function demand(principal: Principal, action: Action, chain: Chain): void {
  const verdict = can(principal, action, chain.node, chain.ancestors);
  if (verdict !== 'yes') throw appError(verdict, details[verdict]);
}

/** For what names no node yet (a new name by path, the trash): only whether the key may change anything at all. */
export function demandWriter(principal: Principal): void {
  if (principal.readOnly) throw appError('read_only', details.read_only);
}
