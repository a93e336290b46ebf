import { deserialize } from 'bson';
import type { Sql } from './pool.ts';
import { statements } from './statements.ts';

export interface Duplicate {
  message: string;
  keyPattern: Record<string, unknown>;
}

interface Index {
  name: string;
  keyPattern: Record<string, unknown>;
}

/** Says which index a duplicate key is of, as MongoDB does. */
export class Duplicates {
  readonly #sql: Sql;
  readonly #byNumber = new Map<string, Index>();
  readonly #byName = new Map<string, Index>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** From the extension's message, which names the index by its name or by the number of PostgreSQL's constraint. */
  async explain(db: string, collection: string, message: string): Promise<Duplicate> {
    const index = (await this.#find(db, collection, message)) ?? { name: '_id_', keyPattern: { _id: 1 } };
    return {
      message: `E11000 duplicate key error collection: ${db}.${collection} index: ${index.name} dup key`,
      keyPattern: index.keyPattern,
    };
  }

  /** Names may mean other indexes after a change of structure. */
  forget(): void {
    this.#byName.clear();
  }

  async #find(db: string, collection: string, message: string): Promise<Index | undefined> {
    const number = /documents_rum_index_(\d+)/.exec(message)?.[1];
    if (number !== undefined) {
      const known = this.#byNumber.get(number);
      if (known !== undefined) return known;
      const row = await this.#sql.run(statements.indexName, [number]);
      if (!row?.[0] || !row[1]) return undefined;
      const index = { name: row[0].toString(), keyPattern: deserialize(row[1]) };
      this.#byNumber.set(number, index);
      return index;
    }
    const name = /[Ii]ndex:? '?([^' ]+)'?/.exec(message)?.[1];
    if (name === undefined || name === '_id_') return undefined;
    const place = `${db}.${collection}.${name}`;
    const known = this.#byName.get(place);
    if (known !== undefined) return known;
    const row = await this.#sql.run(statements.indexKey, [db, collection, name]);
    const index = { name, keyPattern: row?.[1] ? deserialize(row[1]) : {} };
    this.#byName.set(place, index);
    return index;
  }
}
