import { multipart } from '../client.ts';
import { type Http, type Reply, type RequestOptions, UnexpectedReply } from '../http.ts';

/** The API of files by an identifier of one's own. `request` gives any answer; the other methods throw for what is no success. */
export class MinobjectClient {
  readonly http: Http;
  token: string | undefined;

  constructor(http: Http, token?: string) {
    this.http = http;
    this.token = token;
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const headers = {
      ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
      ...options.headers,
    };
    return await this.http.request(method, path, { ...options, headers });
  }

  async #ok(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const reply = await this.request(method, path, options);
    if (reply.status >= 300) throw new UnexpectedReply(`${method} ${path}`, reply);
    return reply;
  }

  async register(username: string, password: string): Promise<void> {
    await this.#ok('POST', '/users/register', { json: { username, password } });
  }
  /** Remembers the token. */
  async logIn(username: string, password: string): Promise<string> {
    const reply = await this.#ok('POST', '/users/login', { json: { username, password } });
    this.token = reply.json<{ jwt_token: string }>().jwt_token;
    return this.token;
  }

  /** Any answer: the refusals of this one are what tests look at. */
  async tryUpload(
    identifier: string | undefined,
    file: { name: string; bytes: Buffer | string; mime?: string } | undefined,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const { body, contentType } = multipart([
      ...(file === undefined
        ? []
        : [{ part: 'file', filename: file.name, bytes: file.bytes, ...(file.mime && { mime: file.mime }) }]),
      ...Object.entries(fields).map(([part, bytes]) => ({ part, bytes })),
      ...(identifier === undefined ? [] : [{ part: 'file_identifier', bytes: identifier }]),
    ]);
    return await this.request('POST', '/data/file', { body, headers: { 'content-type': contentType } });
  }
  async upload(...args: Parameters<MinobjectClient['tryUpload']>): Promise<void> {
    const reply = await this.tryUpload(...args);
    if (reply.status !== 201) throw new UnexpectedReply('POST /data/file', reply);
  }
  download(identifier: string): Promise<Reply> {
    return this.#ok('GET', `/data/file/${encodeURIComponent(identifier)}`);
  }
  async metadata(identifier: string): Promise<Record<string, string>> {
    return (await this.#ok('GET', `/data/metadata/${encodeURIComponent(identifier)}`)).json();
  }
  async identifiers(): Promise<string[]> {
    return (await this.#ok('GET', '/data/user_file')).json<{ file_identifiers: string[] }>().file_identifiers;
  }
  async delete(identifier: string): Promise<void> {
    await this.#ok('DELETE', `/data/file/${encodeURIComponent(identifier)}`);
  }
}
