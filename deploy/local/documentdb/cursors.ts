import { MongoError } from './errors.ts';
import type { Sql } from './pool.ts';
import { statements } from './statements.ts';

export type CursorCommand = 'find' | 'aggregate' | 'listIndexes' | 'listCollections';

/** MongoDB closes cursors after ten idle minutes too. */
const idleMs = 600_000;

interface Cursor {
  continuation: Buffer;
  usedAt: number;
}

/**
 * Open cursors. The extension gives with each page where to go on (results that it had to sort or group wait in its files), so that
 * any connection serves the next page and no cursor holds one.
 */
export class Cursors {
  readonly #sql: Sql;
  readonly #open = new Map<string, Cursor>();
  // Above 2^31, so that ids are 64-bit integers everywhere, and never one of an earlier run, whose files may still be there.
  #next = Date.now() * 1000;
  readonly #sweep = setInterval(() => this.#forgetIdle(), 60_000).unref();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async firstPage(command: CursorCommand, db: string, body: Buffer): Promise<Buffer> {
    const id = String(this.#next++);
    const row = await this.#sql.run(statements[command], [db, body, id]);
    this.#keep(id, row?.[1]);
    return page(row?.[0]);
  }

  async nextPage(id: string, db: string, body: Buffer): Promise<Buffer> {
    const cursor = this.#open.get(id);
    if (cursor === undefined) throw new MongoError(43, 'CursorNotFound', `cursor id ${id} not found`);
    cursor.usedAt = Date.now();
    const row = await this.#sql.run(statements.getMore, [db, body, cursor.continuation]);
    this.#keep(id, row?.[1]);
    return page(row?.[0]);
  }

  /** Gives those that were open. */
  async kill(ids: string[]): Promise<string[]> {
    const known = ids.filter((id) => this.#open.delete(id));
    if (known.length > 0) await this.#sql.run(statements.killCursors, [`{${known.join(',')}}`]);
    return known;
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #keep(id: string, continuation: Buffer | null | undefined): void {
    // A copy: the bytes that came are part of a larger piece, which would be held as long.
    if (continuation) this.#open.set(id, { continuation: Buffer.from(continuation), usedAt: Date.now() });
    else this.#open.delete(id);
  }

  #forgetIdle(): void {
    for (const [id, { usedAt }] of this.#open) if (Date.now() - usedAt > idleMs) this.#open.delete(id);
  }
}

function page(bytes: Buffer | null | undefined): Buffer {
  if (!bytes) throw new MongoError(1, 'InternalError', 'the engine gave no page');
  return bytes;
}
