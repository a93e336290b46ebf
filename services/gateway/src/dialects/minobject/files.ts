import path from 'node:path';
import type { NodeRecord } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { decodeText, rawTail } from '../../domain/paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { everyItem } from '../common/pages.ts';
import { fileNotFound, orElse, sendJson } from './errors.ts';

const MAX_IDENTIFIER = 1_024;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Control characters, and what stands for bytes that were no UTF-8: nobody could ask for such an identifier again. */
const INVISIBLE = /[\p{Cc}\ufffd]/u;

/** Whether a file can have this identifier: printable characters, slashes and all. */
export const isIdentifier = (text: string): boolean =>
  text !== '' && text.length <= MAX_IDENTIFIER && text.isWellFormed() && !INVISIBLE.test(text);

/** The name of the file as it was uploaded, beside the form's other fields; what a form calls so itself is of no account. */
export const FILE_NAME = 'filename';

const fileNameOf = ({ properties, name, identifier }: NodeRecord): string =>
  (identifier === undefined ? undefined : properties[FILE_NAME]) ?? name;

/** What the file is called here; one that came through another door has no identifier but its node's id. */
const identifierOf = ({ identifier, id }: NodeRecord): string => identifier ?? id;

/** What is behind `prefix` in the URL, decoded once: a slash in it may be spelt either way. */
function identifierIn(request: FastifyRequest, prefix: string): string {
  const raw = rawTail(request.originalUrl, prefix);
  if (raw === undefined) throw fileNotFound();
  const identifier = orBadRequest(() => decodeText(raw));
  if (identifier === undefined || !isIdentifier(identifier)) throw fileNotFound();
  return identifier;
}

/** Undefined where the URL is not well encoded: no file is called like that. */
function orBadRequest(decode: () => string): string | undefined {
  try {
    return decode();
  } catch (error) {
    if (isAppError(error, 'bad_request')) return undefined;
    throw error;
  }
}

/** `forbidden` for what is there, but not the caller's to see. */
async function find({ metadata }: Gateway, request: FastifyRequest, identifier: string): Promise<NodeRecord> {
  const { call } = request;
  if (UUID.test(identifier)) {
    try {
      const node = await metadata.call('resolve', { body: { ref: { id: identifier }, tellHidden: true } }, call);
      if (node.kind === 'file') return node;
    } catch (error) {
      if (!isAppError(error, 'not_found')) throw error;
    }
  }
  return await orElse(metadata.call('findByIdentifier', { body: { identifier } }, call), 'not_found', fileNotFound);
}

export function fileRoutes(app: App, gateway: Gateway): void {
  const { auth, metadata, leave } = gateway;

  const send = async (request: FastifyRequest, reply: FastifyReply) => {
    const node = await find(gateway, request, identifierIn(request, '/data/file/'));
    if (node.content === undefined) throw fileNotFound();
    const name = `${identifierOf(node)}${path.posix.extname(fileNameOf(node))}`;
    return await sendContent(gateway, request, reply, { content: node.content, name, download: true });
  };
  // HEAD stands by itself: a route that is made for it says that the body, which is not sent, has no length.
  app.head('/data/file/*', { config: { op: 'minobject.head' } }, send);
  app.get('/data/file/*', { config: { op: 'minobject.get' }, exposeHeadRoute: false }, send);

  app.delete('/data/file/*', { config: { op: 'minobject.delete' } }, async (request, reply) => {
    const { id } = await find(gateway, request, identifierIn(request, '/data/file/'));
    const { signal: _, ...call } = request.call;
    await orElse(
      metadata.call('deleteNode', { body: { ref: { id }, permanent: true } }, call),
      'not_found',
      fileNotFound,
    );
    leave.forget(request.principal().accountId);
    return sendJson(reply, { message: 'File deleted' });
  });

  app.get('/data/metadata/*', { config: { op: 'minobject.metadata' } }, async (request, reply) => {
    const node = await find(gateway, request, identifierIn(request, '/data/metadata/'));
    const { accounts } = await auth.call('lookUpAccounts', { body: { logins: [node.ownerId] } }, request.call);
    const [owner] = accounts;
    if (!owner) throw appError('not_found', 'File not found');
    const computed = new Map([
      ['file_identifier', identifierOf(node)],
      ['owner', owner.username],
      [FILE_NAME, fileNameOf(node)],
    ]);
    const others = Object.entries(node.properties).filter(([name]) => !computed.has(name));
    return sendJson(reply, Object.fromEntries([...others, ...computed]));
  });

  for (const url of ['/data/user_file', '/data/user_file/']) {
    app.get(url, { config: { op: 'minobject.list' } }, async (request, reply) => {
      const identifiers: string[] = [];
      const pages = everyItem((cursor) =>
        metadata.call('listFiles', { query: { limit: 1000, ...(cursor && { cursor }) } }, request.call),
      );
      for await (const { node } of pages) identifiers.push(identifierOf(node));
      return sendJson(reply, { file_identifiers: identifiers });
    });
  }
}
