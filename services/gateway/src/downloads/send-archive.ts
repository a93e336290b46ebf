import { Readable } from 'node:stream';
import type { Content, NodeRecord } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { archiveName } from '../domain/archive-names.ts';
import { contentDisposition } from '../domain/disposition.ts';
import { CONTENT_POLICY } from '../domain/media.ts';
import type { Gateway } from '../gateway.ts';
import { watchMemory } from '../transfer-memory.ts';
import { type ArchiveEntry, zipOf } from './archive.ts';
import type { Manifest, Planned } from './manifest.ts';
import { isReadWhole, openContent } from './send-content.ts';
import { takeDown } from './walk.ts';

const BUFFER_BYTES = 256 * 1024;
/** Entries are looked at again together, as far as their bytes are soon sent. */
const AHEAD_ENTRIES = 64;
const AHEAD_BYTES = 4 * 1024 * 1024;
/** Small files are read so many ahead of their turn: the way there takes longer than their bytes. */
const READ_AHEAD = 8;
/** So long does a look hold. */
const FRESH_MS = 500;

/**
 * Answers a GET or HEAD with a zip of a node and all below it, called `<name>.zip`. What it holds is written down first, so that its exact
 * length is announced; each entry is looked at again when its turn comes. One that is gone, was changed or may no longer be read breaks the
 * connection, as does whatever else fails: nobody takes half an archive, or one with other bytes in it, for a whole one.
 * Throws `too_large` for more entries than an archive takes here.
 */
export async function sendArchive(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { node, name, beforeBytes }: { node: NodeRecord; name: string; beforeBytes?: () => Promise<void> },
): Promise<FastifyReply> {
  const manifest = await takeDown(gateway, request, node, archiveName({ id: node.id, name }, false));
  const isHead = request.method === 'HEAD';
  if (!isHead) await beforeBytes?.();
  const pieces = isHead ? undefined : zipOf(entriesOf(gateway, request, manifest));
  // The first entry is there before the answer begins, so that its failure is a clean one.
  const first = await pieces?.next();
  reply.headers({
    'content-type': 'application/zip',
    'content-length': manifest.archiveBytes(),
    'accept-ranges': 'none',
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': CONTENT_POLICY,
    'content-disposition': contentDisposition('attachment', `${name}.zip`),
  });
  if (pieces === undefined || first === undefined) return reply.send();
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

async function* entriesOf(gateway: Gateway, request: FastifyRequest, manifest: Manifest): AsyncGenerator<ArchiveEntry> {
  for (const group of groupsOf(manifest.entries())) {
    let records: NodeRecord[] = [];
    let from = 0;
    let lookedAtMs = Number.NEGATIVE_INFINITY;
    const begun = new Map<number, Promise<AsyncIterable<Uint8Array>>>();
    const open = (at: number, content: Content): Promise<AsyncIterable<Uint8Array>> => {
      const opening = begun.get(at) ?? openContent(gateway, request, content);
      begun.set(at, opening);
      return opening;
    };
    for (const [index, planned] of group.entries()) {
      if (performance.now() - lookedAtMs > FRESH_MS) {
        records = await Promise.all(group.slice(index).map((entry) => lookAgain(gateway, request, entry)));
        from = index;
        lookedAtMs = performance.now();
      }
      const entry = { path: planned.path, modifiedAt: new Date(planned.modifiedAtMs) };
      const content = records[index - from]?.content;
      if (content === undefined) yield { kind: 'folder', ...entry };
      else {
        for (const [ahead, later] of records.slice(index - from, index - from + READ_AHEAD).entries()) {
          // One that fails is told when its turn comes.
          if (later.content && isReadWhole(later.content)) open(index + ahead, later.content).catch(() => {});
        }
        yield { kind: 'file', ...entry, sizeBytes: planned.sizeBytes, open: () => open(index, content) };
        begun.delete(index);
      }
    }
  }
}

function* groupsOf(entries: Iterable<Planned>): Generator<Planned[]> {
  let group: Planned[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    if (group.length === AHEAD_ENTRIES || (group.length > 0 && sizeBytes + entry.sizeBytes > AHEAD_BYTES)) {
      yield group;
      group = [];
      sizeBytes = 0;
    }
    group.push(entry);
    sizeBytes += entry.sizeBytes;
  }
  if (group.length > 0) yield group;
}

async function lookAgain(gateway: Gateway, request: FastifyRequest, { id, vid }: Planned): Promise<NodeRecord> {
  try {
    const record = await gateway.nodes({ id }, request);
    if (record.content?.vid === vid && record.trashedAt === null) return record;
  } catch (error) {
    if (!isAppError(error, 'not_found')) throw error;
  }
  throw appError('gone', 'What was to be archived has changed meanwhile');
}
