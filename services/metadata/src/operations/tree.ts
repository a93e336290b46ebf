import type { NodeRecord, NodeRef, Principal } from '@coffer/contracts';
import { appError, type CallOptions, type Logger, type Outbox } from '@coffer/service-kit';
import { type Action, demand, demandAccount, roleOf } from '../domain/access.ts';
import type { Claims } from '../domain/claims.ts';
import type { Hints } from '../domain/hints.ts';
import { checkPath } from '../domain/names.ts';
import { type Chain, toRecord } from '../domain/node.ts';
import type { Recent } from '../domain/recent.ts';
import type { Turns } from '../domain/turns.ts';
import type { Cause } from '../events/node-events.ts';
import type { FigureCounter } from '../store/figures.ts';
import type { Graveyard } from '../store/graveyard.ts';
import type { Ledger } from '../store/ledger.ts';
import type { LimitStore } from '../store/limits.ts';
import type { LinkStore } from '../store/links.ts';
import type { Lists } from '../store/lists.ts';
import type { MoveLocks } from '../store/moves.ts';
import type { NodeStore } from '../store/nodes.ts';
import type { NumberStore } from '../store/numbers.ts';
import type { Sweeper } from '../store/sweeper.ts';
import type { UsageStore } from '../store/usage.ts';
import { type Finder, isThere } from './finder.ts';
import type { LinkPasswords } from './link-passwords.ts';

/** Renews the time of blobs, before a content list that names older ones is written; answers those that are missing. */
export type RenewBlobs = (digests: string[], call: CallOptions) => Promise<string[]>;

/** What every operation works with; made once. */
export interface Tree {
  readonly nodes: NodeStore;
  readonly lists: Lists;
  readonly usage: UsageStore;
  readonly limits: LimitStore;
  readonly links: LinkStore;
  readonly linkPasswords: LinkPasswords;
  readonly numbers: NumberStore;
  readonly ledger: Ledger;
  readonly graveyard: Graveyard;
  readonly sweeper: Sweeper;
  readonly figures: FigureCounter;
  readonly locks: MoveLocks;
  readonly finder: Finder;
  readonly hints: Hints;
  readonly turns: Turns;
  readonly claims: Claims;
  /** Free bytes of accounts, and folders (by account and path) that were open to writes, a moment ago. */
  readonly recentSpace: Recent<number>;
  readonly recentFolders: Recent<true>;
  readonly outbox: Outbox;
  readonly renewBlobs: RenewBlobs;
  readonly logger: Logger;
  readonly maxVersions: number;
  /** How long after a folder's doom a write that saw it alive may still put a child into it. */
  readonly lateChildMs: number;
  /** Tells the background work that there is some. */
  readonly wake: () => void;
}

/** On whose behalf, and as part of what. */
export interface Caller {
  readonly principal: Principal;
  readonly traceparent: string | undefined;
  readonly call: CallOptions;
}

export const notThere = () => appError('not_found', 'There is no such node');

/** The chain of what is meant, there and open to the caller for `action`; 404 or 403 else. */
export async function find(tree: Tree, caller: Caller, ref: NodeRef, action: Action): Promise<Chain> {
  const chain = await lookUp(tree, caller.principal.accountId, ref);
  if (chain === null || !isThere(chain)) throw notThere();
  demand(caller.principal, action, chain);
  return chain;
}

/** For doors whose documents tell the two apart: 404 where nothing is, 403 `forbidden` where it is not the caller's to see. */
export function demandSeen(caller: Caller, chain: Chain | null): Chain {
  if (chain === null || !isThere(chain)) throw notThere();
  if (roleOf(caller.principal, chain.node, chain.ancestors) === null) {
    throw appError('forbidden', 'This is not shared with you');
  }
  return chain;
}

/**
 * The chain of what is meant, if it exists in whatever state (by path: only what is there). The root and paths are the
 * caller's own: 401 `unauthorized` without an account.
 */
export async function lookUp(tree: Tree, accountId: string, ref: NodeRef): Promise<Chain | null> {
  if ('id' in ref) {
    if (ref.id === 'root' || ref.id === accountId) {
      demandAccount(accountId);
      return await tree.finder.root(accountId);
    }
    return await tree.finder.evenTrashed(ref.id);
  }
  demandAccount(accountId);
  checkPath(ref.path, '/ref/path');
  const { chain, missing } = await tree.finder.byPath(accountId, ref.path, ref.kind);
  const isKind = ref.path.length > 0 || ref.kind !== 'file';
  return missing.length === 0 && isKind ? chain : null;
}

export function folderOnly(chain: Chain): Chain {
  if (chain.node.kind !== 'folder') throw appError('not_a_folder', 'This is a file');
  return chain;
}

export function fileOnly(chain: Chain): Chain {
  if (chain.node.kind !== 'file') throw appError('not_a_file', 'This is a folder');
  return chain;
}

/**
 * The node as the caller may see it. After a change that may have taken the caller's own rights away, `had` is what the
 * change was allowed by: it was done, so it is answered.
 */
export function record(
  principal: Principal,
  { node, ancestors }: Chain,
  had: NodeRecord['role'] | null = null,
): NodeRecord {
  const role = roleOf(principal, node, ancestors) ?? had;
  if (role === null) throw notThere();
  return toRecord(node, role);
}

/** The names from the root on, the node's own last. */
export function pathOf({ node, ancestors }: Chain): string[] {
  return [node, ...ancestors.slice(0, -1)].map(({ name }) => name).reverse();
}

/** The caller as the cause of an event. */
export const causeOf = ({ principal, traceparent }: Caller): Cause => ({ by: principal.accountId, traceparent });
