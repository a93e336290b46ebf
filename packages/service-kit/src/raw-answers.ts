import { STATUS_CODES } from 'node:http';
import { type AppError, toProblem } from './errors.ts';

/** A whole HTTP/1.1 answer with a problem document, for a socket that has no response object. */
export function rawProblem(error: AppError, requestId: string): string {
  const { status, headers, body } = toProblem(error, requestId);
  const payload = JSON.stringify(body);
  const head = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(payload)),
    'x-request-id': requestId,
    connection: 'close',
    ...headers,
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${payload}`;
}
