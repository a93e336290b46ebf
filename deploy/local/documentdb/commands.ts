import { Long, serialize } from 'bson';
import { SqlError } from './backend.ts';
import { type CursorCommand, Cursors } from './cursors.ts';
import { Duplicates } from './duplicates.ts';
import { codeOf, isConflict, MongoError } from './errors.ts';
import { type CommandHead, fieldsOf } from './fields.ts';
import type { Sql } from './pool.ts';
import { makeQueue } from './queue.ts';
import { type StatementName, statements } from './statements.ts';
import { Writes } from './writes.ts';

const version = '7.0.0';
const ok: Reply = { ok: 1 };

/** A document, or a document's bytes. */
export type Reply = Buffer | Record<string, unknown>;

/** What this server says about itself: a standalone, to which drivers send neither transactions nor retryable writes. */
export function hello(connectionId: number): Reply {
  return {
    ismaster: true,
    isWritablePrimary: true,
    helloOk: true,
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    // The extension's own limit.
    maxWriteBatchSize: 25_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId,
    minWireVersion: 0,
    maxWireVersion: 21,
    readOnly: false,
    ok: 1,
  };
}

/** MongoDB's commands in terms of the extension's functions. */
export class Commands {
  readonly #sql: Sql;
  readonly #cursors: Cursors;
  readonly #duplicates: Duplicates;
  readonly #writes: Writes;
  /** Collections that are known to be there. */
  readonly #known = new Set<string>();
  // Instances that start together make the same collections and indexes at the same moment, which the extension's catalogue does not bear.
  readonly #structure = makeQueue();

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#cursors = new Cursors(sql);
    this.#duplicates = new Duplicates(sql);
    this.#writes = new Writes(sql, this.#duplicates);
  }

  close(): void {
    this.#cursors.close();
  }

  /** Runs one command. `sequence`: documents that came beside the body. Throws MongoError, SqlError, ConnectionLost. */
  async run(head: CommandHead, body: Buffer, sequence: Buffer | null): Promise<Reply> {
    const { name, db, target } = head;
    if (head.transaction)
      throw new MongoError(
        20,
        'IllegalOperation',
        'Transaction numbers are only allowed on a replica set member or mongos',
      );
    switch (name) {
      case 'find':
      case 'aggregate':
        return this.#cursors.firstPage(name, db, body);
      case 'insert':
      case 'update':
      case 'delete':
        return this.#once(db, target, () => this.#writes.write(name, db, target, body, sequence));
      case 'findAndModify':
      case 'findandmodify':
        return this.#once(db, target, () => this.#writes.findAndModify(db, target, body));
      case 'getMore':
        return this.#cursors.nextPage(String(body.readBigInt64LE(head.targetAt)), db, body);
      case 'killCursors':
        return this.#killCursors(body);
      case 'count':
      case 'distinct':
      case 'validate':
        return this.#bytes(name, [db, body]);
      case 'listIndexes':
      case 'listCollections':
        return this.#cursors.firstPage(name satisfies CursorCommand, db, body);
      case 'ping':
      case 'endSessions':
      case 'refreshSessions':
        return ok;
      default:
        return this.#rarely(head, body);
    }
  }

  async #rarely({ name, db, target }: CommandHead, body: Buffer): Promise<Reply> {
    const namespace = `${db}.${target}`;
    switch (name) {
      case 'buildInfo':
      case 'buildinfo':
        return {
          version,
          versionArray: [7, 0, 0, 0],
          gitVersion: 'documentdb',
          bits: 64,
          maxBsonObjectSize: 16_777_216,
          ok: 1,
        };
      case 'create':
      case 'createIndexes':
        return this.#change(async () => {
          const reply = await this.#bytes(name, [db, body]);
          this.#known.add(namespace);
          return reply;
        });
      case 'dropIndexes':
      case 'deleteIndexes':
        return this.#change(async () => (await this.#sql.run(statements.dropIndexes, [db, body]))?.[0] ?? ok);
      case 'collMod':
        return this.#change(() => this.#bytes('collMod', [db, body, target]));
      case 'drop':
        this.#known.delete(namespace);
        return this.#change(async () => {
          await this.#sql.run(statements.drop, [db, target]);
          this.#known.delete(namespace);
          return { ns: namespace, ok: 1 };
        });
      case 'dropDatabase':
        return this.#change(async () => {
          await this.#sql.run(statements.dropDatabase, [db]);
          for (const known of this.#known) if (known.startsWith(`${db}.`)) this.#known.delete(known);
          return { dropped: db, ok: 1 };
        });
      case 'collStats':
      case 'collstats':
        return this.#bytes('collStats', [db, target]);
      case 'dbStats':
      case 'dbstats':
        return this.#bytes('dbStats', [db]);
      case 'listDatabases':
        return this.#bytes('listDatabases', [body]);
      case 'serverStatus':
        return { version, process: 'mongod', pid: process.pid, uptime: process.uptime(), localTime: new Date(), ok: 1 };
      case 'connectionStatus':
        return { authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 };
      default:
        throw new MongoError(59, 'CommandNotFound', `no such command: '${name}'`);
    }
  }

  /** A write to a collection that may not be there makes it: only one at a time may. */
  async #once(db: string, collection: string, write: () => Promise<Buffer>): Promise<Buffer> {
    const namespace = `${db}.${collection}`;
    if (this.#known.has(namespace)) return this.#explained(db, collection, write);
    return this.#structure(async () => {
      const reply = await this.#explained(db, collection, write);
      this.#known.add(namespace);
      return reply;
    });
  }

  async #explained(db: string, collection: string, write: () => Promise<Buffer>): Promise<Buffer> {
    try {
      return await write();
    } catch (error) {
      throw await this.#writes.explain(error, db, collection);
    }
  }

  /** A change of structure; it may meet running writes, and is tried again then. */
  #change(action: () => Promise<Reply>): Promise<Reply> {
    return this.#structure(async () => {
      this.#duplicates.forget();
      for (let tries = 1; ; tries++) {
        try {
          return await action();
        } catch (error) {
          if (tries === 20 || !(error instanceof SqlError && isConflict(error.sqlstate))) throw error;
        }
      }
    });
  }

  async #bytes(name: StatementName, values: (string | Buffer)[]): Promise<Buffer> {
    const bytes = (await this.#sql.run(statements[name], values))?.[0];
    if (!bytes) throw new MongoError(1, 'InternalError', `the engine gave no answer to ${name}`);
    return bytes;
  }

  async #killCursors(body: Buffer): Promise<Reply> {
    const list = [...fieldsOf(body)].find((field) => field.name === 'cursors');
    if (list === undefined)
      throw new MongoError(40414, 'Location40414', "BSON field 'killCursors.cursors' is missing but a required field");
    const ids = [...fieldsOf(body, list.value)].map(({ type, value }) => {
      if (type !== 0x12) throw new MongoError(14, 'TypeMismatch', "'killCursors.cursors' must hold 64-bit integers");
      return String(body.readBigInt64LE(value));
    });
    const killed = await this.#cursors.kill(ids);
    const longs = (list: string[]) => list.map((id) => Long.fromString(id));
    return {
      cursorsKilled: longs(killed),
      cursorsNotFound: longs(ids.filter((id) => !killed.includes(id))),
      cursorsAlive: [],
      cursorsUnknown: [],
      ok: 1,
    };
  }
}

/** The reply for an error; undefined for one that only the end of the connection can tell. */
export function replyToError(error: unknown): Reply | undefined {
  if (error instanceof MongoError) {
    return { ok: 0, errmsg: error.message, code: error.code, codeName: error.codeName, ...error.fields };
  }
  if (error instanceof SqlError) {
    // Class 57P: PostgreSQL shuts down or starts. Whatever the statement was, its client should connect again.
    if (error.sqlstate.startsWith('57P')) return undefined;
    return { ok: 0, errmsg: error.message, ...codeOf(error.sqlstate) };
  }
  if (error instanceof RangeError) return { ok: 0, errmsg: error.message, code: 22, codeName: 'InvalidBSON' };
  return undefined;
}

/** A reply as BSON. */
export function bytesOfReply(reply: Reply): Buffer {
  return Buffer.isBuffer(reply) ? reply : Buffer.from(serialize(reply));
}
