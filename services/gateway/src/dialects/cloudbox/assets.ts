import type { Account, NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { publicUrl } from '../common/dialect.ts';
import { isNobody } from './authenticate.ts';
import { invalidId } from './errors.ts';
import { rootName } from './profile.ts';

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LOOK_UPS_AT_ONCE = 1_000;

/** A file or folder as clients see it; the order of the keys is that of the document. */
export interface Asset {
  id: string;
  user_id: string;
  is_folder: boolean;
  parent: string | null;
  name: string;
  uri: string;
  editors: string[];
  viewers: string[];
  created_at: string;
  updated_at: string;
  file_type?: string;
  size?: number;
  s3_key?: string;
}

/**
 * The node of an id, or the caller's own root without one. 404 for what is no id or nobody's, and for a file where a folder is meant (or the
 * other way round); 401 or 403 for what is there and not the caller's to see.
 */
export async function findAsset(
  gateway: Gateway,
  request: FastifyRequest,
  id: string | undefined,
  kind?: NodeRecord['kind'],
): Promise<NodeRecord> {
  if (id === undefined && isNobody(request)) throw appError('unauthorized');
  if (id !== undefined && !ID.test(id)) throw invalidId();
  const body = { ref: { id: id ?? 'root' }, tellHidden: true };
  const node = await gateway.metadata.call('resolve', { body }, request.call);
  if (kind !== undefined && node.kind !== kind) throw invalidId();
  return node;
}

export async function assetOf(gateway: Gateway, request: FastifyRequest, node: NodeRecord): Promise<Asset> {
  const [asset] = await assetsOf(gateway, request, [node]);
  if (asset === undefined) throw new Error('one node is one asset');
  // The root has no name in the tree; only its owner ever sees it.
  return node.parentId === null ? { ...asset, name: await rootName(gateway, request) } : asset;
}

export async function assetsOf(
  gateway: Gateway,
  request: FastifyRequest,
  nodes: readonly NodeRecord[],
): Promise<Asset[]> {
  const ids = new Set(nodes.flatMap(({ grants = [] }) => grants.map(({ accountId }) => accountId)));
  const shown = await shownNames(gateway, request, [...ids]);
  const base = `${publicUrl(gateway, request)}/api/v1/store`;
  return nodes.map((node) => {
    const { content, grants = [] } = node;
    const namesOf = (role: 'editor' | 'viewer'): string[] =>
      grants.flatMap((grant) => (grant.role === role ? (shown.get(grant.accountId) ?? []) : []));
    return {
      id: node.id,
      user_id: node.ownerId,
      is_folder: content === undefined,
      parent: node.parentId,
      name: node.name,
      uri: content === undefined ? `${base}/folders/${node.id}/` : `${base}/files/${node.id}/view/`,
      editors: namesOf('editor'),
      viewers: namesOf('viewer'),
      created_at: node.createdAt,
      updated_at: node.modifiedAt,
      ...(content && {
        file_type: content.mime,
        size: content.sizeBytes,
        s3_key: `${node.ownerId}/${node.id}`,
      }),
    };
  });
}

/** What each account is called here: its e-mail address, or its user name where it has none. Those that are gone are left out. */
export async function shownNames(
  gateway: Gateway,
  request: FastifyRequest,
  accountIds: readonly string[],
): Promise<Map<string, string>> {
  const accounts = await accountsOf(gateway, request, accountIds);
  return new Map(accounts.map(({ id, email, username }) => [id, email ?? username]));
}

/** The accounts behind ids, e-mail addresses or user names, without those that are not there. */
export async function accountsOf(
  gateway: Gateway,
  request: FastifyRequest,
  logins: readonly string[],
): Promise<Account[]> {
  const found: Account[] = [];
  for (let at = 0; at < logins.length; at += LOOK_UPS_AT_ONCE) {
    const body = { logins: logins.slice(at, at + LOOK_UPS_AT_ONCE) };
    const { accounts } = await gateway.auth.call('lookUpAccounts', { body }, request.call);
    found.push(...accounts.filter((account) => account !== null));
  }
  return found;
}
