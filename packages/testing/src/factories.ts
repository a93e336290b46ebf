import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Client, everyItem } from './client.ts';
import type { Http } from './http.ts';
import type { Account, Node, Session } from './shapes.ts';

export const PASSWORD = 'correct horse battery staple';

export interface Person {
  readonly account: Account;
  readonly session: Session;
  readonly password: string;
  /** Signed with the session's access token. */
  readonly client: Client;
}

/** A name that no other test uses. */
export function uniqueName(prefix = 'u'): string {
  return `${prefix}${randomUUID().replaceAll('-', '').slice(0, 16)}`;
}

/** A new account, logged in. */
export async function newPerson(http: Http): Promise<Person> {
  const nobody = new Client(http);
  const username = uniqueName();
  const account = await nobody.createAccount({ username, email: `${username}@example.org`, password: PASSWORD });
  return await logIn(http, account, PASSWORD);
}

export async function logIn(http: Http, account: Account, password: string): Promise<Person> {
  const session = await new Client(http).logIn(account.username, password);
  return { account, session, password, client: new Client(http, `Bearer ${session.accessToken}`) };
}

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that nothing compresses or finds again. */
export const someBytes = (sizeBytes: number): Buffer => randomBytes(sizeBytes);

export interface TreePlan {
  readonly depth: number;
  readonly foldersPerFolder: number;
  readonly filesPerFolder: number;
}

/** A tree of folders and small files below `parentId`; answers every node made. */
export async function someTree(client: Client, parentId: string, plan: TreePlan): Promise<Node[]> {
  const { depth, foldersPerFolder, filesPerFolder } = plan;
  const files = Array.from({ length: filesPerFolder }, (_, n) =>
    client.putChild(parentId, `file-${n}.bin`, someBytes(100 + n)),
  );
  const folders = depth === 0 ? [] : Array.from({ length: foldersPerFolder }, (_, n) => `folder-${n}`);
  const below = folders.map(async (name) => {
    const folder = await client.createFolder(parentId, name);
    return [folder, ...(await someTree(client, folder.id, { ...plan, depth: depth - 1 }))];
  });
  return [...(await Promise.all(files)), ...(await Promise.all(below)).flat()];
}

/** Everything below a folder with its path from there, folders before what is in them. Throws on a cycle. */
export async function* walk(
  client: Client,
  folderId = 'root',
  path = '',
  seen = new Set<string>(),
): AsyncGenerator<{ node: Node; path: string }> {
  for await (const node of everyItem((cursor) =>
    client.children(folderId, { limit: 1000, ...(cursor && { cursor }) }),
  )) {
    if (seen.has(node.id)) throw new Error(`${path}/${node.name} was met twice: the tree is none`);
    seen.add(node.id);
    const here = `${path}/${node.name}`;
    yield { node, path: here };
    if (node.kind === 'folder') yield* walk(client, node.id, here, seen);
  }
}
