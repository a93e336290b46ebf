import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NodeRecord } from '@coffer/contracts';
import { appError, isAppError, newId } from '@coffer/service-kit';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { idempotencyOf } from '../domain/fingerprints.ts';
import { statedType } from '../domain/media.ts';
import { checkName } from '../domain/paths.ts';
import type { Gateway } from '../gateway.ts';
import { UploadBody } from './body.ts';
import { commit } from './commit.ts';
import { isAwaitingContinue, letContinue } from './expect.ts';
import { sniffType } from './sniff.ts';
import { askLeave, storeStream } from './upload.ts';

const FILE = 'file';
const LIMITS = {
  fields: 8,
  fieldSize: 64 * 1024,
  fieldNameSize: 100,
  parts: 10,
  headerPairs: 32,
  headerSize: 16 * 1024,
};

interface Form {
  name?: string;
  properties?: Record<string, string>;
  file?: { name: string; mime: string; sha256: string; sizeBytes: number; head: Buffer };
}

/**
 * One file from a form: the part named `file` is it, whatever the others say of themselves (some clients give every part a file name); the
 * fields `name` and `properties` may come before or after it. So the bytes are stored first, and the node is made at the end, when all is known.
 */
export async function uploadForm(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  parentId: string,
): Promise<NodeRecord> {
  // Rights and space can be judged without a name, so that a client that waits to be told need not send in vain.
  if (isAwaitingContinue(request)) await askLeave(gateway, request, goalOf(parentId, undefined), undefined);
  letContinue(request, reply);
  const { name: givenName, properties, file } = await readForm(gateway, request, parentId);
  if (file === undefined) throw missing(FILE);
  const name = givenName ?? file.name;
  if (name === '') throw missing('name');
  checkName(name);
  const idempotency = idempotencyOf(
    request.headers['idempotency-key'],
    { caller: request.principal().accountId, op: 'files.create', body: [parentId, name, properties, file.sha256] },
    gateway.ctx.internalSecret,
  );
  const mime = file.mime === '' ? await sniffType(file.head, file.sizeBytes <= file.head.length, name) : file.mime;
  if (request.raw.socket.destroyed) throw appError('client_closed');
  const goal = { ...goalOf(parentId, name), properties, idempotency };
  const { node } = await commit(gateway, request, goal, { ...file, mime });
  return node;
}

/** Without a name the question is about the folder alone: nothing there is called like this. */
function goalOf(parentId: string, name: string | undefined) {
  const target = { parent: { id: parentId }, name: name ?? newId(), ifExists: 'fail' as const };
  return { target, name: name ?? '' };
}

async function readForm(gateway: Gateway, request: FastifyRequest, parentId: string): Promise<Form> {
  const periodMs = gateway.config.BODY_IDLE_SECONDS * 1000;
  const form: Form = {};
  const parser = parserFor(request.headers);
  const body = new UploadBody(request.raw, periodMs);
  let part: Readable | undefined;
  let storing: Promise<void> | undefined;
  const stop = new AbortController();
  let refusal: Error | undefined;
  const refuse = (error: Error): void => {
    refusal ??= error;
    // Both ends: the body may be read to its end already while the parser waits for a part that nobody takes.
    stop.abort();
  };

  const takeFile = async (
    stream: Readable,
    fileName: string,
  ): Promise<Omit<NonNullable<Form['file']>, 'name' | 'mime'>> => {
    const taken = new UploadBody(stream, periodMs);
    // Whoever repeats a request under its key finds the name taken by the first of them, and is to be answered all the same.
    const isRepeatable = request.headers['idempotency-key'] !== undefined;
    const known = isRepeatable ? undefined : (form.name ?? (fileName === '' ? undefined : fileName));
    if (known !== undefined) checkName(known);
    try {
      const maxBytes = await askLeave(gateway, request, goalOf(parentId, known), undefined);
      const stored = await storeStream(gateway, request, taken, {
        announcedBytes: undefined,
        maxBytes,
        digests: undefined,
      });
      return { sha256: stored.digest, sizeBytes: stored.sizeBytes, head: taken.head() };
    } finally {
      taken.destroy();
    }
  };

  parser.on('file', (_field, stream, fileName: string | undefined, _encoding, mime) => {
    // A part that breaks off: the parser says so too, and ends the form.
    stream.on('error', () => {});
    if (part !== undefined) {
      stream.resume();
      refuse(
        appError('invalid_body', 'One request takes one file', {
          errors: [{ path: `/${FILE}`, message: 'is there twice' }],
        }),
      );
      return;
    }
    part = stream;
    // The parser says text/plain where the part says nothing.
    const stated = mime === 'text/plain' ? undefined : statedType(mime);
    storing = takeFile(stream, fileName ?? '').then(
      (bytes) => {
        form.file = { ...bytes, name: fileName ?? '', mime: stated ?? '' };
      },
      (error: unknown) => {
        // The part broke off with the form, which knows the reason.
        if (isAppError(error, 'client_closed')) return;
        refuse(error instanceof Error ? error : appError('internal', undefined, { cause: error }));
      },
    );
  });
  parser.on('field', (field, value, _nameTruncated, truncated) => {
    try {
      takeField(form, field, value, truncated);
    } catch (error) {
      refuse(error instanceof Error ? error : appError('invalid_body'));
    }
  });
  for (const event of ['partsLimit', 'fieldsLimit'] as const) {
    parser.on(event, () => refuse(appError('invalid_body', 'The form has too many parts')));
  }

  try {
    await pipeline(body, parser, { signal: stop.signal });
    await storing;
    if (refusal !== undefined) throw refusal;
    return form;
  } catch (error) {
    part?.destroy();
    await storing;
    if (refusal !== undefined) throw refusal;
    if (isAppError(body.errored)) throw body.errored;
    throw appError('invalid_body', 'The form is malformed', { cause: error });
  } finally {
    body.destroy();
  }
}

function parserFor(headers: IncomingHttpHeaders) {
  try {
    // The route is reached with a multipart content type alone.
    return Busboy({ headers: headers as BusboyHeaders, limits: LIMITS, isPartAFile: (field) => field === FILE });
  } catch (error) {
    throw appError('invalid_body', 'The form has no boundary', { cause: error });
  }
}

function takeField(form: Form, field: string, value: string, truncated: boolean): void {
  const wrong = (message: string) =>
    appError('invalid_body', `/${field} ${message}`, { errors: [{ path: `/${field}`, message }] });
  if (truncated) throw wrong('is too long');
  if (field === 'name' && form.name === undefined) {
    checkName(value);
    form.name = value;
  } else if (field === 'properties' && form.properties === undefined) {
    const properties = parseProperties(value);
    if (properties === undefined) throw wrong('must be a JSON object of strings');
    form.properties = properties;
  } else {
    throw wrong(field === 'name' || field === 'properties' ? 'is there twice' : 'is not known here');
  }
}

function parseProperties(text: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')
      ? Object.fromEntries(entries)
      : undefined;
  } catch {
    return undefined;
  }
}

const missing = (field: string) =>
  appError('invalid_body', `/${field} is required`, { errors: [{ path: `/${field}`, message: 'is required' }] });
