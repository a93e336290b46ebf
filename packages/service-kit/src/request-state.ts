import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Principal } from '@coffer/contracts';
import type { FastifyReply } from 'fastify';
import type { ServiceContext } from './context.ts';
import { traceIdOf } from './trace.ts';

/**
 * What the kit remembers of one request, from its head to the end of its answer. One object and one listener per
 * request: this is on the path of every one of them.
 */
export class RequestState {
  readonly requestId: string;
  readonly traceparent: string;
  op: string;
  principal: Principal | undefined;
  /** The account, where no principal is there to say so. */
  accountId: string | undefined;
  readonly #ctx: ServiceContext;
  readonly #req: IncomingMessage;
  readonly #reply: FastifyReply;
  readonly #startedAt = performance.now();
  readonly #readBefore: number;
  readonly #writtenBefore: number;
  #controller: AbortController | undefined;
  #ended = false;

  constructor(o: {
    ctx: ServiceContext;
    req: IncomingMessage;
    reply: FastifyReply;
    requestId: string;
    traceparent: string;
    op: string;
  }) {
    this.#ctx = o.ctx;
    this.#req = o.req;
    this.#reply = o.reply;
    this.requestId = o.requestId;
    this.traceparent = o.traceparent;
    this.op = o.op;
    const socket: Socket | null = o.req.socket;
    this.#readBefore = socket?.bytesRead ?? 0;
    this.#writtenBefore = socket?.bytesWritten ?? 0;
    o.ctx.metrics.requestStarted();
    // Comes after `finish`, and also where the client went away before it.
    o.reply.raw.once('close', () => this.#close());
  }

  /**
   * Aborts when the client goes away before its answer ended. Fastify's own `request.signal` listens to the request's
   * `close`, which Node emits as soon as the body was read.
   */
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    this.#controller = new AbortController();
    if (this.clientGone) this.#abort();
    return this.#controller.signal;
  }

  get clientGone(): boolean {
    return this.#ended ? !this.#reply.raw.writableFinished : this.#req.socket?.destroyed === true;
  }

  #abort(): void {
    this.#controller?.abort(new DOMException('The client went away', 'AbortError'));
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    const aborted = !this.#reply.raw.writableFinished;
    if (aborted) this.#abort();
    const ms = performance.now() - this.#startedAt;
    const status = this.#reply.raw.headersSent || !aborted ? this.#reply.raw.statusCode : 499;
    const bytesIn = this.#bytesIn();
    const bytesOut = this.#bytesOut(aborted);
    this.#ctx.metrics.requestEnded(this.op, status, ms / 1000, bytesIn, bytesOut);
    const { method, url = '' } = this.#req;
    const query = url.indexOf('?');
    const line = {
      op: this.op,
      method,
      path: query < 0 ? url : url.slice(0, query),
      status,
      ms: Math.round(ms * 100) / 100,
      bytesIn,
      bytesOut,
      accountId: this.principal?.accountId ?? this.accountId,
      requestId: this.requestId,
      traceId: traceIdOf(this.traceparent),
      aborted: aborted || undefined,
    };
    // Probes come every few seconds from every side and say nothing.
    if (this.op.startsWith('ops.')) this.#ctx.accessLogger.debug(line, 'request');
    else this.#ctx.accessLogger.info(line, 'request');
  }

  /** Bytes of the body; where its length was not announced or not kept, what came over the wire. */
  #bytesIn(): number {
    const { 'content-length': announced, 'transfer-encoding': chunked } = this.#req.headers;
    if (announced === undefined && chunked === undefined) return 0;
    if (announced !== undefined && this.#req.complete) return Number(announced);
    const socket: Socket | null = this.#req.socket;
    return Math.max(0, (socket?.bytesRead ?? 0) - this.#readBefore);
  }

  #bytesOut(aborted: boolean): number {
    const announced = this.#reply.getHeader('content-length');
    if (!aborted && announced !== undefined) return this.#req.method === 'HEAD' ? 0 : Number(announced);
    const socket: Socket | null = this.#req.socket;
    return Math.max(0, (socket?.bytesWritten ?? 0) - this.#writtenBefore);
  }
}
