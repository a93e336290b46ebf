import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type AppError, appError, type FieldError, isErrorCode } from './errors.ts';

type Controller = Dispatcher.DispatchController;
type Headers = Record<string, string | string[] | undefined>;

/**
 * How an exchange failed: `unsent` (no connection could be made, the other side saw nothing), `lost` (the connection
 * broke, the other side may have done the work), `answered` (an error came back), `ended` (timeout or abort by us).
 */
export type Outcome = 'unsent' | 'lost' | 'answered' | 'ended';

/** One request and its answer. Plain handlers are used, not promises and streams per request: this is the hottest path. */
export interface Exchange<T> {
  readonly result: Promise<T>;
  readonly outcome: Outcome;
}

export interface ClientHandler extends Dispatcher.DispatchHandler {
  onResponseError(controller: Controller | undefined, error: Error): void;
}

export interface Opened {
  body: Readable;
  sizeBytes: number;
  headers: Record<string, string>;
}

// Those that belong to an error, whoever passes it on.
const ERROR_HEADERS = ['retry-after', 'www-authenticate', 'content-range', 'allow'];
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

export abstract class BaseExchange<T> implements Exchange<T>, ClientHandler {
  readonly result: Promise<T>;
  outcome: Outcome = 'ended';
  protected resolve: (value: T) => void = () => {};
  protected controller: Controller | undefined;
  protected status = 0;
  protected headers: Headers = {};
  #reject: (error: unknown) => void = () => {};
  #settled = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  #chunks: Buffer[] = [];

  constructor(signal: AbortSignal | undefined, timeoutMs: number) {
    this.result = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.#reject = reject;
    });
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.cancel(appError('timeout')), timeoutMs);
    this.#signal = signal;
    if (!signal) return;
    this.#onAbort = () => this.cancel(signal.reason);
    signal.addEventListener('abort', this.#onAbort);
  }

  get handler(): ClientHandler {
    return this;
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    // Given up while it waited for a connection.
    if (this.#settled) controller.abort(new Error('given up'));
  }

  onResponseStart(_controller: Controller | undefined, status: number, headers: Headers): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(_controller: Controller, _trailers: Headers): void {
    if (this.status >= 400) this.failWith(this.text());
    else this.succeed();
  }

  /** An error came back, with this body. */
  protected failWith(text: string): void {
    this.fail(errorOf(this.status, this.headers, text), 'answered');
  }

  onResponseError(_controller: Controller | undefined, error: Error & { code?: string }): void {
    this.fail(error, NEVER_SENT.has(error.code ?? '') ? 'unsent' : 'lost');
  }

  /** Timeout or abort by the caller. */
  protected cancel(reason: unknown): void {
    this.fail(reason, 'ended');
    this.controller?.abort(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
  }

  protected abstract succeed(): void;

  protected fail(error: unknown, outcome: Outcome): void {
    if (this.#settled) return;
    this.outcome = outcome;
    this.settle();
    this.#reject(error);
  }

  /** The head is here and the timer has done its work. */
  protected stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  protected settle(): void {
    this.#settled = true;
    this.stopTimer();
    this.unlisten();
  }

  protected unlisten(): void {
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  protected text(): string {
    const [first] = this.#chunks;
    return (this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks)).toString();
  }
}

/** The answer is JSON, or nothing. */
export class JsonExchange<T> extends BaseExchange<T> {
  protected override succeed(): void {
    try {
      const text = this.text();
      // The other side built it from the same contract.
      const value = (text === '' ? undefined : JSON.parse(text)) as T;
      this.settle();
      this.resolve(value);
    } catch (error) {
      this.fail(appError('upstream', undefined, { cause: error }), 'answered');
    }
  }
}

/** The answer is bytes: resolves at its head, and the abort signal holds until its end. */
export class StreamExchange extends BaseExchange<Opened> {
  #body: Readable | undefined;

  override onResponseStart(controller: Controller, status: number, headers: Headers): void {
    super.onResponseStart(controller, status, headers);
    if (status >= 400) return;
    this.stopTimer();
    const body = new Readable({
      read: () => controller.resume(),
      destroy: (error, done) => {
        this.unlisten();
        if (!body.readableEnded) controller.abort(error ?? new Error('not wanted any more'));
        done(error);
      },
    });
    // Whoever reads it hears of its end; until somebody does, an error must not bring the process down.
    body.on('error', () => {});
    this.#body = body;
    const plain: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') plain[name] = value;
    this.resolve({ body, sizeBytes: Number(plain['content-length'] ?? Number.NaN), headers: plain });
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.#body) super.onResponseData(controller, chunk);
    else if (!this.#body.push(chunk)) controller.pause();
  }

  override onResponseEnd(controller: Controller, trailers: Headers): void {
    if (!this.#body) super.onResponseEnd(controller, trailers);
    else {
      this.settle();
      this.#body.push(null);
    }
  }

  override onResponseError(controller: Controller | undefined, error: Error): void {
    if (!this.#body) super.onResponseError(controller, error);
    else this.#body.destroy(appError('unavailable', 'A part of the service went away', { cause: error }));
  }

  protected override cancel(reason: unknown): void {
    if (!this.#body) super.cancel(reason);
    else this.#body.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
  }

  protected override succeed(): void {}
}

/** The error that the other side raised, as the same class; `upstream` where it is none of ours. */
function errorOf(status: number, headers: Headers, text: string): AppError {
  try {
    const problem: { code?: unknown; detail?: unknown; errors?: unknown } = JSON.parse(text);
    if (isErrorCode(problem.code)) {
      const kept: Record<string, string> = {};
      for (const name of ERROR_HEADERS) {
        const value = headers[name];
        if (typeof value === 'string') kept[name] = value;
      }
      return appError(problem.code, typeof problem.detail === 'string' ? problem.detail : undefined, {
        errors:
          Array.isArray(problem.errors) && problem.errors.length > 0 ? (problem.errors as FieldError[]) : undefined,
        headers: Object.keys(kept).length > 0 ? kept : undefined,
      });
    }
  } catch {
    // Not a problem document.
  }
  return appError('upstream', undefined, { cause: new Error(`status ${status}: ${text.slice(0, 200)}`) });
}
