import { isUtf8 } from 'node:buffer';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { collectBody } from '../../uploads/body.ts';
import { letContinue } from '../../uploads/expect.ts';
import { readForm } from '../../uploads/form-reader.ts';

export const MAX_FIELDS = 64;
export const MAX_FIELD_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Takes small bodies however they are sent: JSON (nothing is an empty object), forms in the URL's encoding, and text or no type at all as
 * whichever of both it looks like. Multipart forms are left to `fieldsOf` and `receiveForm`, and so are bodies of GET.
 */
export function takeAnyFields(app: App): void {
  app.removeAllContentTypeParsers();
  const take = (type: string | RegExp, parse: (text: string) => Record<string, unknown>): void => {
    app.addContentTypeParser<Buffer>(
      type,
      { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
      async (_request: FastifyRequest, body: Buffer) => parse(textOf(body)),
    );
  };
  take(JSON_TYPE, parseJson);
  take('application/x-www-form-urlencoded', parseUrlencoded);
  take('*', guess);
  app.addContentTypeParser(/^multipart\//i, (_request, _payload, done) => done(null));
}

/**
 * All fields of the request, those of the body over those of the query: numbers and booleans as text, what is nested or null left out; of
 * several with one name the first. Throws `invalid_body` for what cannot be read or is too much. For multipart forms without a file.
 */
export async function fieldsOf(gateway: Gateway, request: FastifyRequest): Promise<Record<string, string>> {
  const fields = new Map<string, string>();
  if (isMultipart(request)) {
    letContinue(request);
    await readForm(gateway, request, {
      filePart: undefined,
      maxFields: MAX_FIELDS,
      secondFile: 'skip',
      takeField: (name, value, isCut) => addField(fields, name, value, isCut),
      maxBytes: () => Promise.reject(appError('invalid_body')),
    });
  } else {
    const body = hasUnparsedBody(request) ? await readBody(gateway, request) : request.body;
    addAll(fields, body);
  }
  addAll(fields, request.query);
  return Object.fromEntries(fields);
}

export const isMultipart = ({ headers }: FastifyRequest): boolean =>
  /^multipart\//i.test(headers['content-type'] ?? '');

/** Adds what was not there before. */
export function addAll(fields: Map<string, string>, values: unknown): void {
  if (values === undefined || values === null) return;
  if (typeof values !== 'object' || Array.isArray(values)) throw appError('invalid_body', 'The body has no fields');
  for (const [name, value] of Object.entries(values)) {
    const one: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof one === 'string') addField(fields, name, one, false);
    else if (typeof one === 'number' || typeof one === 'boolean') addField(fields, name, String(one), false);
  }
}

export function addField(fields: Map<string, string>, name: string, value: string, isCut: boolean): void {
  if (fields.has(name)) return;
  if (isCut || Buffer.byteLength(value) > MAX_FIELD_BYTES) throw appError('invalid_body', 'A field is too long');
  if (fields.size >= MAX_FIELDS) throw appError('invalid_body', 'There are too many fields');
  fields.set(name, value);
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json(?:\s*;|$)/i;

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw appError('invalid_body', 'The body is not UTF-8');
  return body.toString().replace(/^\uFEFF/, '');
}

function parseJson(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw appError('invalid_body', 'The body is not valid JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw appError('invalid_body', 'The body is not a JSON object');
  // Only own members of the text: a `__proto__` among them is a member like others.
  return Object.fromEntries(Object.entries(value));
}

function parseUrlencoded(text: string): Record<string, unknown> {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text.trim())) addField(fields, name, value, false);
  return Object.fromEntries(fields);
}

function guess(text: string): Record<string, unknown> {
  return text.trimStart().startsWith('{') ? parseJson(text) : parseUrlencoded(text);
}

/** No body is parsed for GET and HEAD, which some of these documents send one with. */
function hasUnparsedBody({ method, headers, body }: FastifyRequest): boolean {
  if (body !== undefined || (method !== 'GET' && method !== 'HEAD')) return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

async function readBody(gateway: Gateway, request: FastifyRequest): Promise<Record<string, unknown>> {
  letContinue(request);
  const text = textOf(await collectBody(request.raw, gateway.config.BODY_IDLE_SECONDS * 1000, MAX_BODY_BYTES));
  const type = request.headers['content-type'] ?? '';
  if (JSON_TYPE.test(type)) return parseJson(text);
  return /^application\/x-www-form-urlencoded/i.test(type) ? parseUrlencoded(text) : guess(text);
}
