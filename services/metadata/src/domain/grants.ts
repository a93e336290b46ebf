import { type GrantRole, NOBODY } from '@coffer/contracts';
import type { Grant } from './node.ts';

/** How many accounts can be named on one node: the list is read with every chain that the node is part of. */
export const MAX_GRANTS = 1_000;

export interface GrantChanges {
  give: readonly { accountId: string; role: GrantRole }[];
  /** With a role: only where it is this one. */
  take: readonly { accountId: string; role?: GrantRole | undefined }[];
}

export interface ChangedGrants {
  grants: Grant[];
  /** Accounts that have another role here than before. */
  changed: string[];
  /** Of these, the accounts that had less here before. */
  gained: { accountId: string; role: GrantRole }[];
}

/**
 * The list after taking and then giving. Who keeps a role keeps the time of its grant. The tree's owner, who has
 * everything already, and nobody's id are passed over.
 */
export function changeGrantList(before: readonly Grant[], o: GrantChanges, ownerId: string, at: Date): ChangedGrants {
  const old = new Map(before.map((grant) => [grant.accountId, grant]));
  const after = new Map(old);
  for (const { accountId, role } of o.take) {
    if (role === undefined || after.get(accountId)?.role === role) after.delete(accountId);
  }
  for (const { accountId, role } of o.give) {
    if (accountId === ownerId || accountId === NOBODY.accountId) continue;
    const had = old.get(accountId);
    after.set(accountId, had?.role === role ? had : { accountId, role, at });
  }
  const changed = [...new Set([...old.keys(), ...after.keys()])].filter(
    (id) => old.get(id)?.role !== after.get(id)?.role,
  );
  const gained = changed.flatMap((accountId) => {
    const role = after.get(accountId)?.role;
    // There are two roles: who has another one now and is no viewer was less before, and so was who had none.
    return role === 'editor' || (role === 'viewer' && !old.has(accountId)) ? [{ accountId, role }] : [];
  });
  return { grants: [...after.values()], changed, gained };
}
