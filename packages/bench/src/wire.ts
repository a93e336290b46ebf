import { connect, type Socket } from 'node:net';

/**
 * One kept-alive HTTP/1.1 connection, one request at a time, with next to nothing between the socket and the clock: the generator shares
 * the machine with what it measures, so that every microsecond of its own would count against the server.
 */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #head: Buffer = Buffer.alloc(0);
  /** Of the body, still to come; -1 while the head is read, Infinity for a chunked one. */
  #remainingBytes = -1;
  #tail = '';
  #status = 0;
  #bodyBytes = 0;
  #waiting: PromiseWithResolvers<Answer> | undefined;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port || 80);
  }

  /** Sends a request (head and body as they go over the wire) and reads the answer to its end. Rejects when the connection breaks. */
  async request(bytes: Buffer | AsyncIterable<Buffer>): Promise<Answer> {
    const socket = this.#socket ?? (await this.#open());
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting = waiting;
    this.#remainingBytes = -1;
    this.#bodyBytes = 0;
    if (Buffer.isBuffer(bytes)) socket.write(bytes);
    else await this.#stream(socket, bytes, waiting.promise);
    return await waiting.promise;
  }

  close(): void {
    this.#socket?.destroy();
  }

  /** The head of a request with this connection's `host`. */
  head(method: string, path: string, headers: Readonly<Record<string, string>>): string {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}:${this.#port}\r\n${lines.join('')}\r\n`;
  }

  async #open(): Promise<Socket> {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    const opened = Promise.withResolvers<void>();
    socket.once('connect', opened.resolve);
    const fail = (error: Error): void => {
      opened.reject(error);
      this.#socket = undefined;
      this.#waiting?.reject(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
    socket.on('data', (chunk) => this.#onData(chunk));
    await opened.promise;
    this.#socket = socket;
    return socket;
  }

  async #stream(socket: Socket, pieces: AsyncIterable<Buffer>, answered: Promise<Answer>): Promise<void> {
    let isAnswered = false;
    const note = (): void => {
      isAnswered = true;
    };
    answered.then(note, note);
    for await (const piece of pieces) {
      if (isAnswered) return;
      if (socket.write(piece)) continue;
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), answered]);
    }
  }

  #onData(chunk: Buffer): void {
    if (this.#remainingBytes >= 0) {
      this.#onBody(chunk);
      return;
    }
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = bytes;
      return;
    }
    this.#head = Buffer.alloc(0);
    const head = bytes.toString('latin1', 0, end).toLowerCase();
    this.#status = Number(head.slice(9, 12));
    this.#remainingBytes = bodyLength(head, this.#status);
    this.#tail = '';
    this.#onBody(bytes.subarray(end + 4));
  }

  #onBody(chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (this.#remainingBytes !== Number.POSITIVE_INFINITY) {
      this.#remainingBytes -= chunk.length;
      if (this.#remainingBytes <= 0) this.#finish();
      return;
    }
    // JSON never holds a bare CR, so that the last chunk cannot be mistaken.
    this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - 5))).slice(-5);
    if (this.#tail === '0\r\n\r\n') this.#finish();
  }

  #finish(): void {
    this.#remainingBytes = -1;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: this.#status, bodyBytes: this.#bodyBytes });
  }
}

export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
}

function bodyLength(head: string, status: number): number {
  if (status === 204 || status === 304) return 0;
  const at = head.indexOf('\r\ncontent-length:');
  if (at >= 0) return Number.parseInt(head.slice(at + 17), 10);
  return head.includes('\r\ntransfer-encoding: chunked') ? Number.POSITIVE_INFINITY : 0;
}
