import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { appError, isAppError } from '@coffer/service-kit';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import type { FastifyRequest } from 'fastify';
import { statedType } from '../domain/media.ts';
import type { Gateway } from '../gateway.ts';
import { UploadBody } from './body.ts';
import { storeStream } from './upload.ts';

/** The file of a form, its bytes durable in the blob store and not pointed to yet. */
export interface FormFile {
  /** As the part says it; empty where it says none. */
  readonly fileName: string;
  /** As the part says it, where that is worth anything. */
  readonly mime: string | undefined;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The first bytes, to tell the type. */
  readonly head: Buffer;
}

export interface FormRules {
  /** The part of this name is the file, whatever it says of itself; every other is a field, also where it has a file name. */
  readonly filePart: string | undefined;
  readonly maxFields: number;
  /** A second part named like the file: refuses the form, or is read and left out. */
  readonly secondFile: 'refuse' | 'skip';
  /** Gets the fields in the order of their coming; what it throws refuses the form. */
  takeField(name: string, value: string, isCut: boolean): void;
  /** How much the file may have; asked when its part begins, before its bytes are taken. What it throws refuses the form. */
  maxBytes(fileName: string): Promise<{ maxBytes: number | undefined; isQuota: boolean }>;
}

const FIELD_BYTES = 64 * 1024;

/**
 * Reads a form (RFC 7578) as it comes, its file into the blob store. Parts may be in any order. Throws what the rules threw,
 * `invalid_body` for what is no form, and what the storing threw; then nothing of it is pointed to.
 */
export async function readForm(
  gateway: Gateway,
  request: FastifyRequest,
  rules: FormRules,
): Promise<FormFile | undefined> {
  const periodMs = gateway.config.BODY_IDLE_SECONDS * 1000;
  const parser = parserFor(request.headers, rules);
  const body = new UploadBody(request.raw, periodMs);
  let file: FormFile | undefined;
  let part: Readable | undefined;
  let storing: Promise<void> | undefined;
  const stop = new AbortController();
  let refusal: Error | undefined;
  const refuse = (error: unknown): void => {
    refusal ??= error instanceof Error ? error : appError('internal', undefined, { cause: error });
    // Both ends: the body may be read to its end already while the parser waits for a part that nobody takes.
    stop.abort();
  };

  const takeFile = async (stream: Readable, fileName: string, mime: string | undefined): Promise<void> => {
    const taken = new UploadBody(stream, periodMs);
    try {
      const limit = await rules.maxBytes(fileName);
      const stored = await storeStream(gateway, request, taken, { announcedBytes: undefined, ...limit });
      file = { fileName, mime, sha256: stored.digest, sizeBytes: stored.sizeBytes, head: taken.head() };
    } finally {
      taken.destroy();
    }
  };

  parser.on('file', (_field, stream, fileName: string | undefined, _encoding, mime) => {
    // A part that breaks off: the parser says so too, and ends the form.
    stream.on('error', () => {});
    if (part !== undefined) {
      stream.resume();
      if (rules.secondFile === 'refuse') refuse(twice(rules.filePart));
      return;
    }
    part = stream;
    // The parser says text/plain where the part says nothing.
    const stated = mime === 'text/plain' ? undefined : (statedType(mime) ?? undefined);
    storing = takeFile(stream, fileName ?? '', stated).catch((error: unknown) => {
      // The part broke off with the form, which knows the reason.
      if (!isAppError(error, 'client_closed')) refuse(error);
    });
  });
  parser.on('field', (field, value, nameIsCut, valueIsCut) => {
    try {
      rules.takeField(field, value, nameIsCut || valueIsCut);
    } catch (error) {
      refuse(error);
    }
  });
  for (const event of ['partsLimit', 'fieldsLimit'] as const) {
    parser.on(event, () => refuse(appError('invalid_body', 'The form has too many parts')));
  }

  try {
    await pipeline(body, parser, { signal: stop.signal });
    await storing;
    if (refusal !== undefined) throw refusal;
    return file;
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

function parserFor(headers: IncomingHttpHeaders, { filePart, maxFields }: FormRules) {
  try {
    return Busboy({
      // Whoever calls this has seen a multipart content type.
      headers: headers as BusboyHeaders,
      limits: {
        fields: maxFields,
        fieldSize: FIELD_BYTES,
        fieldNameSize: 100,
        parts: maxFields + 2,
        headerPairs: 32,
        headerSize: 16 * 1024,
      },
      isPartAFile: (field) => field === filePart,
    });
  } catch (error) {
    throw appError('invalid_body', 'The form has no boundary', { cause: error });
  }
}

const twice = (filePart = '') =>
  appError('invalid_body', 'One request takes one file', {
    errors: [{ path: `/${filePart}`, message: 'is there twice' }],
  });
