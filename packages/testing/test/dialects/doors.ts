/** The native API and the five older ones behind one small interface: what each can do with an account and its files. */
import { randomBytes } from 'node:crypto';
import {
  Client,
  CloudboxClient,
  CloudrestClient,
  type Http,
  ImagesClient,
  MinobjectClient,
  multipart,
  PASSWORD,
  type Reply,
  uniqueName,
  VertexClient,
  walk,
} from '../../src/index.ts';
import { PNG } from './pictures.ts';

export interface Credentials {
  /** What this account is called where a log-in is asked for; some doors give an e-mail address only. */
  readonly login: string;
  readonly password: string;
}

export interface Inside {
  /** Answers whatever came; `name` ends in `.png`. */
  tryUpload(name: string, bytes: Buffer): Promise<Reply>;
  /** Bytes of everything that this door lists. */
  contents(): Promise<Buffer[]>;
  /** Deletes the file with these bytes; absent where the door has no way to. */
  remove?(bytes: Buffer): Promise<void>;
}

export interface Door {
  readonly name: string;
  register(): Promise<Credentials>;
  enter(credentials: Credentials): Promise<Inside>;
  uploaded(reply: Reply): boolean;
}

/** A picture like no other. */
export const newPicture = (sizeBytes = 1000): Buffer => Buffer.concat([PNG, randomBytes(sizeBytes)]);

const named = (): { login: string; email: string; password: string } => {
  const login = uniqueName();
  return { login, email: `${login}@example.org`, password: PASSWORD };
};

/** What has these bytes among `items`. Throws where nothing has. */
async function findBytes<T>(items: Iterable<T>, load: (item: T) => Promise<Buffer>, bytes: Buffer): Promise<T> {
  for (const item of items) if ((await load(item)).equals(bytes)) return item;
  throw new Error('no such bytes are listed');
}

const all = <T>(items: readonly T[], load: (item: T) => Promise<Buffer>): Promise<Buffer[]> =>
  Promise.all(items.map(load));

function native(http: Http): Door {
  return {
    name: 'native',
    async register() {
      const { login, email, password } = named();
      await new Client(http).createAccount({ username: login, email, password });
      return { login, password };
    },
    async enter({ login, password }) {
      const { accessToken } = await new Client(http).logIn(login, password);
      const client = new Client(http, `Bearer ${accessToken}`);
      const files = async () => {
        const found = [];
        for await (const { node } of walk(client)) if (node.kind === 'file') found.push(node);
        return found;
      };
      const load = async ({ id }: { id: string }) => (await client.download(id)).body;
      return {
        tryUpload: (name, body) => client.request('PUT', `/v1/files/Images/${name}`, { body }),
        contents: async () => all(await files(), load),
        remove: async (bytes) => client.deleteNode((await findBytes(await files(), load, bytes)).id),
      };
    },
    uploaded: ({ status }) => status === 201,
  };
}

function cloudrest(http: Http): Door {
  return {
    name: 'cloudrest',
    async register() {
      const { login, password } = named();
      const pair = { access_key_id: uniqueName('AKIA'), secret_access_key: uniqueName('secret') };
      await new CloudrestClient(http).signUp(login, password, pair);
      return { login, password };
    },
    async enter({ login, password }) {
      const client = new CloudrestClient(http);
      await client.signIn(login, password);
      const load = async (key: string) => (await client.get(key)).body;
      return {
        tryUpload: (name, bytes) => client.put(`Images/${name}`, bytes, 'image/png'),
        contents: async () => all(await client.keys(), load),
        remove: async (bytes) => {
          await client.delete(await findBytes(await client.keys(), load, bytes));
        },
      };
    },
    uploaded: (reply) => reply.json<{ status_code: number }>().status_code === 200,
  };
}

function images(http: Http): Door {
  return {
    name: 'images',
    async register() {
      const { login, email, password } = named();
      await new ImagesClient(http).register(login, email, password);
      return { login, password };
    },
    async enter({ login, password }) {
      const client = new ImagesClient(http);
      await client.logIn(login, password);
      return {
        tryUpload: (name, bytes) =>
          client.request('POST', '/api/images', { json: { data: bytes.toString('base64'), description: name } }),
        contents: async () => all((await client.me()).images, async ({ id }) => (await client.image(id)).body),
      };
    },
    uploaded: ({ status }) => status === 200,
  };
}

function vertex(http: Http): Door {
  return {
    name: 'vertex',
    async register() {
      const { login, email, password } = named();
      await new VertexClient(http).signUp(login, email, password);
      return { login, password };
    },
    async enter({ login, password }) {
      const client = new VertexClient(http);
      await client.logIn(login, password);
      const files = async () => Object.values(await client.files());
      const load = async ({ url }: { url: string }) => (await client.request('GET', url)).body;
      return {
        tryUpload: (name, bytes) => {
          const { body, contentType } = multipart([
            { part: 'file', filename: name, bytes },
            { part: 'key', bytes: client.key },
          ]);
          return client.request('POST', '/create/file/', { body, headers: { 'content-type': contentType } });
        },
        contents: async () => all(await files(), load),
        remove: async (bytes) => client.deleteFile((await findBytes(await files(), load, bytes)).id),
      };
    },
    uploaded: (reply) => reply.json<{ status?: boolean }>().status === true,
  };
}

function cloudbox(http: Http): Door {
  return {
    name: 'cloudbox',
    async register() {
      const { email, password } = named();
      await new CloudboxClient(http).register({ first_name: 'Ada', last_name: 'Lovelace', email, password });
      return { login: email, password };
    },
    async enter({ login, password }) {
      const client = new CloudboxClient(http);
      await client.logIn(login, password);
      async function* below(folderId?: string): AsyncGenerator<Awaited<ReturnType<typeof client.file>>> {
        for (const asset of await client.content(folderId)) {
          if (asset.is_folder) yield* below(asset.id);
          else yield asset;
        }
      }
      const files = () => Array.fromAsync(below());
      const load = async ({ id }: { id: string }) => (await client.download(id)).body;
      return {
        tryUpload: async (name, bytes) => {
          const there = (await client.content()).find((asset) => asset.is_folder && asset.name === 'Images');
          const folder = there ?? (await client.createFolder('Images'));
          return await client.tryUpload({ name, bytes }, folder.id);
        },
        contents: async () => all(await files(), load),
        remove: async (bytes) => client.delete(await findBytes(await files(), load, bytes)),
      };
    },
    uploaded: ({ status }) => status === 201,
  };
}

function minobject(http: Http): Door {
  return {
    name: 'minobject',
    async register() {
      const { login, password } = named();
      await new MinobjectClient(http).register(login, password);
      return { login, password };
    },
    async enter({ login, password }) {
      const client = new MinobjectClient(http);
      await client.logIn(login, password);
      const load = async (identifier: string) => (await client.download(identifier)).body;
      return {
        tryUpload: (name, bytes) => client.tryUpload(uniqueName('id-'), { name, bytes }),
        contents: async () => all(await client.identifiers(), load),
        remove: async (bytes) => client.delete(await findBytes(await client.identifiers(), load, bytes)),
      };
    },
    uploaded: ({ status }) => status === 201,
  };
}

export const doorsOf = (http: Http): Door[] =>
  [native, cloudrest, images, vertex, cloudbox, minobject].map((door) => door(http));
