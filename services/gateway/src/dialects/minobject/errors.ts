import { type AppError, appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { refusalOf } from '../common/dialect.ts';
import { isExpired } from '../common/sessions.ts';

export const userExists = () => appError('username_taken', 'User exists');
export const nameOrPasswordMissing = () => appError('invalid_body', 'Username or password missing');
export const wrongPassword = () => appError('invalid_credentials', 'Invalid username or password');
export const tokenMissing = () => appError('unauthorized', 'Token is missing or in wrong format');
export const noFilePart = () => appError('invalid_body', 'No file part');
export const noIdentifier = () => appError('invalid_body', 'No file identifier');
export const identifierTaken = () => appError('identifier_taken', 'File identifier must be globally unique');
export const fileNotFound = () => appError('not_found', 'File not found');

/** The one place where a failure becomes an answer of this API: `{"error"}` with the HTTP status. */
export function answerErrors(app: App, gateway: Gateway): void {
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(gateway, error, request);
    const [status, message] = answerTo(refusal);
    return sendJson(reply.code(status).headers(refusal.headers ?? {}), { error: message });
  });
}

function answerTo(error: AppError): [status: number, message: string] {
  switch (error.code) {
    // What is taken is a bad request here, not a conflict.
    case 'username_taken':
    case 'email_taken':
    case 'identifier_taken':
      return [400, error.detail];
    case 'forbidden':
    case 'read_only':
      return [401, 'Unauthorized'];
    case 'invalid_token':
    case 'session_ended':
      return [401, isExpired(error) ? 'Token has expired' : 'Invalid token'];
    default:
      return [error.status, error.detail];
  }
}

/** Runs `work`; what it throws with `code` becomes `other`. */
export async function orElse<T>(work: Promise<T>, code: AppError['code'], other: () => Error): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isAppError(error, code) ? other() : error;
  }
}

export function sendJson(reply: FastifyReply, body: Readonly<Record<string, unknown>>): FastifyReply {
  // As bytes: to a text the framework would add a charset, which JSON has none of (RFC 8259, 11).
  return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(body)));
}
