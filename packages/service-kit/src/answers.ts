import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServiceContext } from './context.ts';
import { type AppError, appError, isFault, toAppError, toProblem } from './errors.ts';
import { newId } from './ids.ts';

export const REQUEST_ID_HEADER = 'x-request-id';

/** Answers with the problem document of any error; what is no expected failure is logged with its cause. */
export function sendProblem(
  ctx: ServiceContext,
  e: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = request.kit?.clientGone ? appError('client_closed') : toAppError(e);
  if (isFault(error)) {
    const about = { err: error.cause ?? error, code: error.code, op: request.kit?.op, requestId: request.id };
    ctx.logger.error(about, 'a request failed');
  }
  const { status, headers, body } = toProblem(error, request.id);
  return reply
    .code(status)
    .headers(headers)
    .header(REQUEST_ID_HEADER, request.id)
    .header('content-type', 'application/problem+json')
    .serializer(JSON.stringify)
    .send(body);
}

/** What Node's parser refuses never becomes a request; the answer is written by hand. */
export function refuseMalformed(
  error: Error & { code?: string },
  socket: Socket & { _httpMessage?: ServerResponse },
): void {
  // Node's own handler looks at the same: a second head in the midst of an answer would garble it.
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const requestId = newId();
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? appError('headers_too_large')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? appError('request_timeout')
        : appError('bad_request', 'The request is not valid HTTP');
  socket.end(rawProblem(refusal, requestId));
}

/** A whole HTTP/1.1 answer with a problem document, for a socket that has no response object. */
export function rawProblem(error: AppError, requestId: string): string {
  const { status, headers, body } = toProblem(error, requestId);
  const payload = JSON.stringify(body);
  const head = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(payload)),
    [REQUEST_ID_HEADER]: requestId,
    connection: 'close',
    ...headers,
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${payload}`;
}
