import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import type { Problem } from './shapes.ts';

export interface RequestOptions {
  readonly headers?: Record<string, string>;
  readonly query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: Buffer | string | Readable;
  readonly signal?: AbortSignal;
  /** For the head of the answer and for each pause in its body. Default 120,000. */
  readonly timeoutMs?: number;
}

/** An answer read whole. */
export class Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;

  constructor(status: number, headers: Record<string, string>, body: Buffer) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  text(): string {
    return this.body.toString('utf8');
  }

  /** The body as what the caller knows it to be. Throws where it is no JSON. */
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }

  /** The body as a problem document; throws when it is none. */
  problem(): Problem {
    const type = this.headers['content-type'] ?? '';
    if (!type.startsWith('application/problem+json')) {
      throw new Error(`${this.status} with ${type || 'no type'} is no problem document: ${this.text().slice(0, 500)}`);
    }
    return this.json<Problem>();
  }
}

/** An answer that was not the one expected. */
export class UnexpectedReply extends Error {
  readonly reply: Reply;

  constructor(what: string, reply: Reply) {
    super(`${what}: ${reply.status} ${reply.text().slice(0, 500)}`);
    this.reply = reply;
  }
}

/** HTTP to one server, over connections kept alive. */
export class Http {
  readonly url: string;
  readonly #agent: Agent;

  /** `connections`: at most so many at a time. */
  constructor(url: string, connections = 128) {
    this.url = url.replace(/\/$/, '');
    this.#agent = new Agent({ connections, pipelining: 1, keepAliveTimeout: 4_000 });
  }

  /** The answer's head, and its body as a stream that the caller must consume or destroy. */
  async open(method: string, path: string, options: RequestOptions = {}): Promise<Dispatcher.ResponseData> {
    const { query, json, body, signal, timeoutMs = 120_000 } = options;
    const headers: Record<string, string> = { ...options.headers };
    if (json !== undefined) headers['content-type'] ??= 'application/json';
    const url = new URL(this.url);
    const given = Object.entries(query ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, `${value}`]],
    );
    const search = new URLSearchParams(Object.fromEntries(given)).toString();
    return await this.#agent.request({
      origin: url.origin,
      path: search === '' ? path : `${path}?${search}`,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
      signal: signal ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  /** Any status is an answer; only a broken connection throws. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const response = await this.open(method, path, options);
    const body = Buffer.from(await response.body.arrayBuffer());
    return new Reply(response.statusCode, flatten(response.headers), body);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

export function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}
