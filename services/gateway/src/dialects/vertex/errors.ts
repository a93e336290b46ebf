import type { AppError } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';

const PRODUCER = 'DukeeTheProgrammer';

/** A refusal as the document words it, which is sent with HTTP 200. */
export class Refusal extends Error {
  readonly body: Readonly<Record<string, unknown>>;

  constructor(message: string, more: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.body = { status: false, message, ...more };
  }
}

/** `why`: what is wrong with the file or the key. */
export const notCreated = (fileName: string, why: string, cause?: unknown): Refusal =>
  new Refusal(`Could not create file : -'${fileName}' - due to ${why}`, { producer: PRODUCER }, cause);

export const INVALID_KEY =
  "Invalid Key! #if you need a new key, use this endpoint '/token/' and register a new key or check if you have an existing one.";

/** All that the document does not speak of: the same shape, and the real status. */
export function sendFailure(error: AppError, reply: FastifyReply): FastifyReply {
  return sendJson(reply.code(error.status).headers(error.headers ?? {}), { status: false, message: error.detail });
}

export const sendJson = (reply: FastifyReply, value: unknown): FastifyReply => sendText(reply, JSON.stringify(value));

/** JSON that is written already. As bytes: to a text the framework would add a charset, which JSON has none of (RFC 8259, 11). */
export const sendText = (reply: FastifyReply, json: string): FastifyReply =>
  reply.type('application/json').header('cache-control', 'no-store').send(Buffer.from(json));
