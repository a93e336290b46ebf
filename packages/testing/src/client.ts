import type { Readable } from 'node:stream';
import { type Http, type Reply, type RequestOptions, UnexpectedReply } from './http.ts';
import type {
  Access,
  Account,
  AdminAccount,
  AdminAccountDetails,
  ApiKey,
  AuditEntry,
  GeneralAccess,
  Grant,
  GrantRole,
  Link,
  LinkRole,
  Node,
  Page,
  Payment,
  Plan,
  Session,
  SessionInfo,
  SharedLink,
  SharedNode,
  StoreCheck,
  Subscription,
  Usage,
  Version,
} from './shapes.ts';

export type Body = Buffer | string | Readable;
type Options = Pick<RequestOptions, 'headers' | 'signal' | 'timeoutMs'>;
interface LinkSettings {
  password?: string | null;
  expiresAt?: string | null;
  maxDownloads?: number | null;
  note?: string;
}
interface PageOptions {
  limit?: number;
  cursor?: string;
}

/** A path of names as it is written in `/v1/files/{path}`. A slash at the end names a folder. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/**
 * The native API. The methods answer what a success means and throw `UnexpectedReply` for every other status; whoever wants the bare
 * answer uses `request`.
 */
export class Client {
  readonly http: Http;
  /** Sent with every request, e.g. `Bearer …`; undefined sends none. */
  authorization: string | undefined;

  constructor(http: Http, authorization?: string) {
    this.http = http;
    this.authorization = authorization;
  }

  /** The same server as someone else. */
  as(authorization: string | undefined): Client {
    return new Client(this.http, authorization);
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    return await this.http.request(method, path, this.#signed(options));
  }

  /** The answer as a stream; the body must be consumed or destroyed. */
  async open(method: string, path: string, options: RequestOptions = {}) {
    return await this.http.open(method, path, this.#signed(options));
  }

  #signed(options: RequestOptions): RequestOptions {
    if (this.authorization === undefined) return options;
    return { ...options, headers: { authorization: this.authorization, ...options.headers } };
  }

  async #expect(statuses: readonly number[], method: string, path: string, options?: RequestOptions): Promise<Reply> {
    const reply = await this.request(method, path, options);
    if (!statuses.includes(reply.status)) throw new UnexpectedReply(`${method} ${path}`, reply);
    return reply;
  }

  async #json<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
    return (await this.#expect([200, 201, 202], method, path, options)).json<T>();
  }

