import { connect, type Socket } from 'node:net';
import { Frames } from './frames.ts';

// PostgreSQL's frontend/backend protocol 3.0: https://www.postgresql.org/docs/current/protocol-message-formats.html
// The extended query protocol with values in binary: documents go through as bytes, never as hexadecimal text. The `pg` package
// reads every value as a string (its parser knows no binary results), so each document would be doubled in size by the engine and
// decoded here, on the path of every read and write; what is needed beside that is four messages, which stand below.

export interface Statement {
  name: string;
  text: string;
}

/** A row's values as they came: bytes of bytea, UTF-8 of text; null for NULL. */
export type Row = (Buffer | null)[];
export type Value = Buffer | string | null;

/** PostgreSQL refused the statement. */
export class SqlError extends Error {
  readonly sqlstate: string;
  readonly detail: string;
  constructor(sqlstate: string, message: string, detail: string) {
    super(message);
    this.sqlstate = sqlstate;
    this.detail = detail;
  }
}

/** The connection ended before the answer came: whether the statement took effect is unknown. */
export class ConnectionLost extends Error {}

const longestMessageBytes = 1024 * 1024 * 1024;
const sync = Buffer.from([0x53, 0, 0, 0, 4]);

interface Pending {
  resolve(row: Row | undefined): void;
  reject(error: Error): void;
  row: Row | undefined;
  error: SqlError | undefined;
}

/** One connection; one statement at a time. */
export class Backend {
  readonly #socket: Socket;
  readonly #prepared = new Set<string>();
  #pending: Pending | undefined;
  /** The statement whose Parse is under way. */
  #parsing: string | undefined;
  #onEnd: () => void = () => {};
  ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects through a Unix socket's path, as `user`, without a password. Throws ConnectionLost, or SqlError where refused. */
  static open(path: string, user: string, database: string): Promise<Backend> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      const backend = new Backend(socket);
      const frames = new Frames(1, 1, longestMessageBytes, 'BE', (message) => backend.#take(message));
      backend.#pending = { resolve: () => resolve(backend), reject, row: undefined, error: undefined };
      socket.on('data', (data) => {
        try {
          frames.push(data);
        } catch {
          socket.destroy();
        }
      });
      socket.on('error', () => {});
      socket.on('close', () => backend.#end());
      const settings = `user\0${user}\0database\0${database}\0application_name\0coffer\0\0`;
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + Buffer.byteLength(settings), 0);
      head.writeInt32BE(196_608, 4);
      socket.write(Buffer.concat([head, Buffer.from(settings)]));
    });
  }

  set onEnd(action: () => void) {
    this.#onEnd = action;
    if (this.ended) action();
  }

  /** Runs a statement and gives its first row. Throws SqlError or ConnectionLost. */
  run(statement: Statement, values: readonly Value[]): Promise<Row | undefined> {
    return new Promise((resolve, reject) => {
      if (this.ended) {
        reject(new ConnectionLost('the connection has ended'));
        return;
      }
      this.#pending = { resolve, reject, row: undefined, error: undefined };
      // The unnamed statement is replaced by each Parse.
      const fresh = statement.name === '' || !this.#prepared.has(statement.name);
      this.#prepared.add(statement.name);
      this.#socket.write(fresh ? Buffer.concat([parse(statement), bind(statement, values)]) : bind(statement, values));
      if (fresh) this.#parsing = statement.name;
    });
  }
  close(): void {
    this.#socket.destroy();
  }

  #take(message: Buffer): void {
    const pending = this.#pending;
    switch (message[0]) {
      case 0x44: // DataRow
        if (pending !== undefined && pending.row === undefined) pending.row = rowOf(message);
        return;
      case 0x45: {
        // ErrorResponse
        const error = errorOf(message);
        if (pending !== undefined) pending.error ??= error;
        // A statement whose Parse failed is not there; one that failed later is, and naming it anew would be an error.
        if (this.#parsing !== undefined) this.#prepared.delete(this.#parsing);
        return;
      }
      case 0x31: // ParseComplete
        this.#parsing = undefined;
        return;
      case 0x5a: // ReadyForQuery
        this.#pending = undefined;
        this.#parsing = undefined;
        if (pending === undefined) return;
        if (pending.error !== undefined) pending.reject(pending.error);
        else pending.resolve(pending.row);
        return;
      default: // What a gateway does not need: parameters, notices, completions.
        return;
    }
  }

  #end(): void {
    this.ended = true;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(new ConnectionLost(pending.error?.message ?? 'PostgreSQL closed the connection'));
    this.#onEnd();
  }
}

function parse({ name, text }: Statement): Buffer {
  const body = Buffer.from(`${name}\0${text}\0\0\0`);
  const message = Buffer.allocUnsafe(5 + body.length);
  message[0] = 0x50;
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}

const execute = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
const tail = Buffer.concat([Buffer.from([0, 1, 0, 1]), execute, sync]);

/** Bind, Execute and Sync in one piece. */
function bind({ name }: Statement, values: readonly Value[]): Buffer {
  const nameBytes = Buffer.byteLength(name, 'latin1');
  let size = 1 + 4 + 1 + nameBytes + 1 + 2 + 2 * values.length + 2;
  for (const value of values) {
    size += 4 + (value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length);
  }
  const message = Buffer.allocUnsafe(size + tail.length);
  message[0] = 0x42;
  message.writeInt32BE(size + 4 - 1, 1); // and the four bytes of `tail` that belong to it
  message[5] = 0;
  message.write(name, 6, 'latin1');
  let at = 6 + nameBytes;
  message[at++] = 0;
  at = message.writeInt16BE(values.length, at);
  for (const value of values) at = message.writeInt16BE(typeof value === 'string' ? 0 : 1, at);
  at = message.writeInt16BE(values.length, at);
  for (const value of values) {
    if (value === null) {
      at = message.writeInt32BE(-1, at);
    } else if (typeof value === 'string') {
      const bytes = message.write(value, at + 4);
      message.writeInt32BE(bytes, at);
      at += 4 + bytes;
    } else {
      at = message.writeInt32BE(value.length, at);
      at += value.copy(message, at);
    }
  }
  tail.copy(message, at);
  return message;
}

function rowOf(message: Buffer): Row {
  const row: Row = new Array(message.readInt16BE(5));
  let at = 7;
  for (let column = 0; column < row.length; column++) {
    const size = message.readInt32BE(at);
    at += 4;
    row[column] = size < 0 ? null : message.subarray(at, at + size);
    if (size > 0) at += size;
  }
  return row;
}

function errorOf(message: Buffer): SqlError {
  const fields: Record<string, string> = {};
  for (let at = 5; message[at] !== 0 && at < message.length; ) {
    const end = message.indexOf(0, at);
    fields[String.fromCharCode(message[at] ?? 0)] = message.toString('utf8', at + 1, end);
    at = end + 1;
  }
  return new SqlError(fields.C ?? 'XX000', fields.M ?? '', fields.D ?? '');
}
