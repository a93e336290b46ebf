import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { refusalOf } from '../common/dialect.ts';

/** An answer of this dialect that ends the request early; it is the whole body. */
export class Refused extends Error {
  readonly body: string;

  constructor(body: string) {
    super('refused');
    this.body = body;
  }
}

/** JSON as the document writes it, with a space behind colons and commas; for bodies that the document shows and those like them. */
export function documentJson(members: Readonly<Record<string, string | number>>): string {
  const texts = Object.entries(members).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${texts.join(', ')}}`;
}

/** Whole bodies, by what they mean. Those without spaces are not in the document and were never seen with any. */
export const bodies = {
  entered: documentJson({ status_code: 200, message: 'You have successfully logged in' }),
  alreadyIn: JSON.stringify({ status_code: 200, message: 'Cloud Server. You already authorized' }),
  left: JSON.stringify({ status_code: 200, message: 'You have successfully logged out of your account' }),
  unauthorised: JSON.stringify({ status_code: 401, message: 'Cloud Server. Unauthorised' }),
  unknownUrl: JSON.stringify({ status_code: 404, message: 'URL is not correct' }),
  wrongMethod: JSON.stringify({ status_code: 405, message: 'Method Not Allowed' }),
  loginBusy: JSON.stringify({ login: 'Login busy' }),
  wrongPassword: JSON.stringify({ password: 'Password is not correct' }),
  pairNotCorrect: documentJson({ access_or_secret_key: 'Not correct' }),
  pairNotValid: documentJson({ access_or_secret_key: 'Not valid anymore, you can register again' }),
  operatorsPairNotValid: documentJson({ access_or_secret_key: 'Not valid, you need change keys in config' }),
  notFound: documentJson({ message: 'Not Found', status_code: 404 }),
  noFile: documentJson({ status_code: 400, message: 'File not specified' }),
  deleted: '{}',
  missing: (fields: readonly string[]) =>
    JSON.stringify(Object.fromEntries(fields.map((one) => [one, 'Value is empty']))),
  unknownLogin: (login: string) => JSON.stringify({ login: `'${login}' is not found` }),
  uploaded: (key: string) => documentJson({ status_code: 200, message: `File '${key}' uploaded successfully` }),
};

export function sendBody(reply: FastifyReply, body: string): FastifyReply {
  // As bytes: to a text the framework would add a charset, which JSON has none of (RFC 8259, 11).
  return reply.header('content-type', 'application/json').send(Buffer.from(body));
}

/**
 * Every refusal has HTTP 200 and says what it is in its body, as in the original. Not so what tells clients about ranges and conditions, when
 * to come again, or that the service failed: taken for the file asked for, or for success, that would do harm.
 */
const REAL_STATUS = new Set([408, 412, 416, 429, 499]);
const QUOTA = 507;

export function answerErrors(app: App, gateway: Gateway): void {
  app.setErrorHandler((error, request: FastifyRequest, reply) => {
    if (error instanceof Refused) return sendBody(reply, error.body);
    const { code, status, detail, headers = {} } = refusalOf(gateway, error, request);
    if (code === 'unauthorized' || code === 'invalid_token' || code === 'session_ended')
      return sendBody(reply, bodies.unauthorised);
    const isReal = REAL_STATUS.has(status) || (status >= 500 && status !== QUOTA);
    reply.code(isReal ? status : 200).headers(headers);
    return sendBody(reply, documentJson({ status_code: status, message: detail }));
  });
}
