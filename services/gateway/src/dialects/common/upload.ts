import type { Readable } from 'node:stream';
import type { NodeRecord, WriteTarget } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import { mediaType } from '../../domain/media.ts';
import type { Gateway } from '../../gateway.ts';
import { UploadBody } from '../../uploads/body.ts';
import { commit } from '../../uploads/commit.ts';
import { letContinue } from '../../uploads/expect.ts';
import { type FormFile, readForm } from '../../uploads/form-reader.ts';
import { sniffType } from '../../uploads/sniff.ts';
import { announcedLength, askLeave, storeStream, takeBody } from '../../uploads/upload.ts';
import { addAll, addField, fieldsOf, isMultipart, MAX_FIELDS } from './fields.ts';

/** Bytes that are durable in the blob store; `commitFile` makes them a file, else they are collected some day. */
export interface ReceivedFile extends FormFile {
  /** Whether `head` is all of it. */
  readonly seemsComplete: boolean;
}

export interface ReceivedForm {
  readonly fields: Record<string, string>;
  readonly file?: ReceivedFile;
}

/** What the quota left when this request asked: more than that is not too large as such, but too large for the account. */
const leaves = new WeakMap<FastifyRequest, number>();

/**
 * Reads a form whose parts come in any order. The first part named `filePart` is the file, whatever else it says, and goes into the blob store
 * as it comes; every other is a field, also with a file name. `maxBytes` is asked when the file's part begins and gets the fields so far
 * and the file's name; what it throws refuses the form. A request that is no multipart form has fields only. Throws as `fieldsOf`, `too_large`, and
 * `quota_exceeded` where the limit came from `leaveFor`.
 */
export async function receiveForm(
  gateway: Gateway,
  request: FastifyRequest,
  o: {
    filePart: string;
    maxBytes: (fields: Readonly<Record<string, string>>, fileName: string) => number | Promise<number>;
  },
): Promise<ReceivedForm> {
  if (!isMultipart(request)) return { fields: await fieldsOf(gateway, request) };
  letContinue(request);
  const fields = new Map<string, string>();
  const file = await readForm(gateway, request, {
    filePart: o.filePart,
    maxFields: MAX_FIELDS,
    secondFile: 'skip',
    takeField: (name, value, isCut) => addField(fields, name, value, isCut),
    maxBytes: async (fileName) => limitFor(request, await o.maxBytes(Object.fromEntries(fields), fileName)),
  });
  addAll(fields, request.query);
  return { fields: Object.fromEntries(fields), ...(file && { file: received(file) }) };
}

/**
 * The body of a request, whatever its type, as a file. `mime` is what the header says, if that is a media type at all. Throws as
 * `receiveForm`. The route's scope must leave bodies alone (`leaveBodies`).
 */
export async function receiveBody(
  gateway: Gateway,
  request: FastifyRequest,
  o: { maxBytes: number | Promise<number> },
): Promise<ReceivedFile> {
  const limit = limitFor(request, await o.maxBytes);
  const announcedBytes = announcedLength(request);
  if (announcedBytes !== undefined && announcedBytes > limit.maxBytes)
    throw appError(limit.isQuota ? 'quota_exceeded' : 'too_large');
  letContinue(request);
  const bytes = await takeBody(gateway, request, { announcedBytes, ...limit });
  return received({ ...bytes, fileName: '', mime: mediaType(request.headers['content-type']) ?? undefined });
}

/**
 * A stream as a file, e.g. what a decoder makes of `bodyOf` the request. An AppError that the stream ends with is thrown as it is.
 */
export async function receiveStream(
  gateway: Gateway,
  request: FastifyRequest,
  source: Readable,
  o: { maxBytes: number },
): Promise<ReceivedFile> {
  const body = new UploadBody(source, gateway.config.BODY_IDLE_SECONDS * 1000);
  // Comes before the close, which alone would say that the client went away.
  source.once('error', (error) =>
    body.destroy(isAppError(error) ? error : appError('invalid_body', undefined, { cause: error })),
  );
  try {
    const limit = limitFor(request, o.maxBytes);
    const stored = await storeStream(gateway, request, body, { announcedBytes: undefined, ...limit });
    return received({
      fileName: '',
      mime: undefined,
      sha256: stored.digest,
      sizeBytes: stored.sizeBytes,
      head: body.head(),
    });
  } finally {
    source.destroy();
  }
}

/** The body of a request as a stream that may be part of a pipeline: where that fails, the client can still be answered. */
export function bodyOf(gateway: Gateway, request: FastifyRequest): Readable {
  letContinue(request);
  return new UploadBody(request.raw, gateway.config.BODY_IDLE_SECONDS * 1000);
}

/** How many bytes the quota leaves for a file at `target`. Throws what writing it would: rights, names, space for `sizeBytes`. */
export async function leaveFor(
  gateway: Gateway,
  request: FastifyRequest,
  target: WriteTarget,
  sizeBytes?: number,
): Promise<number> {
  const availableBytes = await askLeave(gateway, request, { target, name: '' }, sizeBytes);
  // Without a place nothing earlier covers it, and there is always an answer.
  const leftBytes = availableBytes ?? 0;
  leaves.set(request, leftBytes);
  return leftBytes;
}

/** Points a node to received bytes, with `mime` or what they look like. Not called off any more when the client goes away. */
export async function commitFile(
  gateway: Gateway,
  request: FastifyRequest,
  o: {
    target: WriteTarget;
    /** Tells the type where the bytes do not. */
    name: string;
    file: ReceivedFile;
    mime?: string;
    properties?: Record<string, string>;
    identifier?: string;
    publish?: boolean;
  },
): Promise<{ node: NodeRecord; created: boolean }> {
  const { file, mime, ...goal } = o;
  const type = mime ?? (await sniffType(file.head, file.seemsComplete, o.name));
  if (request.raw.socket.destroyed) throw appError('client_closed');
  return await commit(gateway, request, goal, { ...file, mime: type });
}

function limitFor(request: FastifyRequest, maxBytes: number): { maxBytes: number; isQuota: boolean } {
  return { maxBytes, isQuota: leaves.get(request) === maxBytes };
}

const received = (file: FormFile): ReceivedFile => ({ ...file, seemsComplete: file.sizeBytes <= file.head.length });
