import type { WriteTarget } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { App, Gateway } from '../../gateway.ts';
import { commitFile, leaveFor, receiveForm } from '../common/upload.ts';
import { identifierTaken, noFilePart, noIdentifier, orElse, sendJson } from './errors.ts';
import { FILE_NAME, isIdentifier } from './files.ts';

const MAX_NAME_BYTES = 255;
const FALLBACK_NAME = 'file';

/** Bytes first, wherever they stand in the form; whether the identifier is free is judged when the file is made, and only there. */
export function uploadRoute(app: App, gateway: Gateway): void {
  for (const url of ['/data/file', '/data/file/']) {
    app.post(url, { config: { op: 'minobject.upload' } }, async (request, reply) => {
      const { fields, file } = await receiveForm(gateway, request, {
        filePart: 'file',
        maxBytes: () => leaveFor(gateway, request, targetFor(FALLBACK_NAME)),
      });
      // A browser's form sends an empty part where nobody chose a file.
      if (file === undefined || (file.fileName === '' && file.sizeBytes === 0)) throw noFilePart();
      const { file_identifier: identifier = '', ...others } = fields;
      if (identifier === '') throw noIdentifier();
      if (!isIdentifier(identifier))
        throw appError('invalid_body', 'File identifier must have at most 1024 printable characters');
      const name = nodeNameOf(file.fileName);
      const properties = { ...others, [FILE_NAME]: file.fileName };
      const mime = file.mime === undefined ? {} : { mime: file.mime };
      const writing = commitFile(gateway, request, {
        target: targetFor(name),
        name,
        file,
        ...mime,
        properties,
        identifier,
      });
      await orElse(writing, 'identifier_taken', identifierTaken);
      return sendJson(reply.code(201), { message: 'File uploaded successfully' });
    });
  }
}

const targetFor = (name: string): WriteTarget => ({ parent: { id: 'root' }, name, ifExists: 'rename' });

/** The last name of what a client says the file is called, as the tree can have it; long ones keep their extension. */
export function nodeNameOf(fileName: string): string {
  const name = (fileName.toWellFormed().split(/[/\\]/).at(-1) ?? '').replaceAll('\0', '');
  if (name === '' || name === '.' || name === '..') return FALLBACK_NAME;
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : '';
  let stem = '';
  for (const character of name.slice(0, name.length - extension.length)) {
    if (Buffer.byteLength(stem + character + extension) > MAX_NAME_BYTES) break;
    stem += character;
  }
  return `${stem}${extension}`;
}
