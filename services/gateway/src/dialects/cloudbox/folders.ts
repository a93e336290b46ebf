import { Readable } from 'node:stream';
import type { NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { type Asset, assetOf, assetsOf, findAsset } from './assets.ts';
import { requiredField } from './input.ts';
import { sendJson, urlsOf } from './routes.ts';

const PAGE = 500;
const NAME_MISSING = 'name of the folder is required';
interface Params {
  Params: { id?: string };
}

export function folderReadRoutes(app: App, gateway: Gateway): void {
  for (const url of [...urlsOf('store/folders'), ...urlsOf('store/folders/:id')]) {
    app.get<Params>(url, { config: { op: 'cloudbox.folder' } }, async (request, reply) => {
      const folder = await findAsset(gateway, request, request.params.id, 'folder');
      return sendJson(reply, await assetOf(gateway, request, folder));
    });
  }
  for (const url of [...urlsOf('store/folders/content'), ...urlsOf('store/folders/:id/content')]) {
    app.get<Params>(url, { config: { op: 'cloudbox.folderContent' } }, async (request, reply) => {
      const folder = await findAsset(gateway, request, request.params.id, 'folder');
      return await sendChildren(gateway, request, reply, folder);
    });
  }
}

export function folderWriteRoutes(app: App, gateway: Gateway): void {
  const { metadata } = gateway;
  for (const url of [...urlsOf('store/folders'), ...urlsOf('store/folders/:id')]) {
    app.post<Params>(url, { config: { op: 'cloudbox.createFolder' } }, async (request, reply) => {
      const parent = await findAsset(gateway, request, request.params.id, 'folder');
      const name = await requiredField(gateway, request, 'name', NAME_MISSING);
      const { signal: _, ...call } = request.call;
      const body = { parent: { id: parent.id }, name, rename: true };
      const { node } = await metadata.call('createFolder', { body }, call);
      return sendJson(reply.code(201), await assetOf(gateway, request, node));
    });
    app.patch<Params>(url, { config: { op: 'cloudbox.renameFolder' } }, async (request, reply) => {
      const folder = await findAsset(gateway, request, request.params.id, 'folder');
      const name = await requiredField(gateway, request, 'name', NAME_MISSING);
      return sendJson(reply, await rename(gateway, request, folder, name));
    });
    app.delete<Params>(url, { config: { op: 'cloudbox.deleteFolder' } }, async (request, reply) => {
      // Without an id it is the root that is meant.
      if (request.params.id === undefined) throw appError('forbidden');
      await remove(gateway, request, await findAsset(gateway, request, request.params.id, 'folder'));
      return reply.code(204).send();
    });
  }
}

/** Under `name`, or the next free one like it where that is taken. */
export async function rename(
  gateway: Gateway,
  request: FastifyRequest,
  { id }: NodeRecord,
  name: string,
): Promise<Asset> {
  const { signal: _, ...call } = request.call;
  const node = await gateway.metadata.call('updateNode', { params: { id }, body: { name, rename: true } }, call);
  return await assetOf(gateway, request, node);
}

/** For good: clients of this API know no trash that they could empty. */
export async function remove(gateway: Gateway, request: FastifyRequest, { id }: NodeRecord): Promise<void> {
  const { signal: _, ...call } = request.call;
  await gateway.metadata.call('deleteNode', { body: { ref: { id }, permanent: true } }, call);
  gateway.leave.forget(request.principal().accountId);
}

/** All children as one JSON array, written page by page. The first page is there before the answer begins. */
async function sendChildren(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { id }: NodeRecord,
): Promise<FastifyReply> {
  const pages = pagesOf(gateway, request, id);
  const first = await pages.next();
  const assets = first.done === true ? [] : first.value.assets;
  if (first.done === true || first.value.isLast) return sendJson(reply, assets);
  return reply.type('application/json').send(Readable.from(arrayText(assets, pages)));
}

async function* arrayText(first: readonly Asset[], rest: AsyncIterable<{ assets: Asset[] }>): AsyncGenerator<string> {
  const textOf = (assets: readonly Asset[]): string => assets.map((asset) => JSON.stringify(asset)).join(',');
  yield `[${textOf(first)}`;
  for await (const { assets } of rest) if (assets.length > 0) yield `,${textOf(assets)}`;
  yield ']';
}

async function* pagesOf(
  gateway: Gateway,
  request: FastifyRequest,
  id: string,
): AsyncGenerator<{ assets: Asset[]; isLast: boolean }> {
  let cursor: string | undefined;
  do {
    const query = { limit: PAGE, ...(cursor !== undefined && { cursor }) };
    const page = await gateway.metadata.call('listChildren', { params: { id }, query }, request.call);
    yield { assets: await assetsOf(gateway, request, page.items), isLast: page.nextCursor === null };
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
