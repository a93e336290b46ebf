import { deserialize, serialize } from 'bson';
import { SqlError } from './backend.ts';
import type { Duplicates } from './duplicates.ts';
import { codeOf, isConflict, MongoError, unpackSqlstate } from './errors.ts';
import { fieldsOf } from './fields.ts';
import type { Sql } from './pool.ts';
import { RetryQueue } from './queue.ts';
import { statements } from './statements.ts';

export type WriteCommand = 'insert' | 'update' | 'delete';

/** A write that lost this often is reported as a conflict. */
const mostTries = 50;
const operationsField = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

interface WriteError {
  index: number;
  sqlstate: string;
  message: string;
}

interface Sum {
  n: number;
  nModified: number;
  upserted: { index: number; _id: unknown }[];
  errors: WriteError[];
}

/**
 * Writes. Inserts of one unique key that meet wait for each other, and PostgreSQL ends that as a deadlock. The losers try again
 * one after another (side by side they would only lose again), meet the winner, and get the duplicate key that MongoDB reports.
 */
export class Writes {
  readonly #sql: Sql;
  readonly #duplicates: Duplicates;
  readonly #again = new RetryQueue();

  constructor(sql: Sql, duplicates: Duplicates) {
    this.#sql = sql;
    this.#duplicates = duplicates;
  }

  /** insert, update, delete. `sequence` holds the operations where they came beside the body. Gives the reply. */
  async write(
    command: WriteCommand,
    db: string,
    collection: string,
    body: Buffer,
    sequence: Buffer | null,
  ): Promise<Buffer> {
    const attempt = () => this.#attempt(command, db, body, sequence);
    const reply = await attempt().catch((error: unknown) => this.#retry(error, attempt));
    if (!reply.includes('writeErrors')) return reply;
    const sum = resultOf(reply, (index) => index);
    const batch = new Batch(command, body, sequence);
    for (let tries = 0; tries < mostTries; tries++) {
      const conflicts = sum.errors.filter((error) => isConflict(error.sqlstate));
      if (conflicts.length === 0) break;
      sum.errors = sum.errors.filter((error) => !isConflict(error.sqlstate));
      for (const { index } of conflicts) {
        // An ordered batch stopped here: what follows is still to be done.
        const indexes = batch.ordered ? batch.from(index) : [index];
        const again = () => this.#attempt(command, db, batch.body, batch.pick(indexes));
        const part = await this.#again.run(again, lost).catch((error: unknown) => this.#retry(error, again));
        add(
          sum,
          resultOf(part, (position) => indexes[position] ?? position),
        );
      }
    }
    return this.#replyOf(command, db, collection, sum);
  }

  /** findAndModify is one operation: it works or fails as a whole. */
  async findAndModify(db: string, collection: string, body: Buffer): Promise<Buffer> {
    const attempt = async () => bytesOf(await this.#sql.run(statements.findAndModify, [db, body]));
    try {
      return await attempt().catch((error: unknown) => this.#retry(error, attempt));
    } catch (error) {
      throw await this.explain(error, db, collection);
    }
  }

  /** The error for the client where a statement failed as a whole. */
  async explain(error: unknown, db: string, collection: string): Promise<unknown> {
    if (!(error instanceof SqlError)) return error;
    const { code, codeName } = codeOf(error.sqlstate);
    if (code !== 11000) return error;
    const { message, keyPattern } = await this.#duplicates.explain(db, collection, `${error.message} ${error.detail}`);
    return new MongoError(code, codeName, message, { keyPattern });
  }

  async #attempt(command: WriteCommand, db: string, body: Buffer, sequence: Buffer | null): Promise<Buffer> {
    return bytesOf(await this.#sql.run(statements[command], [db, body, sequence]));
  }

  async #retry(error: unknown, attempt: () => Promise<Buffer>): Promise<Buffer> {
    let last = error;
    for (let tries = 0; tries < mostTries; tries++) {
      if (!(last instanceof SqlError) || !isConflict(last.sqlstate)) throw last;
      try {
        return await this.#again.run(attempt, lost);
      } catch (next) {
        last = next;
      }
    }
    throw last;
  }

  async #replyOf(command: WriteCommand, db: string, collection: string, sum: Sum): Promise<Buffer> {
    const writeErrors = [];
    for (const { index, sqlstate, message } of sum.errors.sort((a, b) => a.index - b.index)) {
      const { code } = codeOf(sqlstate);
      if (code === 11000) {
        const duplicate = await this.#duplicates.explain(db, collection, message);
        writeErrors.push({ index, code, keyPattern: duplicate.keyPattern, errmsg: duplicate.message });
      } else {
        writeErrors.push({ index, code, errmsg: message });
      }
    }
    return Buffer.from(
      serialize({
        ok: 1,
        n: sum.n,
        ...(command === 'update' ? { nModified: sum.nModified } : {}),
        ...(sum.upserted.length > 0 ? { upserted: sum.upserted } : {}),
        ...(writeErrors.length > 0 ? { writeErrors } : {}),
      }),
    );
  }
}

/** A command's operations one by one, for those that are tried again. */
class Batch {
  readonly ordered: boolean;
  /** The command without its operations. */
  readonly body: Buffer;
  readonly #operations: Buffer[];

