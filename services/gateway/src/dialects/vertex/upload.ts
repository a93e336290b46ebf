import type { NodeRecord, WriteTarget } from '@coffer/contracts';
import { type AppError, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { commitFile, leaveFor, receiveForm } from '../common/upload.ts';
import { INVALID_KEY, notCreated, Refusal, sendJson } from './errors.ts';
import { plainType } from './listing.ts';
import { both } from './routes.ts';
import { enter } from './session.ts';

/**
 * The document's own example sends the file before the key: then the bytes are stored first, for whomever, and become a file only when the
 * key is there and good. Where the key comes first, it and the space are judged before a byte is taken.
 */
export function createFileRoute(app: App, gateway: Gateway): void {
  both(app, '/create/file', { method: 'POST', config: { op: 'vertex.createFile' } }, async (request, reply) => {
    let fileName = '';
    try {
      const { fields, file } = await receiveForm(gateway, request, {
        filePart: 'file',
        maxBytes: async ({ key = keyInQuery(request) }, given) => {
          fileName = baseName(given);
          if (key === '') return gateway.config.DIALECT_UPLOAD_MAX_BYTES;
          await authorise(gateway, request, key, fileName);
          return await leaveFor(gateway, request, targetOf(fileName));
        },
      });
      await authorise(gateway, request, fields.key ?? '', fileName);
      if (file === undefined) throw notCreated('', 'No file was sent!');
      const { mime } = file;
      const target = targetOf(fileName);
      const { node } = await commitFile(gateway, request, {
        target,
        name: fileName,
        file,
        ...(mime !== undefined && { mime }),
      });
      return sendJson(reply, created(node));
    } catch (error) {
      throw isAppError(error) ? refusedFile(error, fileName) : error;
    }
  });
}

const created = (node: NodeRecord) => ({
  status: true,
  message: 'File Created Successfully! and has been saved.',
  file_type: plainType(node),
  filename: node.name,
  size: node.content?.sizeBytes ?? 0,
});

async function authorise(gateway: Gateway, request: FastifyRequest, key: string, fileName: string): Promise<void> {
  const { message } = notCreated(fileName, INVALID_KEY);
  try {
    await enter(gateway, request, key, { missing: message, unknown: message, shutOut: message });
  } catch (error) {
    throw error instanceof Refusal ? notCreated(fileName, INVALID_KEY, error.cause) : error;
  }
}

/** A second file of a name is kept beside the first, as the original's storage did it. */
const targetOf = (name: string): WriteTarget => ({ parent: { id: 'root' }, name, ifExists: 'rename' });

/** Some clients send the whole path. */
const baseName = (fileName: string): string =>
  fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1);

function keyInQuery({ query }: FastifyRequest): string {
  const { key = '' } = typeof query === 'object' && query !== null && 'key' in query ? query : {};
  return typeof key === 'string' ? key : '';
}

/** Why this file cannot be kept is told as the document tells of a bad key; faults of the request and the service keep their status. */
function refusedFile(error: AppError, fileName: string): Error {
  const { code, title, detail } = error;
  // The same words whether the space was seen to be short before or after the bytes came.
  if (code === 'quota_exceeded') return notCreated(fileName, title, error);
  return ['invalid_name', 'forbidden', 'not_found'].includes(code) ? notCreated(fileName, detail, error) : error;
}
