import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { letContinue } from '../../uploads/expect.ts';
import { readForm } from '../../uploads/form-reader.ts';
import { fieldsOf, isMultipart, MAX_FIELDS, takeAnyFields } from '../common/fields.ts';
import { missingField } from './errors.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';
const MAX_USERS = 1_000;
/** Longer than any e-mail address (RFC 5321, 4.5.3.1). */
const MAX_LOGIN_LENGTH = 254;

/** As `takeAnyFields`, but a field that is sent several times stays a list: `users=a&users=b`. */
export function takeFields(app: App): void {
  takeAnyFields(app);
  app.removeContentTypeParser(FORM_TYPE);
  app.addContentTypeParser<string>(FORM_TYPE, { parseAs: 'string', bodyLimit: 1024 * 1024 }, (_request, body, done) => {
    const lists = new Map<string, string[]>();
    for (const [name, value] of new URLSearchParams(body.trim())) {
      const list = lists.get(name);
      if (list === undefined) lists.set(name, [value]);
      else list.push(value);
    }
    done(null, Object.fromEntries(lists));
  });
}

/** The field, without white space at its ends; 400 with `text` where it is missing or empty. */
export async function requiredField(
  gateway: Gateway,
  request: FastifyRequest,
  name: string,
  text: string,
): Promise<string> {
  const value = (await fieldsOf(gateway, request))[name]?.trim();
  if (value === undefined || value === '') throw missingField(text);
  return value;
}

export interface Invitation {
  /** E-mail addresses as sent, at most 1,000, none twice. */
  readonly users: string[];
  readonly notify: boolean;
}

/** Whom to give something or take it from: a list in JSON, a field sent once or several times, or several in one with commas between. */
export async function invitationOf(gateway: Gateway, request: FastifyRequest): Promise<Invitation> {
  const fields = isMultipart(request) ? await repeatedFields(gateway, request) : await allFields(gateway, request);
  const sent = fields.users.flatMap((one) => one.split(',')).map((one) => one.trim());
  const users = [...new Set(sent.filter((one) => one !== ''))];
  if (users.length === 0) throw missingField('users list is required');
  if (users.length > MAX_USERS) throw appError('invalid_body', `At most ${MAX_USERS} users at a time`);
  return {
    users: users.filter((one) => one.length <= MAX_LOGIN_LENGTH),
    notify: /^(?:true|1|yes|on)$/i.test(fields.notify),
  };
}

async function allFields(gateway: Gateway, request: FastifyRequest): Promise<{ users: string[]; notify: string }> {
  const { users = '', notify = '' } = await fieldsOf(gateway, request);
  const listed = [...listIn(request.body), ...listIn(request.query)];
  return { users: listed.length > 0 ? listed : [users], notify };
}

function listIn(source: unknown): string[] {
  if (typeof source !== 'object' || source === null || !('users' in source)) return [];
  const { users } = source;
  return Array.isArray(users) ? users.filter((one) => typeof one === 'string') : [];
}

async function repeatedFields(gateway: Gateway, request: FastifyRequest): Promise<{ users: string[]; notify: string }> {
  letContinue(request);
  const users: string[] = [];
  let notify = '';
  await readForm(gateway, request, {
    filePart: undefined,
    maxFields: MAX_FIELDS,
    secondFile: 'skip',
    takeField: (name, value) => {
      if (name === 'users') users.push(value);
      else if (name === 'notify') notify = value;
    },
    maxBytes: () => Promise.reject(appError('invalid_body')),
  });
  return { users, notify };
}
