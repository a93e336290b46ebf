import { type AppError, appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readsOnly } from './authenticate.ts';
import { sendJson } from './routes.ts';

const INVALID_ID = 'Enter a valid ID';
const NO_ACCESS = "You're not allowed to access, request access";
const NO_ACTION = "You're not allowed to perform this action, request access";
const NO_SPACE = "You're do not have enough space to upload this asset";

/** The one place where a failure becomes an answer of this API: `{"error": …}` with the real status. */
export function sendError(error: AppError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [status, text] = answerTo(error, request);
  return sendJson(reply.code(status).headers(error.headers ?? {}), { error: text });
}

function answerTo(error: AppError, request: FastifyRequest): [status: number, text: string] {
  switch (error.code) {
    case 'unauthorized':
    case 'invalid_token':
    case 'session_ended':
      return [401, NO_ACCESS];
    case 'invalid_credentials':
      return [401, 'Wrong credentials'];
    case 'forbidden':
    case 'read_only':
      if (request.kit?.principal?.sessionId === undefined) return [401, NO_ACCESS];
      return [403, readsOnly(request) ? NO_ACCESS : NO_ACTION];
    case 'not_found':
    case 'uri_too_long':
      return [404, INVALID_ID];
    case 'quota_exceeded':
      return [403, NO_SPACE];
    case 'email_taken':
      return [409, 'email exists already'];
    default:
      return [error.status, error.detail];
  }
}

export const invalidId = () => appError('not_found', INVALID_ID);
export const missingField = (text: string) => appError('invalid_body', text);
/** No asset is meant, so that no id can help. */
export const sendNoSuchUrl = (reply: FastifyReply): FastifyReply =>
  sendJson(reply.code(404), { error: 'There is no such URL' });