  constructor(command: WriteCommand, body: Buffer, sequence: Buffer | null) {
    let ordered = true;
    let stripped = body;
    let operations: Buffer[] = [];
    for (const field of fieldsOf(body)) {
      if (field.name === 'ordered') ordered = body[field.value] !== 0;
      if (field.name !== operationsField[command]) continue;
      operations = [...fieldsOf(body, field.value)].map(({ value, end }) => body.subarray(value, end));
      stripped = Buffer.concat([body.subarray(0, field.start), body.subarray(field.end)]);
      stripped.writeInt32LE(stripped.length, 0);
    }
    for (let at = 0; sequence !== null && at < sequence.length; ) {
      const end = at + sequence.readInt32LE(at);
      operations.push(sequence.subarray(at, end));
      at = end;
    }
    this.ordered = ordered;
    this.body = stripped;
    this.#operations = operations;
  }

  from(index: number): number[] {
    return this.#operations.map((_, position) => position).slice(index);
  }

  pick(indexes: number[]): Buffer {
    return Buffer.concat(indexes.map((index) => this.#operations[index] ?? Buffer.alloc(0)));
  }
}

function bytesOf(row: (Buffer | null)[] | undefined): Buffer {
  const bytes = row?.[0];
  if (!bytes) throw new MongoError(1, 'InternalError', 'the engine gave no result');
  return bytes;
}

/** Whether an attempt met others once more. */
function lost(outcome: unknown): boolean {
  if (outcome instanceof SqlError) return isConflict(outcome.sqlstate);
  if (!Buffer.isBuffer(outcome) || !outcome.includes('writeErrors')) return false;
  return resultOf(outcome, (index) => index).errors.some(({ sqlstate }) => isConflict(sqlstate));
}

/** What a reply of the extension says; `indexOf` gives an operation's place in the client's batch. */
function resultOf(reply: Buffer, indexOf: (position: number) => number): Sum {
  const result = deserialize(reply);
  // Once more with the types that came, for the ids in it.
  const exact = deserialize(reply, { promoteValues: false, bsonRegExp: true });
  const upserted: { index: number }[] = result.upserted ?? [];
  const errors: { index: number; code: number; errmsg: string }[] = result.writeErrors ?? [];
  return {
    n: Number(result.n ?? 0),
    nModified: Number(result.nModified ?? 0),
    upserted: upserted.map(({ index }, position) => ({ index: indexOf(index), _id: exact.upserted[position]._id })),
    errors: errors.map(({ index, code, errmsg }) => ({
      index: indexOf(index),
      sqlstate: unpackSqlstate(code),
      message: errmsg,
    })),
  };
}

function add(sum: Sum, part: Sum): void {
  sum.n += part.n;
  sum.nModified += part.nModified;
  sum.upserted.push(...part.upserted);
  sum.errors.push(...part.errors);
}