  async #empty(method: string, path: string, options?: RequestOptions): Promise<void> {
    await this.#expect([202, 204], method, path, options);
  }

  // Accounts
  createAccount(body: { username: string; email: string; password: string }, o: Options = {}): Promise<Account> {
    return this.#json('POST', '/v1/accounts', { ...o, json: body });
  }
  me(): Promise<Account> {
    return this.#json('GET', '/v1/me');
  }
  updateMe(body: { username?: string; email?: string }): Promise<Account> {
    return this.#json('PATCH', '/v1/me', { json: body });
  }
  changePassword(currentPassword: string, newPassword: string): Promise<void> {
    return this.#empty('PUT', '/v1/me/password', { json: { currentPassword, newPassword } });
  }

  deleteMe(password: string): Promise<void> {
    return this.#empty('DELETE', '/v1/me', { json: { password } });
  }

  // Sessions and keys
  logIn(login: string, password: string): Promise<Session> {
    return this.#json('POST', '/v1/sessions', { json: { login, password } });
  }
  refresh(refreshToken: string): Promise<Session> {
    return this.#json('POST', '/v1/sessions/refresh', { json: { refreshToken } });
  }
  sessions(): Promise<Page<SessionInfo>> {
    return this.#json('GET', '/v1/sessions');
  }
  endSession(id: string): Promise<void> {
    return this.#empty('DELETE', `/v1/sessions/${id}`);
  }
  endOtherSessions(): Promise<void> {
    return this.#empty('DELETE', '/v1/sessions');
  }
  keys(): Promise<Page<ApiKey>> {
    return this.#json('GET', '/v1/keys');
  }
  createKey(
    body: { name: string; access: 'full' | 'read-only'; expiresAt?: string },
    o: Options = {},
  ): Promise<ApiKey & { secret: string }> {
    return this.#json('POST', '/v1/keys', { ...o, json: body });
  }
  deleteKey(id: string): Promise<void> {
    return this.#empty('DELETE', `/v1/keys/${id}`);
  }

  // Nodes
  usage(): Promise<Usage> {
    return this.#json('GET', '/v1/usage');
  }
  node(id: string): Promise<Node> {
    return this.#json('GET', `/v1/nodes/${id}`);
  }
  updateNode(
    id: string,
    body: {
      name?: string;
      parentId?: string;
      properties?: Record<string, string | null>;
      generalAccess?: GeneralAccess;
    },
    o: Options = {},
  ): Promise<Node> {
    return this.#json('PATCH', `/v1/nodes/${id}`, { ...o, json: body });
  }
  async deleteNode(id: string, { permanent = false, ...o }: Options & { permanent?: boolean } = {}): Promise<void> {
    await this.#empty('DELETE', `/v1/nodes/${id}`, { ...o, query: { permanent: permanent || undefined } });
  }
  children(id: string, { limit, cursor }: PageOptions = {}): Promise<Page<Node>> {
    return this.#json('GET', `/v1/nodes/${id}/children`, { query: { limit, cursor } });
  }
  createFolder(parentId: string, name: string, o: Options & { properties?: Record<string, string> } = {}) {
    const { properties, ...rest } = o;
    const json = properties === undefined ? { name } : { name, properties };
    return this.#json<Node>('POST', `/v1/nodes/${parentId}/children`, { ...rest, json });
  }
  /** A multipart upload with the file in a part named `file`. */
  upload(parentId: string, name: string, bytes: Buffer, o: Options & { mime?: string } = {}): Promise<Node> {
    const { mime = 'application/octet-stream', headers, ...rest } = o;
    const { body, contentType } = multipart([{ part: 'file', filename: name, mime, bytes }]);
    const all = { ...headers, 'content-type': contentType };
    return this.#json('POST', `/v1/nodes/${parentId}/children`, { ...rest, headers: all, body });
  }
  copy(id: string, body: { parentId: string; name?: string }, o: Options = {}): Promise<Node> {
    return this.#json('POST', `/v1/nodes/${id}/copy`, { ...o, json: body });
  }
  restore(id: string): Promise<Node> {
    return this.#json('POST', `/v1/nodes/${id}/restore`);
  }
  trash({ limit, cursor }: PageOptions = {}): Promise<Page<Node>> {
    return this.#json('GET', '/v1/trash', { query: { limit, cursor } });
  }
  emptyTrash(): Promise<void> {
    return this.#empty('DELETE', '/v1/trash');
  }
  search(q: string, { limit, cursor, match }: PageOptions & { match?: string } = {}): Promise<Page<Node>> {
    return this.#json('GET', '/v1/search', { query: { q, limit, cursor, match } });
  }

  // Access
  access(id: string): Promise<Access> {
    return this.#json('GET', `/v1/nodes/${id}/access`);
  }
  /** `account`: id, user name or e-mail address. */
  grant(id: string, account: string, role: GrantRole, { notify, ...o }: Options & { notify?: boolean } = {}) {
    const json = notify === undefined ? { role } : { role, notify };
    return this.#json<Grant>('PUT', `/v1/nodes/${id}/grants/${encodeURIComponent(account)}`, { ...o, json });
  }
  revoke(id: string, account: string, o: Options = {}): Promise<void> {
    return this.#empty('DELETE', `/v1/nodes/${id}/grants/${encodeURIComponent(account)}`, o);
  }
  shared({ limit, cursor }: PageOptions = {}): Promise<Page<Node>> {
    return this.#json('GET', '/v1/shared', { query: { limit, cursor } });
  }

  // Links
  createLink(id: string, body: { role: LinkRole } & LinkSettings): Promise<Link & { token: string; url: string }> {
    return this.#json('POST', `/v1/nodes/${id}/links`, { json: body });
  }
  async links(id: string): Promise<Link[]> {
    return (await this.#json<{ items: Link[] }>('GET', `/v1/nodes/${id}/links`)).items;
  }
  updateLink({ id, nodeId }: Pick<Link, 'id' | 'nodeId'>, body: LinkSettings): Promise<Link> {
    return this.#json('PATCH', `/v1/nodes/${nodeId}/links/${id}`, { json: body });
  }
  revokeLink({ id, nodeId }: Pick<Link, 'id' | 'nodeId'>): Promise<void> {
    return this.#empty('DELETE', `/v1/nodes/${nodeId}/links/${id}`);
  }
  sharedLink(token: string, o: Options = {}): Promise<SharedLink> {
    return this.#json('GET', `/v1/links/${token}`, o);
  }
  sharedChildren(token: string, query: PageOptions & { parent?: string } = {}): Promise<Page<SharedNode>> {
    return this.#json('GET', `/v1/links/${token}/children`, { query: { ...query } });
  }
  signUrl(
    id: string,
    body: { method?: 'GET' | 'PUT'; scope?: 'content' | 'upload'; expiresInSeconds: number },
  ): Promise<{ url: string; method: string; expiresAt: string }> {
    return this.#json('POST', `/v1/nodes/${id}/signed-url`, { json: body });
  }
  revokeSignedUrls(id: string): Promise<void> {
    return this.#empty('POST', `/v1/nodes/${id}/signed-urls/revoke`);
  }
  archive(id: string, o: Options = {}): Promise<Reply> {
    return this.#expect([200], 'GET', `/v1/nodes/${id}/archive`, o);
  }

  // Content
  async download(id: string, o: Options = {}): Promise<Reply> {
    return await this.#expect([200, 206], 'GET', `/v1/nodes/${id}/content`, o);
  }
  replaceContent(id: string, body: Body, o: Options = {}): Promise<Node> {
    return this.#json('PUT', `/v1/nodes/${id}/content`, { ...o, body });
  }
  putChild(parentId: string, name: string, body: Body, o: Options = {}): Promise<Node> {
    return this.#json('PUT', `/v1/nodes/${parentId}/children/${encodeURIComponent(name)}`, { ...o, body });
  }
  putFile(path: string, body: Body, o: Options = {}): Promise<Node> {
    return this.#json('PUT', `/v1/files/${encodePath(path)}`, { ...o, body });
  }
  getFile(path: string, o: Options = {}): Promise<Reply> {
    return this.#expect([200, 206], 'GET', `/v1/files/${encodePath(path)}`, o);
  }
  async deleteFile(path: string, { permanent = false, ...o }: Options & { permanent?: boolean } = {}): Promise<void> {
    const query = { permanent: permanent || undefined };
    await this.#empty('DELETE', `/v1/files/${encodePath(path)}`, { ...o, query });
  }

  // Versions
  async versions(id: string): Promise<Version[]> {
    return (await this.#json<Page<Version>>('GET', `/v1/nodes/${id}/versions`)).items;
  }
  downloadVersion(id: string, version: string, o: Options = {}): Promise<Reply> {
    return this.#expect([200, 206], 'GET', `/v1/nodes/${id}/versions/${version}/content`, o);
  }
  restoreVersion(id: string, version: string, o: Options = {}): Promise<Node> {
    return this.#json('POST', `/v1/nodes/${id}/versions/${version}/restore`, o);
  }

  // Plans and payments
  plans(): Promise<Page<Plan> & { isSandbox: boolean }> {
    return this.#json('GET', '/v1/plans');
  }
  checkout(planId: string, o: Options = {}): Promise<Payment> {
    return this.#json('POST', '/v1/checkouts', { ...o, json: { planId } });
  }
  payments({ limit, cursor }: PageOptions = {}): Promise<Page<Payment>> {
    return this.#json('GET', '/v1/payments', { query: { limit, cursor } });
  }
  payment(id: string): Promise<Payment> {
    return this.#json('GET', `/v1/payments/${id}`);
  }
  subscription(): Promise<Subscription> {
    return this.#json('GET', '/v1/subscription');
  }
  cancelSubscription(): Promise<Subscription> {
    return this.#json('POST', '/v1/subscription/cancel');
  }

  // Operators
  findAccounts(query: string, { limit, cursor }: PageOptions = {}): Promise<Page<AdminAccount>> {
    return this.#json('GET', '/v1/admin/accounts', { query: { query, limit, cursor } });
  }
  adminAccount(id: string): Promise<AdminAccountDetails> {
    return this.#json('GET', `/v1/admin/accounts/${id}`);
  }
  /** A limit of null is what the account's plan gives. */
  updateAccount(id: string, body: { limitBytes?: number | null; suspended?: boolean }): Promise<AdminAccount> {
    return this.#json('PATCH', `/v1/admin/accounts/${id}`, { json: body });
  }
  resetAccount(id: string): Promise<{ mailed: boolean }> {
    return this.#json('POST', `/v1/admin/accounts/${id}/reset`);
  }
  deleteAccount(id: string): Promise<void> {
    return this.#empty('DELETE', `/v1/admin/accounts/${id}`);
  }
  audit(query: { actorId?: string; targetId?: string } & PageOptions = {}): Promise<Page<AuditEntry>> {
    return this.#json('GET', '/v1/admin/audit', { query: { ...query } });
  }
  checkStore(body: { accountId?: string; repair?: boolean; cursor?: string } = {}): Promise<StoreCheck> {
    return this.#json('POST', '/v1/admin/store/check', { json: body });
  }
}

export interface Part {
  part: string;
  filename?: string;
  mime?: string;
  bytes: Buffer | string;
}

/** RFC 7578, written out: tests need bodies that a form library would refuse to make. */
export function multipart(
  parts: readonly Part[],
  boundary = 'coffer-boundary-5f2c',
): { body: Buffer; contentType: string } {
  const pieces: Buffer[] = [];
  for (const { part, filename, mime, bytes } of parts) {
    const file = filename === undefined ? '' : `; filename="${filename.replaceAll('"', '%22')}"`;
    const type = mime === undefined ? '' : `content-type: ${mime}\r\n`;
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${part}"${file}\r\n${type}\r\n`;
    pieces.push(Buffer.from(head), Buffer.from(bytes), Buffer.from('\r\n'));
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return { body: Buffer.concat(pieces), contentType: `multipart/form-data; boundary=${boundary}` };
}

/** Every item of a list, page by page. */
export async function* everyItem<T>(page: (cursor?: string) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const { items, nextCursor } = await page(cursor);
    yield* items;
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined);
}
