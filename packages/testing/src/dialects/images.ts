import { type Http, type Reply, type RequestOptions, UnexpectedReply } from '../http.ts';

export interface ListedImage {
  readonly id: string;
  readonly source: string;
  readonly description: string;
  readonly upload_date: string;
}
export interface ImagesUser {
  readonly id: string;
  readonly login: string;
  readonly description: string;
  readonly images: readonly ListedImage[];
}
export interface UploadedImage {
  readonly id: string;
  readonly login: string;
  readonly source: string;
  readonly upload_date: string;
}

/** The API of pictures in JSON. `request` gives any answer; the other methods what a success means, and throw for every other status. */
export class ImagesClient {
  readonly http: Http;
  /** Sent as it is. */
  authorization: string | undefined;

  constructor(http: Http, authorization?: string) {
    this.http = http;
    this.authorization = authorization;
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const headers = {
      ...(this.authorization !== undefined && { authorization: this.authorization }),
      ...options.headers,
    };
    return await this.http.request(method, path, { ...options, headers });
  }

  async #json<T>(method: string, path: string, json?: unknown): Promise<T> {
    const reply = await this.request(method, path, json === undefined ? {} : { json });
    if (reply.status !== 200) throw new UnexpectedReply(`${method} ${path}`, reply);
    return reply.json<T>();
  }

  register(login: string, email: string, password: string) {
    const json = { login, email, password };
    return this.#json<{ createTime: string; email: string; id: string; login: string }>(
      'POST',
      '/api/registration',
      json,
    );
  }
  /** Remembers the key. */
  async logIn(login: string, password: string): Promise<string> {
    const answer = await this.#json<{ Authorization: string }>('POST', '/api/login', { login, password });
    this.authorization = answer.Authorization;
    return answer.Authorization;
  }
  me(): Promise<ImagesUser> {
    return this.#json('GET', '/api/me');
  }
  user(login: string): Promise<ImagesUser> {
    return this.#json('GET', `/api/user/${encodeURIComponent(login)}`);
  }
  upload(bytes: Buffer, description?: string): Promise<UploadedImage> {
    return this.#json('POST', '/api/images', { data: bytes.toString('base64'), description });
  }
  image(id: string): Promise<Reply> {
    return this.request('GET', `/api/images/${id}`);
  }
  feed(): Promise<readonly ListedImage[]> {
    return this.#json('GET', '/api/images/feed');
  }
}
