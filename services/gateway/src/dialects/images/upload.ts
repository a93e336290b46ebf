import { Readable } from 'node:stream';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { HEAD_BYTES } from '../../uploads/body.ts';
import { sniffType } from '../../uploads/sniff.ts';
import { leaveBodies } from '../common/dialect.ts';
import { bodyOf, commitFile, leaveFor, type ReceivedFile, receiveStream } from '../common/upload.ts';
import { sendJson } from './answers.ts';
import { FOLDER, pictureExtension, uploadedImage } from './format.ts';
import { PictureJson } from './picture-json.ts';

/** What a property may hold. */
const DESCRIPTION_MAX_LENGTH = 4096;

/** `POST /api/images`. The body is read as it comes. */
export function uploadRoute(app: App, gateway: Gateway): void {
  leaveBodies(app);
  app.post('/api/images', { config: { op: 'images.upload' } }, async (request, reply) => {
    refuseCoded(request);
    const { accountId } = request.principal();
    const [account, leaveBytes] = await Promise.all([
      gateway.auth.call('getAccount', { params: { accountId } }, request.call),
      leaveFor(gateway, request, targetOf('picture')),
    ]);
    const { file, mime, description } = await receivePicture(gateway, request, leaveBytes);
    const name = `${new Date().toISOString().replace(/[:T]/g, '-').slice(0, -1)}.${pictureExtension(mime)}`;
    const properties = description === '' ? {} : { description };
    const target = targetOf(name);
    const { node } = await commitFile(gateway, request, { target, name, file, mime, properties, publish: true });
    return sendJson(reply, uploadedImage(node, account.username));
  });
}

const targetOf = (name: string) => ({
  parent: { path: [FOLDER] },
  name,
  makeFolders: true,
  ifExists: 'rename' as const,
});

function refuseCoded({ headers }: FastifyRequest): void {
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity')
    throw appError('unsupported_media_type', 'Content-Encoding is not taken');
}

interface Picture {
  readonly file: ReceivedFile;
  readonly mime: string;
  readonly description: string;
}

/**
 * Decodes the picture on its way into the blob store. The stream into the store ends only when the whole body was found right, so that
 * nothing is kept of one that was not.
 */
async function receivePicture(gateway: Gateway, request: FastifyRequest, leaveBytes: number): Promise<Picture> {
  const body = bodyOf(gateway, request);
  const decoding = new Decoding(body, gateway.config.IMAGES_MAX_BYTES);
  const source = Readable.from(decoding.bytes(), { objectMode: false, highWaterMark: 256 * 1024 });
  try {
    const file = await receiveStream(gateway, request, source, { maxBytes: leaveBytes });
    return { file, mime: decoding.mime, description: decoding.description };
  } finally {
    body.destroy();
  }
}

/** A body on its way to a picture; what it was found to be is known when `bytes` has ended. */
class Decoding {
  mime = '';
  description = '';
  readonly #body: Readable;
  readonly #maxBytes: number;

  constructor(body: Readable, maxBytes: number) {
    this.#body = body;
    this.#maxBytes = maxBytes;
  }

  async *bytes(): AsyncGenerator<Buffer> {
    const reader = new PictureJson();
    /** Held back until they tell what it is: a stranger's gigabytes are refused at their beginning. */
    let head: Buffer | undefined = Buffer.alloc(0);
    let sizeBytes = 0;
    for await (const chunk of this.#body) {
      const bytes = reader.write(chunk);
      sizeBytes += bytes.length;
      if (sizeBytes > this.#maxBytes) throw appError('too_large', `A picture has at most ${this.#maxBytes} bytes`);
      if (head === undefined) {
        if (bytes.length > 0) yield bytes;
        continue;
      }
      head = Buffer.concat([head, bytes]);
      if (head.length < HEAD_BYTES) continue;
      this.mime = await pictureType(head);
      yield head;
      head = undefined;
    }
    this.description = descriptionOf(reader.end());
    if (head === undefined) return;
    this.mime = await pictureType(head);
    yield head;
  }
}

async function pictureType(head: Buffer): Promise<string> {
  const mime = await sniffType(head.subarray(0, HEAD_BYTES), head.length <= HEAD_BYTES, '');
  if (pictureExtension(mime) === undefined) throw appError('invalid_body', 'data is not an image');
  return mime;
}

function descriptionOf({ description = null }: Readonly<Record<string, unknown>>): string {
  if (description === null) return '';
  if (typeof description !== 'string') throw appError('invalid_body', 'description is no string');
  if (description.length > DESCRIPTION_MAX_LENGTH)
    throw appError('invalid_body', `description has at most ${DESCRIPTION_MAX_LENGTH} characters`);
  if (!description.isWellFormed()) throw appError('invalid_body', 'description is not well-formed Unicode');
  return description;
}
