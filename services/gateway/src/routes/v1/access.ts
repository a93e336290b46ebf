import { type Account, Id } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { nodeConditions } from '../../domain/conditions.ts';
import { nodeTag, publicPage } from '../../domain/nodes.ts';
import type { App, Gateway } from '../../gateway.ts';
import {
  Empty,
  GeneralAccess,
  NodeId,
  NodePage,
  NodeParams,
  NoQuery,
  NullableString,
  OneOf,
  PageQuery,
  problems,
  Strict,
} from '../schemas.ts';

const tags = ['access'];
const GrantedRole = OneOf('viewer', 'editor');
const Person = Type.Object({
  id: Id,
  username: Type.String(),
  email: Type.Optional(NullableString('For those who may share the node')),
});
const Grant = Type.Object(
  {
    account: Person,
    role: GrantedRole,
    from: Type.Unsafe<string>({
      ...Id,
      description: 'The node that carries the grant: this one, or a folder above it',
    }),
    inherited: Type.Boolean({ description: 'Whether it comes from a folder above' }),
  },
  { title: 'Grant' },
);
const Access = Type.Object(
  {
    owner: Type.Object({ id: Id, username: Type.String() }),
    generalAccess: GeneralAccess,
    effectiveGeneralAccess: Type.Object({
      access: GeneralAccess,
      from: Type.Unsafe<string>({ ...Id, description: 'This node, or the folder above it that is open so far' }),
    }),
    grants: Type.Array(Grant),
  },
  { title: 'Access' },
);
const NewGrant = Strict(
  {
    role: GrantedRole,
    notify: Type.Optional(Type.Boolean({ description: 'Whether they are told by mail' })),
  },
  { title: 'NewGrant' },
);
const GrantParams = Strict({
  id: NodeId,
  account: Type.String({ minLength: 1, maxLength: 254, description: 'By id, user name or e-mail address' }),
});

export function accessRoutes(app: App, gateway: Gateway): void {
  const { metadata, nodes } = gateway;

  app.get(
    '/v1/nodes/:id/access',
    {
      config: { op: 'access.get' },
      schema: {
        summary: 'Who may do what with it, and from where that comes',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        response: { 200: Access, ...problems },
      },
    },
    async (request) => {
      const { params, call } = request;
      const [node, access] = await Promise.all([
        nodes({ id: params.id }, request),
        metadata.call('getAccess', { params }, call),
      ]);
      const people = await lookUp(gateway, request, [
        access.ownerId,
        ...access.grants.map(({ accountId }) => accountId),
      ]);
      const owner = people.get(access.ownerId);
      const { effectiveGeneralAccess: effective } = access;
      return {
        owner: { id: access.ownerId, username: owner?.username ?? '' },
        generalAccess: access.generalAccess,
        effectiveGeneralAccess: { access: effective.access, from: effective.nodeId },
        grants: access.grants.flatMap(({ accountId, role, nodeId }) => {
          const account = people.get(accountId);
          // An account that is gone leaves grants behind, which mean nothing.
          if (account === undefined) return [];
          const person = personOf(account, node.role !== 'viewer');
          return [{ account: person, role, from: nodeId, inherited: nodeId !== node.id }];
        }),
      };
    },
  );

  app.put(
    '/v1/nodes/:id/grants/:account',
    {
      config: { op: 'access.grant' },
      schema: {
        summary: 'Give an account a role here and below; replaces the one that it has here',
        tags,
        params: GrantParams,
        querystring: NoQuery,
        body: NewGrant,
        response: { 200: Grant, ...problems },
      },
    },
    async (request, reply) => {
      const { role, notify } = request.body;
      const { node, account } = await findBoth(gateway, request, request.params);
      if (account === undefined) throw appError('not_found', 'There is no such account');
      if (account.id === node.ownerId) throw appError('conflict', 'The owner has every right and is given none');
      const changed = await changeGrants(gateway, request, node.id, {
        give: [{ accountId: account.id, role }],
        take: [],
        ...(notify !== undefined && { notify }),
      });
      return reply
        .header('etag', nodeTag(changed.node))
        .send({ account: personOf(account, true), role, from: node.id, inherited: false });
    },
  );

  app.delete(
    '/v1/nodes/:id/grants/:account',
    {
      config: { op: 'access.revoke' },
      schema: {
        summary:
          'Take the role that an account has here; what it has from folders above stays. Anyone may give up their own',
        tags,
        params: GrantParams,
        querystring: NoQuery,
        response: { 204: Empty('Gone'), ...problems },
      },
    },
    async (request, reply) => {
      const { node, account } = await findBoth(gateway, request, request.params);
      const changed =
        account === undefined
          ? []
          : (await changeGrants(gateway, request, node.id, { give: [], take: [{ accountId: account.id }] })).changed;
      if (changed.length === 0) throw appError('not_found', 'There is no such account among the grants of this node');
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/shared',
    {
      config: { op: 'access.shared' },
      schema: {
        summary: 'What others shared with me by name, the latest first',
        tags,
        querystring: PageQuery,
        response: { 200: NodePage, ...problems },
      },
    },
    async (request) => publicPage(await metadata.call('listShared', { query: request.query }, request.call)),
  );
}

/** Looked up by id: how many there may be is bounded by the depth of a tree alone. */
async function lookUp({ auth }: Gateway, request: FastifyRequest, ids: string[]): Promise<Map<string, Account>> {
  const people = new Map<string, Account>();
  const unique = [...new Set(ids)];
  for (let start = 0; start < unique.length; start += MAX_LOGINS) {
    const logins = unique.slice(start, start + MAX_LOGINS);
    const { accounts } = await auth.call('lookUpAccounts', { body: { logins } }, request.call);
    for (const account of accounts) if (account !== null) people.set(account.id, account);
  }
  return people;
}
const MAX_LOGINS = 1_000;

/**
 * The node and the account that a grant is about. Who may not share the node learns nothing of accounts but their own: 403 whoever is
 * named.
 */
async function findBoth(
  gateway: Gateway,
  request: FastifyRequest,
  { id, account: login }: { id: string; account: string },
) {
  const node = await gateway.nodes({ id }, request);
  const { accounts } = await gateway.auth.call('lookUpAccounts', { body: { logins: [login] } }, request.call);
  const account = accounts[0] ?? undefined;
  const isOwn = account?.id === request.principal().accountId;
  if (node.role === 'viewer' && !(isOwn && request.method === 'DELETE'))
    throw appError('forbidden', 'Only the owner and editors share');
  return { node, account };
}

async function changeGrants(
  { metadata }: Gateway,
  request: FastifyRequest,
  id: string,
  change: {
    give: { accountId: string; role: 'viewer' | 'editor' }[];
    take: { accountId: string }[];
    notify?: boolean;
  },
) {
  const preconditions = nodeConditions(request.headers);
  const body = { ...change, ...(preconditions && { preconditions }) };
  return await metadata.call('changeGrants', { params: { id }, body }, request.call);
}

const personOf = ({ id, username, email }: Account, withEmail: boolean) => ({
  id,
  username,
  ...(withEmail && { email }),
});
