import { multipart, type Person, type RequestOptions, uniqueName } from '../src/index.ts';
import { type Asker, byStatus, type Needs, type Outcome, type Route, type World } from './rights-table.ts';

type Request = [method: string, path: string, options?: RequestOptions];

const route = (
  name: string,
  needs: Needs,
  request: (world: World, asker: Asker) => Request | Promise<Request>,
): Route => ({
  name,
  needs,
  ask: async (world, asker) => await asker.client.request(...(await request(world, asker))),
});

/** In a list it is a matter of what is in it. */
const listed = (name: string, request: (world: World) => Request, idOf: (world: World) => string): Route => ({
  ...route(name, 'own', request),
  judge: (reply, world): Outcome => {
    const outcome = byStatus(reply);
    if (outcome !== 'allowed') return outcome;
    return reply.json<{ items: { id: string }[] }>().items.some(({ id }) => id === idOf(world)) ? 'allowed' : 'hidden';
  },
});

/** What everyone has of their own. */
const OWN_LISTS = {
  'nodes.get of the root': '/v1/nodes/root',
  'accounts.get': '/v1/me',
  'usage.get': '/v1/usage',
  'sessions.list': '/v1/sessions',
  'keys.list': '/v1/keys',
  'trash.list': '/v1/trash',
  'access.shared': '/v1/shared',
};

/** What operators alone may ask; ID is somebody's. */
const OPERATORS: Readonly<Record<string, readonly [method: string, path: string]>> = {
  'admin.getAccount': ['GET', '/v1/admin/accounts/ID'],
  'admin.resetAccount': ['POST', '/v1/admin/accounts/ID/reset'],
  'admin.setPlan': ['PUT', '/v1/admin/accounts/ID/plan'],
  'admin.deleteAccount': ['DELETE', '/v1/admin/accounts/ID'],
  'admin.getUsage': ['GET', '/v1/admin/usage'],
  'admin.checkStore': ['POST', '/v1/admin/store/check'],
  'admin.findPayments': ['GET', '/v1/admin/payments'],
  'admin.reversePayment': ['POST', '/v1/admin/payments/ID/reverse'],
  'admin.checkLedger': ['POST', '/v1/admin/ledger/check'],
  'admin.listQueues': ['GET', '/v1/admin/queues'],
  'admin.listJobs': ['GET', '/v1/admin/queues/mail/jobs?state=failed'],
  'admin.retryJob': ['POST', '/v1/admin/queues/mail/jobs/x/retry'],
  'admin.discardJob': ['DELETE', '/v1/admin/queues/mail/jobs/x'],
  'admin.listAudit': ['GET', '/v1/admin/audit'],
};

