import type { Readable } from 'node:stream';
import { type Http, type Reply, type RequestOptions, UnexpectedReply } from '../http.ts';

export interface CloudrestPair {
  readonly access_key_id: string;
  readonly secret_access_key: string;
}

/**
 * The API of files by key behind a cookie. Everything has HTTP 200 there, refusals too, so most methods answer what came; those that give
 * something back throw where it did not.
 */
export class CloudrestClient {
  readonly http: Http;
  /** As the server set it last; sent with every request. */
  cookie: string | undefined;

  constructor(http: Http, cookie?: string) {
    this.http = http;
    this.cookie = cookie;
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const headers = { ...(this.cookie !== undefined && { cookie: this.cookie }), ...options.headers };
    const reply = await this.http.request(method, path, { ...options, headers });
    const set = reply.headers['set-cookie']?.split(';', 1)[0];
    if (set !== undefined) this.cookie = set.endsWith('=') ? undefined : set;
    return reply;
  }

  async #form(path: string, fields: Readonly<Record<string, string>>): Promise<Reply> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return await this.request('POST', path, { headers, body: new URLSearchParams(fields).toString() });
  }

  signUp(login: string, password: string, pair: CloudrestPair): Promise<Reply> {
    return this.#form('/api/sign_up', { login, password, ...pair });
  }
  signIn(login: string, password: string): Promise<Reply> {
    return this.#form('/api/sign_in', { login, password });
  }
  logOut(): Promise<Reply> {
    return this.request('POST', '/api/logout');
  }
  put(key: string, body: Buffer | string | Readable, mime?: string): Promise<Reply> {
    return this.request('PUT', pathOf(key), { body, ...(mime !== undefined && { headers: { 'content-type': mime } }) });
  }
  get(key: string): Promise<Reply> {
    return this.request('GET', pathOf(key));
  }
  delete(key: string): Promise<Reply> {
    return this.request('DELETE', pathOf(key));
  }
  async keys(): Promise<string[]> {
    const reply = await this.request('GET', '/api/files_keys');
    const keys = reply.json();
    if (!Array.isArray(keys)) throw new UnexpectedReply('GET /api/files_keys', reply);
    return keys.map(String);
  }
}

const pathOf = (key: string): string => `/api/file/${key.split('/').map(encodeURIComponent).join('/')}`;
