import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAwaitingContinue } from './expect.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its refusals may have any status, so that an answer before the end of the body is taken for one. */
    refusesWith200?: true;
  }
}

const LINGER_MS = 2_000;
const LINGER_BYTES = 1024 * 1024;

/**
 * A refusal that is sent while the client still sends its body: if the socket were closed with bytes unread, the client would see a reset
 * and lose the answer. So the answer goes out whole, and only its end waits until the client is done, or has sent much, or takes long.
 */
class LingeringAnswer extends Readable {
  readonly #raw: IncomingMessage;
  readonly #answer: Buffer;
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;

  constructor(answer: Buffer, raw: IncomingMessage) {
    super();
    this.#answer = answer;
    this.#raw = raw;
  }

  override _read(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(this.#finish, LINGER_MS);
    this.push(this.#answer);
    this.#raw.on('data', this.#onData);
    this.#raw.on('end', this.#finish);
    this.#raw.on('close', this.#finish);
    this.#raw.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stop();
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > LINGER_BYTES) this.#finish();
  };

  readonly #finish = (): void => {
    this.#stop();
    this.push(null);
  };

  #stop(): void {
    clearTimeout(this.#timer);
    this.#raw.off('data', this.#onData);
    this.#raw.off('end', this.#finish);
    this.#raw.off('close', this.#finish);
    this.#raw.pause();
  }
}

/** For every route of `app`: answers that refuse nothing and requests that are read whole pass untouched. */
export function lingerOnRefusal(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const isRefusal = reply.statusCode >= 400 || request.routeOptions.config.refusesWith200 === true;
    if (!isRefusal || request.raw.complete || !stillSends(request)) {
      done(null, payload);
      return;
    }
    done(null, linger(request, reply, payload));
  });
}

function stillSends(request: FastifyRequest): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  // Who waits for "100 Continue" sends nothing when refused.
  return (coding !== undefined || (length !== undefined && length !== '0')) && !isAwaitingContinue(request);
}

function linger(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
  const answer = Buffer.from(payload);
  reply.header('connection', 'close').header('content-length', answer.length);
  return new LingeringAnswer(answer, request.raw);
}