/** Every native route that reaches a node, and those that reach none as far as asking changes nothing. */
export function nativeRoutes(spare: Person): Route[] {
  const json = (value: unknown): RequestOptions => ({ json: value });
  const form = () => {
    const { body, contentType } = multipart([{ part: 'file', filename: uniqueName('form'), bytes: 'x' }]);
    return { body, headers: { 'content-type': contentType } };
  };
  return [
    route('nodes.get', 'read', ({ file }) => ['GET', `/v1/nodes/${file.id}`]),
    route('nodes.get of a folder', 'read', ({ folder }) => ['GET', `/v1/nodes/${folder.id}`]),
    route('nodes.children', 'read', ({ folder }) => ['GET', `/v1/nodes/${folder.id}/children`]),
    route('content.get', 'read', ({ file }) => ['GET', `/v1/nodes/${file.id}/content`]),
    route('content.head', 'read', ({ file }) => ['HEAD', `/v1/nodes/${file.id}/content`]),
    route('versions.list', 'read', ({ versioned }) => ['GET', `/v1/nodes/${versioned.id}/versions`]),
    route('versions.get', 'read', ({ versioned, version }) => [
      'GET',
      `/v1/nodes/${versioned.id}/versions/${version}/content`,
    ]),
    route('versions.head', 'read', ({ versioned, version }) => [
      'HEAD',
      `/v1/nodes/${versioned.id}/versions/${version}/content`,
    ]),
    route('access.get', 'read', ({ file }) => ['GET', `/v1/nodes/${file.id}/access`]),
    route('nodes.copy', 'read', ({ file }) => ['POST', `/v1/nodes/${file.id}/copy`, json({ parentId: 'root' })]),
    route('nodes.copy of a folder', 'read', ({ folder }) => [
      'POST',
      `/v1/nodes/${folder.id}/copy`,
      json({ parentId: 'root' }),
    ]),

    route('nodes.update: properties', 'change', ({ changed }) => [
      'PATCH',
      `/v1/nodes/${changed.id}`,
      json({ properties: { a: 'b' } }),
    ]),
    route('nodes.update: name', 'change', ({ changed }) => [
      'PATCH',
      `/v1/nodes/${changed.id}`,
      json({ name: uniqueName() }),
    ]),
    route('nodes.update: general access', 'change', ({ changed }) => [
      'PATCH',
      `/v1/nodes/${changed.id}`,
      json({ generalAccess: changed.generalAccess }),
    ]),
    route('content.put', 'change', ({ changed }) => ['PUT', `/v1/nodes/${changed.id}/content`, { body: 'changed' }]),
    route('nodes.createChild: folder', 'change', ({ folder }) => [
      'POST',
      `/v1/nodes/${folder.id}/children`,
      json({ name: uniqueName() }),
    ]),
    route('nodes.createChild: form', 'change', ({ folder }) => ['POST', `/v1/nodes/${folder.id}/children`, form()]),
    route('content.putByName', 'change', ({ folder }) => [
      'PUT',
      `/v1/nodes/${folder.id}/children/${uniqueName()}`,
      { body: 'x' },
    ]),
    route('nodes.copy into it', 'change', ({ folder }, { source }) => [
      'POST',
      `/v1/nodes/${source.id}/copy`,
      json({ parentId: folder.id, name: uniqueName() }),
    ]),
    route('versions.restore', 'change', ({ versioned, version }) => [
      'POST',
      `/v1/nodes/${versioned.id}/versions/${version}/restore`,
    ]),
    route('access.grant', 'change', ({ changed }) => [
      'PUT',
      `/v1/nodes/${changed.id}/grants/${spare.account.id}`,
      json({ role: 'viewer' }),
    ]),
    route('access.revoke', 'change', async (world) => {
      const { id } = await world.victim('file');
      await world.ownerClient.grant(id, spare.account.id, 'viewer');
      return ['DELETE', `/v1/nodes/${id}/grants/${spare.account.username}`];
    }),
    route('nodes.delete', 'change', async (world) => ['DELETE', `/v1/nodes/${(await world.victim('file')).id}`]),
    route('nodes.delete for good', 'change', async (world) => [
      'DELETE',
      `/v1/nodes/${(await world.victim('folder')).id}?permanent=true`,
    ]),
    route('nodes.restore', 'change', async (world) => {
      const { id } = await world.victim('file');
      await world.ownerClient.deleteNode(id);
      return ['POST', `/v1/nodes/${id}/restore`];
    }),

    route('archives.get', 'read', ({ folder }) => ['GET', `/v1/nodes/${folder.id}/archive`]),
    route('archives.head', 'read', ({ file }) => ['HEAD', `/v1/nodes/${file.id}/archive`]),
    route('signedUrls.create: content', 'read', ({ file }) => [
      'POST',
      `/v1/nodes/${file.id}/signed-url`,
      json({ scope: 'content', expiresInSeconds: 60 }),
    ]),
    route('signedUrls.create: upload', 'change', ({ changed }) => [
      'POST',
      `/v1/nodes/${changed.id}/signed-url`,
      json({ scope: 'upload', expiresInSeconds: 60 }),
    ]),
    route('signedUrls.revoke', 'change', ({ changed }) => ['POST', `/v1/nodes/${changed.id}/signed-urls/revoke`]),
    route('links.create', 'change', async (world) => [
      'POST',
      `/v1/nodes/${(await world.victim('file')).id}/links`,
      json({ role: 'viewer' }),
    ]),
    route('links.list', 'change', ({ file }) => ['GET', `/v1/nodes/${file.id}/links`]),
    route('links.update', 'change', async (world) => {
      const { id } = await world.victim('file');
      const link = await world.ownerClient.createLink(id, { role: 'viewer' });
      return ['PATCH', `/v1/nodes/${id}/links/${link.id}`, json({ note: 'changed' })];
    }),
    route('links.revoke', 'change', async (world) => {
      const { id } = await world.victim('file');
      const link = await world.ownerClient.createLink(id, { role: 'viewer' });
      return ['DELETE', `/v1/nodes/${id}/links/${link.id}`];
    }),

    route('files.get', 'own', ({ path }) => ['GET', `/v1/files/${encodeURI(path)}`]),
    route('files.head', 'own', ({ path }) => ['HEAD', `/v1/files/${encodeURI(path)}`]),
    route('files.delete', 'own', async (world) => {
      const { name } = await world.victim('file');
      return ['DELETE', `/v1/files/${encodeURI(world.path.replace(/[^/]*$/, name))}`];
    }),
    listed(
      'search.byName',
      ({ file }) => ['GET', `/v1/search?q=${file.name}&limit=1000`],
      ({ file }) => file.id,
    ),
    listed(
      'nodes.children of the root',
      () => ['GET', '/v1/nodes/root/children?limit=1000'],
      ({ team }) => team.id,
    ),

    ...Object.entries(OWN_LISTS).map(([op, path]) => route(op, 'account', () => ['GET', path])),
    route('admin.findAccounts', 'operator', () => ['GET', '/v1/admin/accounts']),
    route('admin.updateAccount', 'operator', ({ folder }) => [
      'PATCH',
      `/v1/admin/accounts/${folder.ownerId}`,
      json({ suspended: true }),
    ]),
    ...Object.entries(OPERATORS).map(([op, [method, path]]) =>
      route(op, 'operator', ({ folder }) => [
        method,
        path.replace('ID', folder.ownerId),
        method === 'GET' || method === 'DELETE' ? {} : json({}),
      ]),
    ),
  ];
}
