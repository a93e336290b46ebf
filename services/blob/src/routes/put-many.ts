import type { IncomingMessage } from 'node:http';
import { blobContract, MAX_PART_BYTES, MAX_PARTS, PutManyHead } from '@coffer/contracts';
import { type App, answerPart, appError, type ServiceContext, serve } from '@coffer/service-kit';
import { Value } from 'typebox/value';
import type { BlobDriver } from '../store/driver.ts';

const LENGTH_BYTES = 4;
const MAX_BODY_BYTES = LENGTH_BYTES + MAX_PARTS * (MAX_PART_BYTES + 8 * 1024);

/** Several small blobs in one body (see the contract). They are written side by side, and one's failure is its own. */
export function putManyRoute(app: App, ctx: ServiceContext, { store }: { store: BlobDriver }): void {
  const { op } = blobContract.endpoints.put;
  serve(app, blobContract, 'putMany', async (_input, request) => {
    const answers = split(await collect(request.raw)).map(({ head, bytes }) =>
      answerPart(ctx, { op, head, bytesIn: bytes.length }, () => store.putBytes(bytes)),
    );
    return { answers: await Promise.all(answers) };
  });
}

async function collect(raw: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  const body: AsyncIterable<Buffer> = raw;
  for await (const piece of body) {
    length += piece.length;
    if (length > MAX_BODY_BYTES) throw appError('too_large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function split(body: Buffer): { head: PutManyHead['parts'][number]['head']; bytes: Buffer }[] {
  const bytesFrom = LENGTH_BYTES + (body.length < LENGTH_BYTES ? 0 : body.readUInt32BE());
  const head = parse(body.toString('utf8', LENGTH_BYTES, bytesFrom));
  let at = bytesFrom;
  const parts = head.parts.map((part) => {
    const bytes = body.subarray(at, at + part.sizeBytes);
    at += part.sizeBytes;
    return { head: part.head, bytes };
  });
  if (at !== body.length) throw appError('size_mismatch', 'The parts do not add up to the body');
  return parts;
}

function parse(text: string): PutManyHead {
  try {
    const head: unknown = JSON.parse(text);
    if (Value.Check(PutManyHead, head)) return head;
  } catch {
    // Said below.
  }
  throw appError('invalid_body', 'The head of the body is malformed');
}
