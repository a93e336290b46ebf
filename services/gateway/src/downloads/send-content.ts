import { Readable } from 'node:stream';
import type { Content } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { judgeRead } from '../domain/conditions.ts';
import { contentDisposition } from '../domain/disposition.ts';
import { CONTENT_POLICY, isSafeInline } from '../domain/media.ts';
import { type ByteRange, parseRange, type Slice, slicesOf } from '../domain/ranges.ts';
import type { Gateway } from '../gateway.ts';
import { watchMemory } from '../transfer-memory.ts';

/** Answers up to this size are sent from memory: a stream costs more than they weigh. */
const SMALL_BYTES = 64 * 1024;
/** Answers from this size on take a connection of their own to the blob service, and a quarter of the work for each byte. */
const LARGE_BYTES = 1024 * 1024;
const RANGE_HEADER_MAX = 1_024;

/**
 * Answers a GET or HEAD for a file's content: conditions, range and headers by RFC 9110, the bytes from the blob store. The first bytes are
 * there before the answer begins, so that missing ones are a clean failure; later ones can only break the connection.
 */
export async function sendContent(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  o: {
    content: Content;
    name: string;
    download: boolean;
    /** Called once it is sure that bytes will be sent, before the first of them; what it throws is the answer. */
    beforeBytes?: () => Promise<void>;
  },
): Promise<FastifyReply> {
  const { content, name, download } = o;
  const { etag, mime, sizeBytes } = content;
  const modifiedAtMs = Date.parse(content.at);
  const outcome = judgeRead(request.headers, { etag, modifiedAtMs });
  if (outcome.status === 412) throw appError('precondition_failed');
  const validators = {
    etag: `"${etag}"`,
    'last-modified': new Date(modifiedAtMs).toUTCString(),
    'cache-control': 'private, no-cache',
  };
  if (outcome.status === 304) return reply.code(304).headers(validators).send();

  // Ranges are defined for GET alone (RFC 9110, 14.2).
  const range = request.method === 'GET' && outcome.range ? rangeOf(request, sizeBytes) : undefined;
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  if (request.method === 'GET') await o.beforeBytes?.();
  // For HEAD an empty stream: where there is nothing at all, the framework says that the length is 0.
  const body =
    request.method === 'HEAD'
      ? Readable.from([])
      : await openSlices(gateway, request, slicesOf(content.chunks, { start, end }), end - start);
  if (range !== undefined) reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
  return reply
    .headers({
      ...validators,
      'content-type': mime,
      'content-length': end - start,
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': CONTENT_POLICY,
      'content-disposition': contentDisposition(download || !isSafeInline(mime) ? 'attachment' : 'inline', name),
    })
    .send(body);
}

/** Undefined: the whole. */
function rangeOf({ headers }: FastifyRequest, sizeBytes: number): ByteRange | undefined {
  if (headers.range !== undefined && headers.range.length > RANGE_HEADER_MAX)
    throw appError('invalid_header', 'Range is too long');
  const range = parseRange(headers.range, sizeBytes);
  if (range.kind === 'whole') return undefined;
  if (range.kind === 'part') return range;
  throw appError('range_not_satisfiable', undefined, { headers: { 'content-range': `bytes */${sizeBytes}` } });
}

async function openSlices(
  gateway: Gateway,
  request: FastifyRequest,
  slices: readonly Slice[],
  lengthBytes: number,
): Promise<Buffer | Readable> {
  const [first, ...rest] = slices;
  if (first === undefined) return Buffer.alloc(0);
  const isSmall = lengthBytes <= SMALL_BYTES && rest.length === 0;
  const kept = isSmall ? gateway.smallBlobs.get(first) : undefined;
  if (kept !== undefined) return kept;
  const head = await openSlice(gateway, request, first);
  if (isSmall) {
    const bytes = await readWhole(head, lengthBytes);
    // A part of a blob does not hash to its name and is not kept.
    if (first.offset === 0) gateway.smallBlobs.keep(first.digest, bytes);
    return bytes;
  }
  if (rest.length === 0) return head;
  const body = Readable.from(concatenated(gateway, request, head, rest), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
  watchMemory(body);
  return body;
}

/** Whether `openContent` takes all of it into memory. */
export const isReadWhole = ({ chunks, sizeBytes }: Content): boolean => sizeBytes <= SMALL_BYTES && chunks.length <= 1;

/** All bytes of a file; the first of them are there when this answers. Throws `blob_missing`. */
export async function openContent(
  gateway: Gateway,
  request: FastifyRequest,
  { chunks, sizeBytes }: Content,
): Promise<AsyncIterable<Uint8Array>> {
  const body = await openSlices(gateway, request, slicesOf(chunks, { start: 0, end: sizeBytes }), sizeBytes);
  return body instanceof Readable ? body : once(body);
}

/** A stream would weigh more than the bytes do. */
async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function* concatenated(
  gateway: Gateway,
  request: FastifyRequest,
  head: Readable,
  rest: readonly Slice[],
): AsyncGenerator<Buffer> {
  yield* head;
  for (const slice of rest) yield* await openSlice(gateway, request, slice);
}

async function openSlice(
  gateway: Gateway,
  request: FastifyRequest,
  { digest, offset, length }: Slice,
): Promise<Readable> {
  try {
    const query = { offset, length };
    const input = { params: { digest }, query };
    const { body, sizeBytes } = await (length < LARGE_BYTES
      ? gateway.blob.open('get', input, request.call)
      : gateway.blob.relay('get', input, request.call));
    if (sizeBytes === length) return body;
    body.destroy();
  } catch (error) {
    if (!isAppError(error, 'not_found') && !isAppError(error, 'range_not_satisfiable')) throw error;
  }
  request.log.error({ digest, offset, length }, 'stored bytes are missing');
  throw appError('blob_missing');
}

function readWhole(body: Readable, lengthBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    body.on('data', (chunk: Buffer) => chunks.push(chunk));
    body.on('error', reject);
    body.on('end', () => {
      const [only] = chunks;
      const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      if (whole.length === lengthBytes) resolve(whole);
      else reject(appError('blob_missing'));
    });
  });
}
