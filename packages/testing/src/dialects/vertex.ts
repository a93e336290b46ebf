import { multipart, type Part } from '../client.ts';
import { type Http, type Reply, type RequestOptions, UnexpectedReply } from '../http.ts';

export interface VertexFile {
  readonly id: number;
  readonly url: string;
  readonly type: string;
  readonly size: number;
  readonly created_at: string;
}
export interface VertexCreated {
  readonly file_type: string;
  readonly filename: string;
  readonly size: number;
}

/** The API of session keys and numbered files. The methods throw where the answer's `status` is false; `request` gives any answer. */
export class VertexClient {
  readonly http: Http;
  key: string;

  constructor(http: Http, key = '') {
    this.http = http;
    this.key = key;
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    return await this.http.request(method, path, options);
  }

  async #ask<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const reply = await this.request(method, path, options);
    const body = reply.status === 200 ? reply.json<T & { status?: boolean }>() : undefined;
    if (body === undefined || body.status === false) throw new UnexpectedReply(`${method} ${path}`, reply);
    return body;
  }

  async signUp(username: string, email: string, password: string): Promise<string> {
    const json = { username, email, password };
    const answer = await this.#ask<{ 'your session key': string }>('POST', '/signup/', { json });
    this.key = answer['your session key'];
    return this.key;
  }
  async logIn(username: string, password: string): Promise<string> {
    const answer = await this.#ask<{ session_key: string }>('POST', '/login/', { json: { username, password } });
    this.key = answer.session_key;
    return this.key;
  }
  /** The living key, or a new one. */
  async token(username: string, password: string): Promise<string> {
    const json = { username, password };
    const answer = await this.#ask<{ key?: string; details?: { key: string } }>('POST', '/token/', { json });
    this.key = answer.key ?? answer.details?.key ?? '';
    return this.key;
  }
  createFile(name: string, bytes: Buffer | string, mime?: string): Promise<VertexCreated> {
    const file: Part = { part: 'file', filename: name, ...(mime !== undefined && { mime }), bytes };
    const { body, contentType } = multipart([file, { part: 'key', bytes: this.key }]);
    return this.#ask('POST', '/create/file/', { body, headers: { 'content-type': contentType } });
  }
  /** By name; empty where the account has no file. */
  async files(): Promise<Readonly<Record<string, VertexFile>>> {
    const reply = await this.request('POST', '/get/files/', { json: { key: this.key } });
    const body = reply.json<{ file?: Record<string, VertexFile>; message?: string }>();
    if (body.file !== undefined) return body.file;
    if (body.message === 'No file is available under this User') return {};
    throw new UnexpectedReply('POST /get/files/', reply);
  }
  async file(id: number): Promise<VertexFile & { readonly name: string }> {
    const query = { id, token: this.key };
    const { file } = await this.#ask<{ file: Record<string, VertexFile> }>('GET', '/get/file/', { query });
    const [entry] = Object.entries(file);
    if (entry === undefined) throw new Error(`The answer about file ${id} names none`);
    return { name: entry[0], ...entry[1] };
  }
  async deleteFile(id: number): Promise<void> {
    await this.#ask('GET', '/delete/file/', { query: { id, key: this.key } });
  }
  async clearSession(): Promise<void> {
    await this.#ask('POST', '/clear/session/', { json: { key: this.key } });
  }
  async deleteUser(password: string): Promise<void> {
    await this.#ask('POST', '/delete/user/', { json: { key: this.key, password } });
  }
}
