import { multipart, type Part } from '../client.ts';
import { type Http, type Reply, type RequestOptions, UnexpectedReply } from '../http.ts';

export interface CloudboxAsset {
  id: string;
  user_id: string;
  is_folder: boolean;
  parent: string | null;
  name: string;
  uri: string;
  editors: string[];
  viewers: string[];
  created_at: string;
  updated_at: string;
  file_type?: string;
  size?: number;
  s3_key?: string;
}

export interface CloudboxAccount {
  id: string;
  first_name: string | null;
  last_name: string | null;
  middle_name: string | null;
  email: string | null;
  phone: string | null;
  profile_pict: string | null;
  date_of_birth: string | null;
}

/** The API of files and folders that are shared. `request` gives any answer; the other methods throw for what is no success. */
export class CloudboxClient {
  readonly http: Http;
  access: string | undefined;
  refresh: string | undefined;

  constructor(http: Http, access?: string) {
    this.http = http;
    this.access = access;
  }

  /** `path` is below `/api/v1/`. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const headers = {
      ...(this.access !== undefined && { authorization: `Bearer ${this.access}` }),
      ...options.headers,
    };
    return await this.http.request(method, `/api/v1/${path}`, { ...options, headers });
  }

  async #ok(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const reply = await this.request(method, path, options);
    if (reply.status >= 400) throw new UnexpectedReply(`${method} ${path}`, reply);
    return reply;
  }

  async form(method: string, path: string, parts: readonly Part[]): Promise<Reply> {
    const { body, contentType } = multipart(parts);
    return await this.request(method, path, { body, headers: { 'content-type': contentType } });
  }

  async register(fields: Readonly<Record<string, string>>): Promise<CloudboxAccount> {
    return (await this.#ok('POST', 'auth/register', { json: fields })).json();
  }
  /** Remembers both tokens. */
  async logIn(email: string, password: string): Promise<void> {
    const reply = await this.#ok('POST', 'auth/login', { json: { email, password } });
    const { access, refresh } = reply.json<{ access: string; refresh: string }>();
    this.access = access;
    this.refresh = refresh;
  }
  async profile(): Promise<CloudboxAccount & Record<string, string | null>> {
    return (await this.#ok('GET', 'auth/profile')).json();
  }

  /** The root without an id. */
  async folder(id?: string): Promise<CloudboxAsset> {
    return (await this.#ok('GET', id === undefined ? 'store/folders/' : `store/folders/${id}/`)).json();
  }
  async content(id?: string): Promise<CloudboxAsset[]> {
    return (await this.#ok('GET', id === undefined ? 'store/folders/content/' : `store/folders/${id}/content/`)).json();
  }
  async createFolder(name: string, parentId?: string): Promise<CloudboxAsset> {
    const path = parentId === undefined ? 'store/folders/' : `store/folders/${parentId}/`;
    return (await this.#ok('POST', path, { json: { name } })).json();
  }

  /** Any answer: the refusals of this one are what tests look at. */
  async tryUpload(file: { name: string; bytes: Buffer | string; mime?: string }, folderId?: string): Promise<Reply> {
    const path = folderId === undefined ? 'store/files/' : `store/files/${folderId}/`;
    const { name: filename, bytes, mime } = file;
    return await this.form('POST', path, [{ part: 'file', filename, bytes, ...(mime !== undefined && { mime }) }]);
  }
  async upload(...args: Parameters<CloudboxClient['tryUpload']>): Promise<CloudboxAsset> {
    const reply = await this.tryUpload(...args);
    if (reply.status !== 201) throw new UnexpectedReply('POST store/files', reply);
    return reply.json();
  }
  async file(id: string): Promise<CloudboxAsset> {
    return (await this.#ok('GET', `store/files/${id}/`)).json();
  }
  async rename(asset: Pick<CloudboxAsset, 'id' | 'is_folder'>, name: string): Promise<CloudboxAsset> {
    return (await this.#ok('PATCH', pathOf(asset), { json: { name } })).json();
  }
  async delete(asset: Pick<CloudboxAsset, 'id' | 'is_folder'>): Promise<void> {
    await this.#ok('DELETE', pathOf(asset));
  }
  /** The link that the view leads to, good for some minutes and with no token. */
  async viewLink(id: string): Promise<string> {
    const reply = await this.request('GET', `store/files/${id}/view/`);
    if (reply.status !== 302) throw new UnexpectedReply('GET view', reply);
    return reply.headers.location ?? '';
  }
  /** A folder comes as a zip. */
  async download(id: string): Promise<Reply> {
    return await this.#ok('GET', `store/assets/${id}/download/`);
  }

  async share(id: string, list: 'editors' | 'viewers', users: readonly string[], notify = false): Promise<string[]> {
    const reply = await this.#ok('POST', `store/assets/${id}/${list}/`, { json: { users, notify } });
    return reply.json<Record<string, string[]>>()[list] ?? [];
  }
  async unshare(id: string, list: 'editors' | 'viewers', users: readonly string[]): Promise<void> {
    await this.#ok('DELETE', `store/assets/${id}/${list}/`, { json: { users } });
  }
  async setAccessType(id: string, access_type: 'restricted' | 'viewer' | 'editor'): Promise<void> {
    await this.#ok('PATCH', `store/assets/${id}/access-type/`, { json: { access_type } });
  }
}

const pathOf = ({ id, is_folder }: Pick<CloudboxAsset, 'id' | 'is_folder'>): string =>
  `store/${is_folder ? 'folders' : 'files'}/${id}/`;
