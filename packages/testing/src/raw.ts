import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Reply } from './http.ts';

export interface RawOptions {
  /** The pieces to write, a pause in milliseconds where a number stands. */
  readonly pieces: readonly (string | Buffer | number)[];
  /** `keep`: wait for the answer with the connection open. `half-close`: end our side after the pieces. `reset`: break off. */
  readonly then?: 'keep' | 'half-close' | 'reset';
  /** Default 30,000. */
  readonly timeoutMs?: number;
}

/**
 * Bytes on a socket, as no well-behaved client would send them. Answers what came back until the server closed, a whole answer was
 * there, or the time was up; undefined when that is no HTTP answer (or nothing).
 */
export async function rawRequest(url: string, options: RawOptions): Promise<Reply | undefined> {
  const { pieces, then = 'keep', timeoutMs = 30_000 } = options;
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const received: Buffer[] = [];
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, timeoutMs);
  socket.on('data', (chunk) => {
    received.push(chunk);
    if (parseReply(Buffer.concat(received))?.complete) done.resolve();
  });
  // A reset after the answer is the server's right; before it, there is none to parse.
  socket.on('error', () => done.resolve());
  socket.on('end', () => done.resolve());
  socket.on('close', () => done.resolve());
  try {
    for (const piece of pieces) {
      if (socket.destroyed) break;
      if (typeof piece === 'number') await Promise.race([delay(piece), done.promise]);
      else socket.write(piece);
    }
    if (then === 'reset') {
      await delay(50);
      return undefined;
    }
    if (then === 'half-close') socket.end();
    await done.promise;
    return parseReply(Buffer.concat(received))?.reply;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** The last answer on the wire (interim 1xx ones before it are left out), as far as it came. */
function parseReply(bytes: Buffer): { reply: Reply; complete: boolean } | undefined {
  let start = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', start);
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = bytes.toString('latin1', start, end).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    if (!Number.isInteger(status)) return undefined;
    start = end + 4;
    if (status < 200) continue;
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const rest = bytes.subarray(start);
    if (headers['transfer-encoding'] === 'chunked') {
      const { body, complete } = dechunk(rest);
      return { reply: new Reply(status, headers, body), complete };
    }
    const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
    return { reply: new Reply(status, headers, rest.subarray(0, length)), complete: rest.length >= length };
  }
}

function dechunk(bytes: Buffer): { body: Buffer; complete: boolean } {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return { body: Buffer.concat(chunks), complete: false };
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (size === 0) return { body: Buffer.concat(chunks), complete: true };
    chunks.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
