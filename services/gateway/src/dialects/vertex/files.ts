import type { NodeRecord } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { fieldsOf } from '../common/fields.ts';
import { everyItem } from '../common/pages.ts';
import { Refusal, sendJson, sendText } from './errors.ts';
import { type ListedFile, listingJson } from './listing.ts';
import { both } from './routes.ts';
import { enter, lastingCall } from './session.ts';

const PAGE_LENGTH = 1000;

export function fileRoutes(app: App, gateway: Gateway): void {
  const secret = gateway.ctx.internalSecret;

  both(app, '/get/files', { method: 'POST', config: { op: 'vertex.listFiles' } }, async (request, reply) => {
    const { key } = await fieldsOf(gateway, request);
    const unknown = 'Invalid Key entered For this user. You can use /token/ endpoint to create a new key';
    const shutOut = 'User credentail is not valid for this Operation';
    await enter(gateway, request, key, { missing: unknown, unknown, shutOut });
    const files = await allFiles(gateway, request);
    if (files.length === 0) throw new Refusal('No file is available under this User', { authorization: 'user-token' });
    return sendText(reply, listingJson(files, secret));
  });

  both(app, '/get/file', { method: 'GET', config: { op: 'vertex.getFile' } }, async (request, reply) => {
    const { id, token } = await fieldsOf(gateway, request);
    const unknown = "Invalid Token Key. you can visit '/token/' for a new token key or get your existing ones";
    await enter(gateway, request, token, {
      missing: 'Invalid Token or Did you forget to add your token to your parameters?',
      unknown,
      shutOut: unknown,
    });
    const found = await ownFile(gateway, request, id);
    if (found === undefined) throw new Refusal('File matching query does not exist.');
    return sendText(reply, listingJson([{ ...found, path: [found.node.name] }], secret));
  });

  const deletion = { method: 'GET', config: { op: 'vertex.deleteFile' }, exposeHeadRoute: false };
  both(app, '/delete/file', deletion, async (request, reply) => {
    const { id, key } = await fieldsOf(gateway, request);
    await enter(gateway, request, key, {
      missing: 'Route is locked due to No login credentials Found. Login to contnue',
      unknown: 'Invalid Token Key.',
      shutOut: 'Invalid Token key',
    });
    const found = await ownFile(gateway, request, id);
    if (found === undefined || !(await remove(gateway, request, found.node)))
      throw new Refusal('Could not delete file due to File not exists or invalid id given');
    const message = `File with id : '${found.number}' has been deleted`;
    return sendJson(reply, { status: true, message, authorization: 'user-token' });
  });
}

async function allFiles(gateway: Gateway, request: FastifyRequest): Promise<ListedFile[]> {
  const found: { node: NodeRecord; path: readonly string[] }[] = [];
  const pages = everyItem<{ node: NodeRecord; path: string[] }>((cursor) => {
    const query = { limit: PAGE_LENGTH, ...(cursor !== undefined && { cursor }) };
    return gateway.metadata.call('listFiles', { query }, request.call);
  });
  for await (const { node, path } of pages) found.push({ node, path });
  const numbers = await giveNumbers(
    gateway,
    request,
    found.filter(({ node }) => node.number === undefined).map(({ node }) => node.id),
  );
  return found.flatMap(({ node, path }) => {
    const number = node.number ?? numbers.get(node.id);
    // Deleted since it was listed.
    return number === undefined ? [] : [{ node, path, number }];
  });
}

async function giveNumbers(
  gateway: Gateway,
  request: FastifyRequest,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  for (let from = 0; from < ids.length; from += PAGE_LENGTH) {
    const some = ids.slice(from, from + PAGE_LENGTH);
    const given = await gateway.metadata.call('numberNodes', { body: { ids: some } }, request.call);
    for (const [at, id] of some.entries()) {
      const number = given.numbers[at] ?? null;
      if (number !== null) numbers.set(id, number);
    }
  }
  return numbers;
}

/** The caller's file of this number; another's that is shared with the caller is none of this API's. */
async function ownFile(gateway: Gateway, request: FastifyRequest, id: string | undefined) {
  if (id === undefined || !/^[1-9]\d{0,14}$/.test(id)) return undefined;
  const number = Number(id);
  try {
    const node = await gateway.metadata.call('findByNumber', { params: { number } }, request.call);
    const isOwn = node.ownerId === request.principal().accountId;
    return isOwn && node.kind === 'file' ? { node, number } : undefined;
  } catch (error) {
    if (isAppError(error, 'not_found')) return undefined;
    throw error;
  }
}

/** False where another was faster. */
async function remove(gateway: Gateway, request: FastifyRequest, { id }: NodeRecord): Promise<boolean> {
  try {
    await gateway.metadata.call('deleteNode', { body: { ref: { id }, permanent: true } }, lastingCall(request));
    return true;
  } catch (error) {
    if (isAppError(error, 'not_found')) return false;
    throw error;
  }
}
