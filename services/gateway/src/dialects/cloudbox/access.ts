import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { accountsOf, findAsset, shownNames } from './assets.ts';
import { invitationOf, requiredField } from './input.ts';
import { type Path, sendJson, urlsOf } from './routes.ts';

const GRANTS_AT_ONCE = 100;
const ACCESS_TYPES = ['restricted', 'viewer', 'editor'] as const;
interface Params {
  Params: { id: string };
}
interface Grant {
  accountId: string;
  role: 'editor' | 'viewer';
}

/** The two lists of who was given an asset, one for each role. */
const LISTS = [
  { path: 'store/assets/:id/editors', key: 'editors', role: 'editor' },
  { path: 'store/assets/:id/viewers', key: 'viewers', role: 'viewer' },
] as const satisfies readonly { path: Path; key: string; role: 'editor' | 'viewer' }[];
type List = (typeof LISTS)[number];

export function accessReadRoutes(app: App, gateway: Gateway): void {
  for (const list of LISTS) {
    for (const url of urlsOf(list.path)) {
      app.get<Params>(url, { config: { op: `cloudbox.${list.key}` } }, async (request, reply) => {
        const { id } = await findAsset(gateway, request, request.params.id);
        return sendJson(reply, await listed(gateway, request, id, list));
      });
    }
  }
}

export function accessWriteRoutes(app: App, gateway: Gateway): void {
  const { metadata } = gateway;
  for (const list of LISTS) {
    const { key, role } = list;
    for (const url of urlsOf(list.path)) {
      app.post<Params>(url, { config: { op: `cloudbox.add_${key}` } }, async (request, reply) => {
        const { id } = await findAsset(gateway, request, request.params.id);
        const { users, notify } = await invitationOf(gateway, request);
        await change(gateway, request, id, users, (accountId) => ({ give: [{ accountId, role }], take: [] }), notify);
        return sendJson(reply.code(201), await listed(gateway, request, id, list));
      });
      app.delete<Params>(url, { config: { op: `cloudbox.remove_${key}` } }, async (request, reply) => {
        const { id } = await findAsset(gateway, request, request.params.id);
        const { users } = await invitationOf(gateway, request);
        await change(gateway, request, id, users, (accountId) => ({ give: [], take: [{ accountId, role }] }), false);
        return reply.code(204).send();
      });
    }
  }

  for (const url of urlsOf('store/assets/:id/access-type')) {
    app.patch<Params>(url, { config: { op: 'cloudbox.accessType' } }, async (request, reply) => {
      const { id } = await findAsset(gateway, request, request.params.id);
      const given = await requiredField(gateway, request, 'access_type', 'access_type is required');
      const generalAccess = ACCESS_TYPES.find((one) => one === given);
      if (generalAccess === undefined)
        throw appError('invalid_body', `access_type must be one of ${ACCESS_TYPES.join(', ')}`);
      const { signal: _, ...call } = request.call;
      const node = await metadata.call('updateNode', { params: { id }, body: { generalAccess } }, call);
      return sendJson(reply, { id, access_type: node.generalAccess, anyone_can_access: node.generalAccess });
    });
  }
}

/** Who has the role by the asset itself; who may not change that sees themselves at most. */
async function listed(gateway: Gateway, request: FastifyRequest, id: string, { key, role }: List) {
  const { grants } = await gateway.metadata.call('getAccess', { params: { id } }, request.call);
  const ids = grants.filter((one) => one.nodeId === id && one.role === role).map(({ accountId }) => accountId);
  const shown = await shownNames(gateway, request, ids);
  return { id, [key]: ids.flatMap((accountId) => shown.get(accountId) ?? []) };
}

/** Whoever is unknown is skipped. Rights are judged also where nobody is left. */
async function change(
  gateway: Gateway,
  request: FastifyRequest,
  id: string,
  users: readonly string[],
  changeFor: (accountId: string) => { give: Grant[]; take: Grant[] },
  notify: boolean,
): Promise<void> {
  const accounts = await accountsOf(gateway, request, users);
  const changes = accounts.map((account) => changeFor(account.id));
  const { signal: _, ...call } = request.call;
  let at = 0;
  do {
    const some = changes.slice(at, at + GRANTS_AT_ONCE);
    const body = { give: some.flatMap(({ give }) => give), take: some.flatMap(({ take }) => take), notify };
    await gateway.metadata.call('changeGrants', { params: { id }, body }, call);
    at += GRANTS_AT_ONCE;
  } while (at < changes.length);
}
