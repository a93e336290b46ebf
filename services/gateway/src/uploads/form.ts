import type { NodeRecord } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import { idempotencyOf } from '../domain/fingerprints.ts';
import { checkName } from '../domain/paths.ts';
import type { Gateway } from '../gateway.ts';
import { commit } from './commit.ts';
import { isAwaitingContinue, letContinue } from './expect.ts';
import { type FormFile, readForm } from './form-reader.ts';
import { sniffType } from './sniff.ts';
import { askLeave } from './upload.ts';

const FILE = 'file';
const MAX_FIELDS = 8;

interface Fields {
  name?: string;
  properties?: Record<string, string>;
}

/**
 * One file from a form: the part named `file` is it, whatever the others say of themselves (some clients give every part a file name); the
 * fields `name` and `properties` may come before or after it. So the bytes are stored first, and the node is made at the end, when all is known.
 */
export async function uploadForm(gateway: Gateway, request: FastifyRequest, parentId: string): Promise<NodeRecord> {
  // Rights and space can be judged without a name, so that a client that waits to be told need not send in vain.
  if (isAwaitingContinue(request)) await askLeave(gateway, request, goalOf(parentId, undefined), undefined);
  letContinue(request);
  const fields: Fields = {};
  const file = await readFile(gateway, request, parentId, fields);
  if (file === undefined) throw missing(FILE);
  const { properties } = fields;
  const name = fields.name ?? file.fileName;
  if (name === '') throw missing('name');
  checkName(name);
  const idempotency = idempotencyOf(
    request.headers['idempotency-key'],
    { caller: request.principal().accountId, op: 'files.create', body: [parentId, name, properties, file.sha256] },
    gateway.ctx.internalSecret,
  );
  const mime = file.mime ?? (await sniffType(file.head, file.sizeBytes <= file.head.length, name));
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

async function readFile(
  gateway: Gateway,
  request: FastifyRequest,
  parentId: string,
  fields: Fields,
): Promise<FormFile | undefined> {
  return await readForm(gateway, request, {
    filePart: FILE,
    maxFields: MAX_FIELDS,
    secondFile: 'refuse',
    takeField: (field, value, isCut) => takeField(fields, field, value, isCut),
    maxBytes: async (fileName) => {
      // Whoever repeats a request under its key finds the name taken by the first of them, and is to be answered all the same.
      const isRepeatable = request.headers['idempotency-key'] !== undefined;
      const known = isRepeatable ? undefined : (fields.name ?? (fileName === '' ? undefined : fileName));
      if (known !== undefined) checkName(known);
      return { maxBytes: await askLeave(gateway, request, goalOf(parentId, known), undefined), isQuota: true };
    },
  });
}

function takeField(fields: Fields, field: string, value: string, isCut: boolean): void {
  const wrong = (message: string) =>
    appError('invalid_body', `/${field} ${message}`, { errors: [{ path: `/${field}`, message }] });
  if (isCut) throw wrong('is too long');
  if (field === 'name' && fields.name === undefined) {
    checkName(value);
    fields.name = value;
  } else if (field === 'properties' && fields.properties === undefined) {
    const properties = parseProperties(value);
    if (properties === undefined) throw wrong('must be a JSON object of strings');
    fields.properties = properties;
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
