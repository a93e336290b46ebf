import type { WriteTarget } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parsePath, rawTail } from '../../domain/paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { announcedLength } from '../../uploads/upload.ts';
import { leaveBodies } from '../common/dialect.ts';
import { everyItem } from '../common/pages.ts';
import { commitFile, leaveFor, receiveBody } from '../common/upload.ts';
import { bodies, Refused, sendBody } from './replies.ts';

const PREFIX = '/api/file/';
/** What clients send for bytes of which they were told nothing. */
const UNTOLD = /^application\/x-www-form-urlencoded/;

/** The names of a key, from the root on. Throws `invalid_name` or `bad_request` for what can be no key. */
function namesOf(request: FastifyRequest): string[] {
  const raw = rawTail(request.originalUrl, PREFIX);
  // The router decodes before it compares: only the plain spelling of the prefix is ours.
  if (raw === undefined || raw === '') throw new Refused(bodies.unknownUrl);
  const { names, folder } = parsePath(raw);
  if (folder) throw appError('invalid_name', 'A key does not end with a slash');
  return names;
}

const ABSENT = ['not_found', 'invalid_name', 'bad_request'] as const;
const isAbsent = (error: unknown): boolean => ABSENT.some((code) => isAppError(error, code));

/** `/api/file/:key` and the list of keys, for whoever is logged in already. */
export function fileRoutes(app: App, gateway: Gateway): void {
  const { metadata, nodes, leave } = gateway;

  const send = async (request: FastifyRequest, reply: FastifyReply) => {
    try {
      const { content, name } = await nodes({ path: namesOf(request), kind: 'file' }, request);
      if (content === undefined) throw appError('not_found');
      return await sendContent(gateway, request, reply, { content, name, download: false });
    } catch (error) {
      if (isAbsent(error)) return sendBody(reply, bodies.notFound);
      throw error;
    }
  };
  // HEAD stands by itself: a route that is made for it says that the body, which is not sent, has no length.
  app.head('/api/file/*', { config: { op: 'cloudrest.head' } }, send);
  app.get('/api/file/*', { config: { op: 'cloudrest.get' }, exposeHeadRoute: false }, send);

  app.register((inner: App, _options, done) => {
    leaveBodies(inner);
    inner.put('/api/file/*', { config: { op: 'cloudrest.put' } }, async (request, reply) => {
      const names = namesOf(request);
      const announcedBytes = announcedLength(request);
      if (announcedBytes === 0) throw new Refused(bodies.noFile);
      const name = names.at(-1) ?? '';
      const parent = { path: names.slice(0, -1), kind: 'folder' as const };
      const target: WriteTarget = { parent, name, makeFolders: true, ifExists: 'replace' };
      const maxBytes = await leaveFor(gateway, request, target, announcedBytes);
      const file = await receiveBody(gateway, request, { maxBytes });
      // A chunked body shows only at its end that there is nothing in it.
      if (file.sizeBytes === 0) throw new Refused(bodies.noFile);
      const isTold = file.mime !== undefined && !UNTOLD.test(file.mime);
      await commitFile(gateway, request, { target, name, file, ...(isTold && { mime: file.mime }) });
      return sendBody(reply, bodies.uploaded(names.join('/')));
    });

    inner.delete('/api/file/*', { config: { op: 'cloudrest.delete' } }, async (request, reply) => {
      try {
        const ref = { path: namesOf(request), kind: 'file' as const };
        const { signal: _, ...call } = request.call;
        await metadata.call('deleteNode', { body: { ref, permanent: true } }, call);
        leave.forget(request.principal().accountId);
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
      return sendBody(reply, bodies.deleted);
    });
    done();
  });

  const keysOf = async (request: FastifyRequest): Promise<string[]> => {
    const found: string[] = [];
    const pages = everyItem((cursor) =>
      metadata.call('listFiles', { query: { limit: 1000, ...(cursor && { cursor }) } }, request.call),
    );
    for await (const { path } of pages) found.push(path.join('/'));
    return found;
  };
  for (const url of ['/api/files_keys', '/api/files_keys/'])
    app.get(url, { config: { op: 'cloudrest.keys' } }, async (request, reply) =>
      sendBody(reply, JSON.stringify(await keysOf(request))),
    );
}
