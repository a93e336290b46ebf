import { createHash } from 'node:crypto';
import type { NodeRecord, StoredBlob } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import { type ExpectedDigests, expectedDigests } from '../domain/digests.ts';
import { statedType } from '../domain/media.ts';
import type { Gateway } from '../gateway.ts';
import { watchMemory } from '../transfer-memory.ts';
import { collectBody, HEAD_BYTES, UploadBody } from './body.ts';
import { commit, preconditionsOf, type UploadGoal } from './commit.ts';
import { letContinue } from './expect.ts';
import { sniffType } from './sniff.ts';

/** Bodies up to this size are taken whole before they go on: one write instead of a stream, which costs more than they weigh. */
const SMALL_BYTES = 64 * 1024;

/**
 * One upload whose body is the file: asks for leave, takes the bytes, and points the node to them. The order is what makes it safe: nothing
 * is seen before its bytes are durable, and a client that goes away before the last step leaves nothing but bytes for collection. The last
 * step is not called off any more.
 */
export async function uploadBody(
  gateway: Gateway,
  request: FastifyRequest,
  goal: UploadGoal,
): Promise<{ node: NodeRecord; created: boolean }> {
  const stated = statedTypeOf(request);
  const announcedBytes = announcedLength(request);
  const digests = expectedDigests(request.headers);
  const maxBytes = await askLeave(gateway, request, goal, announcedBytes);
  letContinue(request);
  const bytes = await takeBody(gateway, request, { announcedBytes, maxBytes, digests });
  const mime = stated ?? (await sniffType(bytes.head, bytes.sizeBytes <= bytes.head.length, goal.name));
  // The last moment to call it off; after this the client may go, and what it asked for is done.
  if (request.raw.socket.destroyed) throw appError('client_closed');
  return await commit(gateway, request, goal, { ...bytes, mime });
}

function statedTypeOf(request: FastifyRequest): string | undefined {
  const { 'content-type': type, 'content-encoding': coding, 'content-range': range } = request.headers;
  if (coding !== undefined && coding !== 'identity') {
    throw appError('unsupported_media_type', 'Content-Encoding is not taken: the bytes are kept as they come');
  }
  // RFC 9110, 14.4: a part must not be taken for the whole.
  if (range !== undefined)
    throw appError('invalid_header', 'Content-Range is not taken: a file is replaced as a whole');
  const stated = statedType(type);
  if (stated === null) throw appError('unsupported_media_type', 'The Content-Type is malformed');
  return stated;
}

/** Undefined for a chunked body. HTTP has a request with neither length nor coding mean an empty body. */
export function announcedLength({ headers }: FastifyRequest): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  return Number(headers['content-length'] ?? 0);
}

/**
 * Rights, names, conditions and space, asked before any byte is taken. Answers how many bytes the quota leaves, or undefined where earlier
 * leave covers this one.
 */
export async function askLeave(
  gateway: Gateway,
  request: FastifyRequest,
  goal: UploadGoal,
  sizeBytes: number | undefined,
): Promise<number | undefined> {
  const { accountId } = request.principal();
  const { place, conditions } = goal;
  const preconditions = preconditionsOf(conditions);
  const known = place !== undefined && preconditions === undefined;
  const small = sizeBytes !== undefined && sizeBytes <= SMALL_BYTES;
  if (known && small && gateway.leave.take(accountId, place, sizeBytes)) return undefined;
  const { availableBytes } = await gateway.metadata.call(
    'prepareWrite',
    {
      body: {
        target: goal.target,
        ...(sizeBytes !== undefined && { sizeBytes }),
        ...(preconditions && { preconditions }),
      },
    },
    request.call,
  );
  if (known) gateway.leave.grant(accountId, place, availableBytes - (sizeBytes ?? 0));
  return availableBytes;
}

interface Expected {
  readonly announcedBytes: number | undefined;
  readonly maxBytes: number | undefined;
  readonly digests?: ExpectedDigests | undefined;
  /** Whether `maxBytes` is what the account's quota leaves (the default): what is too large is so for this account only. */
  readonly isQuota?: boolean | undefined;
}

/** A request's body, whole, into the blob store. */
export async function takeBody(
  gateway: Gateway,
  request: FastifyRequest,
  { announcedBytes, maxBytes, digests, isQuota }: Expected,
): Promise<{ sha256: string; sizeBytes: number; head: Buffer }> {
  if (announcedBytes !== undefined && announcedBytes <= SMALL_BYTES) {
    const body =
      announcedBytes === 0 ? Buffer.alloc(0) : await collectBody(request.raw, gateway.config.BODY_IDLE_SECONDS * 1000);
    const { sha256 } = await storeBuffer(gateway, request, body, digests);
    return { sha256, sizeBytes: body.length, head: body.subarray(0, HEAD_BYTES) };
  }
  const body = new UploadBody(request.raw, gateway.config.BODY_IDLE_SECONDS * 1000);
  const stored = await storeStream(gateway, request, body, { announcedBytes, maxBytes, digests, isQuota });
  return { sha256: stored.digest, sizeBytes: stored.sizeBytes, head: body.head() };
}

async function storeBuffer(
  gateway: Gateway,
  request: FastifyRequest,
  body: Buffer,
  digests: ExpectedDigests | undefined,
): Promise<{ sha256: string }> {
  if (body.length === 0) return { sha256: emptyDigest(digests) };
  if (digests === undefined) return { sha256: (await gateway.writes.put(body, request.call)).digest };
  const query = { sizeBytes: body.length, ...digests };
  const { digest } = await gateway.blob.send('put', { query, body, contentLength: body.length }, request.call);
  return { sha256: digest };
}

/** An empty file has no bytes to store; what was announced of them is checked here. */
function emptyDigest(digests: ExpectedDigests | undefined): string {
  for (const [algorithm, expected] of Object.entries(digests ?? {})) {
    if (createHash(algorithm).digest('hex') !== expected) throw appError('digest_mismatch');
  }
  return EMPTY_SHA256;
}
const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** Streams `body` into the blob store; it is destroyed when that fails, and nothing is kept. */
export async function storeStream(
  gateway: Gateway,
  request: FastifyRequest,
  source: UploadBody,
  { announcedBytes, maxBytes, digests, isQuota = true }: Expected,
): Promise<StoredBlob> {
  watchMemory(source);
  try {
    return await gateway.blob.send(
      'put',
      {
        query: {
          ...(announcedBytes !== undefined && { sizeBytes: announcedBytes }),
          ...(maxBytes !== undefined && { maxBytes }),
          ...digests,
        },
        body: source,
        ...(announcedBytes !== undefined && { contentLength: announcedBytes }),
      },
      request.call,
    );
  } catch (error) {
    // What the body itself ended with says more than that its end broke the call.
    if (source.errored instanceof Error && isAppError(source.errored)) throw source.errored;
    if (isQuota && isAppError(error, 'too_large')) throw appError('quota_exceeded');
    throw error;
  } finally {
    source.destroy();
  }
}
