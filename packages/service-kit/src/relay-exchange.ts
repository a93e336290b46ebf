import { connect, type Socket } from 'node:net';
import { BaseExchange, type Opened } from './client-exchange.ts';
import { appError } from './errors.ts';
import { type Piece, RELAY_BUFFER_BYTES, RelayBody } from './relay-body.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const STALL_MS = 120_000;
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

export interface RelayRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A GET over a connection of its own whose answer is passed on (see RelayBody). It reads HTTP/1.1 as the services of this
 * product answer: a head within 16 KiB, a Content-Length, no coding (RFC 9112); anything else is `upstream`.
 */
export class RelayExchange extends BaseExchange<Opened> {
  #socket: Socket | undefined;
  #body: RelayBody | undefined;
  #head: Buffer = Buffer.alloc(0);
  #sent = false;
  #failure = '';

  start(address: string, request: RelayRequest): void {
    const { hostname, port } = new URL(address);
    let buffer = Buffer.alloc(0);
    const receive = (length: number): boolean => {
      const piece = { part: buffer.subarray(0, length), buffer };
      return this.#body?.receive(piece) ?? this.#takeHead(socket, piece);
    };
    const socket: Socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: () => {
          buffer = this.#body?.nextBuffer() ?? Buffer.allocUnsafeSlow(RELAY_BUFFER_BYTES);
          return buffer;
        },
        callback: receive,
      },
    });
    this.#socket = socket;
    socket.setTimeout(CONNECT_TIMEOUT_MS);
    socket.once('connect', () => {
      this.#sent = true;
      socket.setTimeout(STALL_MS);
      socket.write(headOf(request, `${hostname}:${port}`));
    });
    socket.on('timeout', () => {
      if (this.#body?.isHeld !== true) socket.destroy(new Error(this.#sent ? 'stalled' : 'no connection in time'));
    });
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => this.#lost(new Error('the connection was closed')));
  }

  #lost(error: Error): void {
    if (this.#body !== undefined) this.#body.socketClosed(error);
    else this.fail(error, this.#sent ? 'lost' : 'unsent');
  }

  #takeHead(socket: Socket, { part, buffer }: Piece): boolean {
    if (this.status >= 400) return this.#takeFailure(part.toString());
    this.#head = Buffer.concat([this.#head, part]);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) {
      if (this.#head.length > MAX_HEAD_BYTES) this.#refuse('a head that does not end');
      return true;
    }
    const { status, headers } = parseHead(this.#head.subarray(0, end).toString('latin1'));
    const first = this.#head.length - end - HEAD_END.length;
    const sizeBytes = Number(headers['content-length'] ?? Number.NaN);
    if (!Number.isSafeInteger(sizeBytes) || headers['transfer-encoding'] !== undefined) {
      this.#refuse(`status ${status} without a length`);
      return true;
    }
    this.onResponseStart(undefined, status, headers);
    const rest = part.subarray(part.length - first);
    if (status >= 400) return this.#takeFailure(rest.toString());
    this.stopTimer();
    const body = new RelayBody(socket, sizeBytes);
    this.#body = body;
    body.once('close', () => this.unlisten());
    // Whoever reads it hears of its end; until somebody does, an error must not bring the process down.
    body.on('error', () => {});
    const goesOn = body.receive({ part: rest, buffer });
    this.resolve({ body, sizeBytes, headers });
    return goesOn;
  }

  /** An error's body is small and comes whole before anything is made of it. */
  #takeFailure(text: string): boolean {
    this.#failure += text;
    const length = Number(this.headers['content-length']);
    if (length > MAX_ERROR_BYTES) this.#refuse(`status ${this.status} with too long a body`);
    else if (Buffer.byteLength(this.#failure) >= length) {
      this.failWith(this.#failure);
      this.#socket?.destroy();
    }
    return true;
  }

  #refuse(what: string): void {
    this.fail(appError('upstream', undefined, { cause: new Error(what) }), 'answered');
    this.#socket?.destroy();
  }

  protected override cancel(reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error('aborted', { cause: reason });
    if (this.#body !== undefined) {
      this.#body.destroy(error);
      return;
    }
    this.fail(reason, 'ended');
    this.#socket?.destroy();
  }

  protected override succeed(): void {}
}

function headOf({ method, path, headers }: RelayRequest, host: string): string {
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    // Values are made here or were checked when they came in; a line break would begin another header.
    if (/[\r\n]/.test(value)) throw new TypeError(`the header ${name} holds a line break`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}

function parseHead(text: string): { status: number; headers: Record<string, string> } {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status, headers };
}
