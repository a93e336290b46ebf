import { type AppError, appError } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';

const UNAUTHORIZED = new Set(['unauthorized', 'invalid_token', 'session_ended']);

/** The one place where a failure becomes an answer of this API: `{"status_code", "message"}` with the same HTTP status. */
export function sendError(error: AppError, reply: FastifyReply): FastifyReply {
  const [status, message] = answerTo(error);
  return sendJson(reply.code(status).headers(error.headers ?? {}), { status_code: status, message });
}

function answerTo(error: AppError): [status: number, message: string] {
  if (UNAUTHORIZED.has(error.code)) return [401, 'Unauthorized'];
  if (error.code === 'invalid_credentials') return [403, 'Incorrect login or password'];
  // The same words whether the space was seen to be short before or after the bytes came.
  if (error.code === 'quota_exceeded') return [error.status, error.title];
  return [error.status, error.detail];
}

export const imageNotFound = (id: string) => appError('not_found', `Image ${id} not found`);
export const userNotFound = (login: string) => appError('not_found', `User ${login} not found`);
export const invalidLogin = (login: string) => appError('invalid_name', `Invalid login ${login}`);
export const invalidEmail = (email: string) => appError('invalid_body', `Invalid email ${email}`);

/** As bytes: to a text the framework would add a charset, which JSON has none of (RFC 8259, 11). */
export const sendJson = (reply: FastifyReply, value: unknown): FastifyReply =>
  reply.type('application/json').send(Buffer.from(JSON.stringify(value)));
