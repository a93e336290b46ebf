import type { Readable } from 'node:stream';
import { appError } from '@coffer/service-kit';

/**
 * Collects a stream into batches, and goes on reading while the last one is being written: the bytes of the next batch
 * are received and hashed meanwhile. Never holds more than one unfetched batch. The stream is not destroyed on failure,
 * as an iterator would: a request's stream takes its socket with it, and the answer could no longer be sent.
 */
export class Gather {
  readonly #source: Readable;
  readonly #batchBytes: number;
  readonly #signal: AbortSignal;
  readonly #onPiece: (piece: Buffer) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #failure: { readonly reason: unknown } | null = null;
  #wake: (() => void) | null = null;

  /** `onPiece` sees each piece as it comes; what it throws fails the gathering. */
  constructor(source: Readable, batchBytes: number, signal: AbortSignal, onPiece: (piece: Buffer) => void) {
    this.#source = source;
    this.#batchBytes = batchBytes;
    this.#signal = signal;
    this.#onPiece = onPiece;
    if (signal.aborted) this.#fail(signal.reason);
    else if (source.errored !== null || source.destroyed) this.#fail(source.errored ?? cut());
    else {
      signal.addEventListener('abort', this.#aborted, { once: true });
      source.on('data', this.#data).on('end', this.#end).on('error', this.#error).on('close', this.#closed);
    }
  }

  /** True once the stream has ended and all of it has been fetched. */
  get done(): boolean {
    return this.#ended && this.#bytes === 0;
  }

  /** The next batch: full, or what was left at the end; empty when there is no more. */
  async next(): Promise<Buffer[]> {
    while (this.#failure === null && !this.#ended && this.#bytes < this.#batchBytes) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure.reason;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    if (!this.#ended) this.#source.resume();
    return pieces;
  }

  /** Lets go of the stream, which stays paused if it has not ended. */
  stop(): void {
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#source.off('data', this.#data).off('end', this.#end).off('error', this.#error).off('close', this.#closed);
    if (this.#ended) return;
    this.#source.pause();
    // A stream that breaks after we let go must not take the process with it.
    this.#source.on('error', () => undefined);
  }

  readonly #data = (piece: Buffer): void => {
    if (this.#failure !== null) return;
    try {
      this.#onPiece(piece);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#batchBytes) return;
    if (this.#wake === null) this.#source.pause();
    else this.#awake();
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#awake();
  };

  readonly #error = (error: unknown): void => this.#fail(error);
  readonly #aborted = (): void => this.#fail(this.#signal.reason);
  readonly #closed = (): void => {
    if (!this.#ended) this.#fail(cut());
  };

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#pieces = [];
    this.#source.pause();
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function cut(): Error {
  return appError('client_closed', 'The body was cut off');
}
