import { Readable } from 'node:stream';
import type { NodeRecord } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { archiveName } from '../domain/archive-names.ts';
import { contentDisposition } from '../domain/disposition.ts';
import { CONTENT_POLICY } from '../domain/media.ts';
import type { Gateway } from '../gateway.ts';
import { watchMemory } from '../transfer-memory.ts';
import { type ArchiveEntry, zipOf } from './archive.ts';
import { openContent } from './send-content.ts';

const PAGE = 500;
const BUFFER_BYTES = 256 * 1024;

/**
 * Answers a GET for a folder with a zip of all below it, called `<name>.zip`, as it is read: page by page, each file when its turn comes. The
 * first page is there before the answer begins; what fails later breaks the connection, so that nobody takes half an archive for a whole one.
 * A client that goes away ends the reading.
 */
export async function sendFolder(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { folder, name }: { folder: NodeRecord; name: string },
): Promise<FastifyReply> {
  reply.headers({
    'content-type': 'application/zip',
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': CONTENT_POLICY,
    'content-disposition': contentDisposition('attachment', `${name}.zip`),
  });
  if (request.method === 'HEAD') return reply.send();
  const pieces = zipOf(entriesOf(gateway, request, folder, archiveName({ id: folder.id, name }, false)));
  const first = await pieces.next();
  const body = Readable.from(continued(first, pieces), { objectMode: false, highWaterMark: BUFFER_BYTES });
  watchMemory(body);
  return reply.send(body);
}

async function* continued(
  first: IteratorResult<Uint8Array, unknown>,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** The folder and all below it, depth first, in the order of names; held are the folders on the way down and one page of each. */
async function* entriesOf(
  gateway: Gateway,
  request: FastifyRequest,
  folder: NodeRecord,
  path: string,
): AsyncGenerator<ArchiveEntry> {
  const levels = [{ path, children: childrenOf(gateway, request, folder.id) }];
  let next = await levels[0]?.children.next();
  yield { kind: 'folder', path, modifiedAt: new Date(folder.modifiedAt) };
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { done, value } = next ?? (await level.children.next());
    next = undefined;
    if (done === true || value === undefined) {
      levels.pop();
      continue;
    }
    const { node, name } = value;
    const entry = { path: `${level.path}/${name}`, modifiedAt: new Date(node.modifiedAt) };
    const { content } = node;
    if (content !== undefined) {
      const open = () => openContent(gateway, request, content);
      yield { kind: 'file', ...entry, sizeBytes: content.sizeBytes, open };
    } else {
      yield { kind: 'folder', ...entry };
      levels.push({ path: entry.path, children: childrenOf(gateway, request, node.id, true) });
    }
  }
}

/** `mayBeGone`: a folder that was deleted after it was seen has nothing in it any more. */
async function* childrenOf(
  gateway: Gateway,
  request: FastifyRequest,
  id: string,
  mayBeGone = false,
): AsyncGenerator<{ node: NodeRecord; name: string }> {
  let cursor: string | undefined;
  const isTwin = createTwinFinder();
  do {
    const query = { limit: PAGE, ...(cursor !== undefined && { cursor }) };
    let page: { items: NodeRecord[]; nextCursor: string | null };
    try {
      page = await gateway.metadata.call('listChildren', { params: { id }, query }, request.call);
    } catch (error) {
      if (mayBeGone && isAppError(error, 'not_found')) return;
      throw error;
    }
    for (const node of page.items) yield { node, name: archiveName(node, isTwin(node)) };
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/**
 * Whether a node is a folder with a file of its name beside it. Children come in byte order, a folder as if its name ended in `/`: between the
 * two stand only names that begin with theirs, so that no more need be remembered than the files whose names are beginnings of the latest.
 */
function createTwinFinder(): (node: NodeRecord) => boolean {
  const files: string[] = [];
  return ({ kind, name }) => {
    for (let last = files.at(-1); last !== undefined && !name.startsWith(last); last = files.at(-1)) files.pop();
    if (kind === 'folder') return files.includes(name);
    files.push(name);
    return false;
  };
}
