import { demandAccount } from '../domain/access.ts';
import type { Chain } from '../domain/node.ts';
import { isThere } from './finder.ts';
import { type Caller, demandSeen, find, notThere, type Tree } from './tree.ts';

/**
 * The numbers of nodes in the caller's own tree, given now to those that have none; null for what is not there. A number
 * is no change of the node (its rev stays), so a read-only key may ask as well.
 */
export async function numberNodes(tree: Tree, caller: Caller, ids: readonly string[]): Promise<(number | null)[]> {
  const { accountId } = caller.principal;
  demandAccount(accountId);
  const own = async (): Promise<Map<string, Chain>> => {
    const chains = await tree.finder.byIds([...new Set(ids)]);
    return new Map([...chains].filter(([, chain]) => chain.node.ownerId === accountId && isThere(chain)));
  };
  const before = await own();
  const without = [...before.values()].filter(({ node }) => node.number === undefined).map(({ node }) => node._id);
  await tree.numbers.give(without);
  const after = without.length === 0 ? before : await own();
  return ids.map((id) => after.get(id)?.node.number ?? null);
}

export async function findByNumber(tree: Tree, caller: Caller, number: number): Promise<Chain> {
  const id = await tree.numbers.find(number);
  if (id === null) throw notThere();
  const chain = await find(tree, caller, { id }, 'read');
  // It may have gone between the two looks, number and all.
  if (chain.node.number !== number) throw notThere();
  return chain;
}

/** 404 where no file that is there has it, 403 `forbidden` where one has that the caller may not see. */
export async function findByIdentifier(tree: Tree, caller: Caller, identifier: string): Promise<Chain> {
  const id = identifier.isWellFormed() ? await tree.nodes.idOfIdentifier(identifier) : null;
  return demandSeen(caller, id === null ? null : await tree.finder.byId(id));
}
