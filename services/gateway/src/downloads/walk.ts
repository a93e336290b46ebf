import type { NodeRecord } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import { archiveName } from '../domain/archive-names.ts';
import type { Gateway } from '../gateway.ts';
import { Manifest, type Seen } from './manifest.ts';

const PAGE = 1000;

/** A node and all below it, depth first, in the order of names; held are the folders on the way down and one page of each. */
export async function takeDown(
  gateway: Gateway,
  request: FastifyRequest,
  top: NodeRecord,
  name: string,
): Promise<Manifest> {
  const manifest = new Manifest();
  manifest.add(seen(top, name, 0));
  if (top.content !== undefined) return manifest;
  const levels = [childrenOf(gateway, request, top.id)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { done, value } = await level.next();
    if (done === true || value === undefined) {
      levels.pop();
      continue;
    }
    manifest.add(seen(value.node, value.name, levels.length));
    if (value.node.content === undefined) levels.push(childrenOf(gateway, request, value.node.id, true));
  }
  return manifest;
}

const seen = ({ id, content, modifiedAt }: NodeRecord, name: string, depth: number): Seen => ({
  id,
  vid: content?.vid,
  sizeBytes: content?.sizeBytes ?? 0,
  modifiedAtMs: Date.parse(modifiedAt),
  depth,
  name,
});

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
