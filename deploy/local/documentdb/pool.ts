import { setTimeout as sleep } from 'node:timers/promises';
import { Backend, ConnectionLost, type Row, type Statement, type Value } from './backend.ts';

/** What runs SQL statements, each by itself. */
export interface Sql {
  /** Gives the first row. Throws SqlError, or ConnectionLost where the outcome is unknown. */
  run(statement: Statement, values: readonly Value[]): Promise<Row | undefined>;
}

interface Waiting {
  resolve(backend: Backend): void;
  reject(error: Error): void;
}

/** Connections to one PostgreSQL, opened as they are needed and kept. Waiting statements are served in order. */
export class Pool implements Sql {
  readonly #open: () => Promise<Backend>;
  readonly #size: number;
  readonly #idle: Backend[] = [];
  readonly #waiting: Waiting[] = [];
  #count = 0;
  #available = false;
  #closed = false;
  /** Called when PostgreSQL can be used: for the first time, and again after each loss. */
  onAvailable: () => void = () => {};
  /** Called when PostgreSQL has gone away, once until it is back. */
  onLost: () => void = () => {};

  constructor(options: { socketPath: string; user: string; database: string; size: number }) {
    this.#open = () => Backend.open(options.socketPath, options.user, options.database);
    this.#size = options.size;
  }

  /** Begins to look for PostgreSQL; until it is there, statements are refused. */
  start(): void {
    void this.#returning();
  }

  async run(statement: Statement, values: readonly Value[]): Promise<Row | undefined> {
    const backend = this.#idle.pop() ?? (await this.#acquire());
    try {
      return await backend.run(statement, values);
    } finally {
      this.#release(backend);
    }
  }

  close(): void {
    this.#closed = true;
    for (const backend of this.#idle) backend.close();
  }

  #acquire(): Promise<Backend> {
    if (!this.#available) return Promise.reject(new ConnectionLost('PostgreSQL is away'));
    if (this.#count >= this.#size) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#count++;
    return this.#make();
  }

  async #make(): Promise<Backend> {
    try {
      const backend = await this.#open();
      backend.onEnd = () => this.#lose(backend);
      return backend;
    } catch (error) {
      this.#count--;
      this.#away();
      throw error instanceof ConnectionLost ? error : new ConnectionLost(String(error));
    }
  }

  #release(backend: Backend): void {
    if (backend.ended) return;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(backend);
    else next.resolve(backend);
    if (this.#closed) backend.close();
  }

  #lose(backend: Backend): void {
    this.#count--;
    const at = this.#idle.indexOf(backend);
    if (at >= 0) this.#idle.splice(at, 1);
    if (!this.#closed) this.#away();
  }

  /** A connection ended that nobody closed: PostgreSQL restarts, and ends the others with it. */
  #away(): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new ConnectionLost('PostgreSQL is away'));
    if (!this.#available) return;
    this.#available = false;
    this.onLost();
    void this.#returning();
  }

  async #returning(): Promise<void> {
    for (; !this.#closed; await sleep(50)) {
      try {
        const backend = await this.#open();
        this.#count++;
        backend.onEnd = () => this.#lose(backend);
        if (backend.ended) continue;
        this.#available = true;
        this.#release(backend);
        this.onAvailable();
        return;
      } catch {
        // Not yet.
      }
    }
  }
}
