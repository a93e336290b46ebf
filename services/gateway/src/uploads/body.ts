import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { appError } from '@coffer/service-kit';

/** How much of a file's beginning is kept to tell its type. */
export const HEAD_BYTES = 4_100;
/** A body that brings less than this in one whole period is slow on purpose or dead. */
const MIN_BYTES_PER_PERIOD = 1_024;

/**
 * A request's body (or a part of it) as a stream of its own. The request's stream must not go into a pipeline itself: a pipeline that
 * fails destroys its source, here the socket, and with it the way to say what was wrong. Ends with `client_closed` when the client goes
 * away in the middle.
 */
export class UploadBody extends Readable {
  readonly #raw: Readable;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #periodBytes = 0;
  #heldBack = false;
  #ended = false;
  readonly #timer: NodeJS.Timeout;

  /** `periodMs`: how long the body may bring (almost) nothing while bytes are being asked for. */
  constructor(raw: Readable, periodMs: number) {
    super({ highWaterMark: 256 * 1024 });
    this.#raw = raw;
    // Whoever reads it sees the error in `errored`; it may come when nobody listens, before or after it was read.
    this.on('error', () => {});
    this.#timer = setInterval(() => this.#checkPace(), periodMs).unref();
    raw.on('data', this.#onData);
    raw.on('end', this.#onEnd);
    raw.on('close', this.#onClose);
    raw.pause();
    // Its `close` has been and will not come again.
    if (raw.destroyed) this.destroy(appError('client_closed'));
  }

  /** The first bytes, as far as they have come by. */
  head(): Buffer {
    return this.#head.length === 1 && this.#head[0] !== undefined ? this.#head[0] : Buffer.concat(this.#head);
  }

  override _read(): void {
    this.#heldBack = false;
    this.#raw.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearInterval(this.#timer);
    this.#raw.off('data', this.#onData);
    this.#raw.off('end', this.#onEnd);
    this.#raw.off('close', this.#onClose);
    if (!this.#ended) this.#raw.pause();
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#periodBytes += chunk.length;
    if (this.#headBytes < HEAD_BYTES) {
      const piece = chunk.subarray(0, HEAD_BYTES - this.#headBytes);
      this.#head.push(piece);
      this.#headBytes += piece.length;
    }
    if (this.push(chunk)) return;
    this.#heldBack = true;
    this.#raw.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    clearInterval(this.#timer);
    this.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#ended) this.destroy(appError('client_closed'));
  };

  #checkPace(): void {
    if (!this.#heldBack && this.#periodBytes < MIN_BYTES_PER_PERIOD) this.destroy(appError('request_timeout'));
    this.#periodBytes = 0;
  }
}

/**
 * All of a small body in one buffer. Throws `client_closed` when the client goes away first, and when it takes longer than `periodMs`.
 * Node itself holds the body to the announced length. What has more than `maxBytes` is refused with `too_large`.
 */
export function collectBody(
  raw: IncomingMessage,
  periodMs: number,
  maxBytes: number = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const onData = (chunk: Buffer): void => {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) fail(appError('too_large'));
      else chunks.push(chunk);
    };
    const done = (): void => {
      clearTimeout(timer);
      raw.off('data', onData);
      raw.off('end', onEnd);
      raw.off('close', onClose);
    };
    const onEnd = (): void => {
      done();
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
    };
    const fail = (error: Error): void => {
      done();
      raw.pause();
      reject(error);
    };
    const onClose = (): void => fail(appError('client_closed'));
    const timer = setTimeout(() => fail(appError('request_timeout')), periodMs);
    if (raw.destroyed) {
      fail(appError('client_closed'));
      return;
    }
    raw.on('data', onData);
    raw.on('end', onEnd);
    raw.on('close', onClose);
    raw.resume();
  });
}
