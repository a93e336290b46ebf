import { type Client, everyItem, newPerson, type Person, type TestStack, waitFor } from '@coffer/testing';
import type { Generator } from './children.ts';
import type { Options } from './options.ts';

const MIB = 1024 * 1024;
/** Access tokens live for minutes, a bench longer. */
const LOG_IN_EVERY_MS = 120_000;
const COPIED_FOLDER = 500;

/** The Coffer that is measured: one account with enough space, and the folders that are listed and renamed. */
export class Target {
  readonly stack: TestStack;
  readonly #person: Person;
  #headers: Record<string, string>;
  #loggedInAt = performance.now();

  private constructor(stack: TestStack, person: Person) {
    this.stack = stack;
    this.#person = person;
    this.#headers = { authorization: `Bearer ${person.session.accessToken}` };
  }

  /** Throws when the account cannot be given enough space. */
  static async prepare(stack: TestStack, options: Options): Promise<Target> {
    const person = await newPerson(stack.http);
    const neededBytes = (options.rounds + 3) * options.largeMebibytes * MIB + 2 * 1024 * MIB;
    if (stack.hasOperator) {
      const operator = await stack.operator();
      await operator.client.updateAccount(person.account.id, { limitBytes: neededBytes });
    }
    const { limitBytes } = await person.client.usage();
    if (limitBytes < neededBytes) {
      throw new Error(
        `a new account may hold ${limitBytes} bytes, the bench needs ${neededBytes}: set ADMIN_USERNAME and ADMIN_PASSWORD, or a smaller --large-mib`,
      );
    }
    return new Target(stack, person);
  }

  get url(): string {
    return this.stack.url;
  }

  get client(): Client {
    return this.#person.client;
  }

  /** The headers of an account that is logged in for the next minutes. */
  async headers(): Promise<Record<string, string>> {
    if (performance.now() - this.#loggedInAt > LOG_IN_EVERY_MS) {
      const { account, password, client } = this.#person;
      const session = await client.logIn(account.username, password);
      client.authorization = `Bearer ${session.accessToken}`;
      this.#headers = { authorization: client.authorization };
      this.#loggedInAt = performance.now();
    }
    return this.#headers;
  }

  /** A folder of so many empty files; answers the paths of pages spread over it. */
  async makeListed(generator: Generator, files: number): Promise<string[]> {
    const folder = await this.client.createFolder('root', `listed-${files}`);
    await this.#fill(generator, folder.id, files);
    await this.headers();
    const base = `/v1/nodes/${folder.id}/children?limit=100`;
    const paths = [base];
    let count = 0;
    const page = async (cursor?: string) => {
      const answer = await this.client.children(folder.id, { limit: 100, ...(cursor === undefined ? {} : { cursor }) });
      if (answer.nextCursor !== null) paths.push(`${base}&cursor=${encodeURIComponent(answer.nextCursor)}`);
      return answer;
    };
    for await (const _ of everyItem(page)) count++;
    if (count !== files) throw new Error(`the folder of ${files} lists ${count}`);
    // Full pages only: what is compared is the cost of the same answer.
    return files % 100 === 0 ? paths : paths.slice(0, -1);
  }

  /** A folder with so many empty files below it; answers its id. Large ones are made of copies of a smaller one. */
  async makeRenamed(generator: Generator, files: number): Promise<string> {
    const folder = await this.client.createFolder('root', `renamed-${files}`);
    const inOne = Math.min(files, COPIED_FOLDER);
    const first = await this.client.createFolder(folder.id, 'part-0');
    const before = (await this.client.usage()).files;
    await this.#fill(generator, first.id, inOne);
    const copies = Math.floor(files / inOne);
    for (let n = 1; n < copies; n++) {
      await this.headers();
      await this.client.copy(first.id, { parentId: folder.id, name: `part-${n}` });
    }
    await waitFor('the copies', async () => (await this.client.usage()).files >= before + copies * inOne, {
      timeoutMs: 600_000,
      everyMs: 500,
    });
    return folder.id;
  }

  async #fill(generator: Generator, folderId: string, files: number): Promise<void> {
    for (let done = 0; done < files; done += 20_000) {
      const headers = { ...(await this.headers()), 'content-type': 'application/octet-stream' };
      await generator.run({
        kind: 'requests',
        url: this.url,
        inFlight: 32,
        count: Math.min(20_000, files - done),
        method: 'PUT',
        paths: [`/v1/nodes/${folderId}/children/${done}-{n}`],
        headers,
        bodyBytes: 0,
        expect: [201],
      });
    }
  }

  async cleanUp(): Promise<void> {
    if (this.stack.local !== undefined) return;
    await this.headers();
    for await (const node of everyItem((cursor) => this.client.children('root', cursor ? { cursor } : {}))) {
      await this.client.deleteNode(node.id, { permanent: true });
    }
  }
}
