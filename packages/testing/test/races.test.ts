/** Hundreds of real requests at once: what must happen once happens once, what must not be lost is not lost. */
import t from 'tap';
import {
  Client,
  eachOf,
  newPerson,
  PASSWORD,
  type Person,
  someBytes,
  startTestStack,
  tally,
  uniqueName,
  waitFor,
  walk,
} from '../src/index.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const times = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const all = <R>(count: number, work: (n: number) => Promise<R>): Promise<R[]> => Promise.all(times(count).map(work));

/** What is stored below the root, by path; throws on a cycle. */
async function treeOf({ client }: Person): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for await (const { node, path } of walk(client)) paths.set(path, node.id);
  return paths;
}

t.test('one user name by a hundred: one gets it', async (t) => {
  const name = uniqueName('Race');
  const variants = [name, name.toUpperCase(), name.toLowerCase(), name.replace('R', 'Ｒ')];
  const client = new Client(stack.http);
  const replies = await all(100, (n) =>
    client.request('POST', '/v1/accounts', {
      json: { username: variants[n % variants.length], email: `${uniqueName()}@example.org`, password: PASSWORD },
    }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 201: 1, 409: 99 });
  const refusals = replies.filter(({ status }) => status === 409);
  t.ok(refusals.every((reply) => reply.problem().code === 'username_taken'));
});

t.test('one folder by two hundred: one makes it, the rest are told', async (t) => {
  const person = await newPerson(stack.http);
  const replies = await all(200, () =>
    person.client.request('POST', '/v1/nodes/root/children', { json: { name: 'one' } }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 201: 1, 409: 199 });
  t.equal((await treeOf(person)).size, 1);
});

t.test('one upload form by a hundred: one makes it, and the others’ bytes do not count', async (t) => {
  const person = await newPerson(stack.http);
  const outcomes = await all(100, (n) =>
    person.client.upload('root', 'one.bin', someBytes(1000 + n)).then(
      (node) => node.size ?? 0,
      () => 0,
    ),
  );
  const made = outcomes.filter((size) => size > 0);
  t.equal(made.length, 1);
  t.match(await person.client.usage(), { usedBytes: made[0], files: 1 });
});

t.test('one file put by two hundred: made once, replaced by the rest, whole in the end', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  const replies = await all(200, (n) =>
    client.request('PUT', '/v1/files/new/folder/one.txt', { body: `written by ${n} ${'x'.repeat(n)}` }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 200: 199, 201: 1 });
  t.strictSame(
    [...(await treeOf(person)).keys()],
    ['/new', '/new/folder', '/new/folder/one.txt'],
    'one of each folder',
  );
  const text = (await client.getFile('new/folder/one.txt')).text();
  const writer = Number(/^written by (\d+) /.exec(text)?.[1]);
  t.equal(text, `written by ${writer} ${'x'.repeat(writer)}`);
  const usage = await client.usage();
  t.equal(
    usage.usedBytes,
    usage.liveBytes + usage.versionBytes + usage.trashBytes,
    'the sum is right after 200 replacements',
  );
  t.equal(usage.liveBytes - usage.versionBytes < 0 || usage.files === 1, true);
});

t.test('If-None-Match: * by a hundred: one wins', async (t) => {
  const person = await newPerson(stack.http);
  const replies = await all(100, (n) =>
    person.client.request('PUT', '/v1/files/lock', { body: String(n), headers: { 'if-none-match': '*' } }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 201: 1, 412: 99 });
  const winner = replies.findIndex(({ status }) => status === 201);
  t.equal((await person.client.getFile('lock')).text(), String(winner));
});

t.test('a repeat under one idempotency key makes one folder', async (t) => {
  const person = await newPerson(stack.http);
  const headers = { 'idempotency-key': uniqueName('key') };
  const replies = await all(50, () =>
    person.client.request('POST', '/v1/nodes/root/children', { json: { name: 'once' }, headers }),
  );
  // A repeat while the first is under way may be told so; it is never told that there is another folder.
  const made = replies.filter(({ status }) => status === 201);
  t.equal(new Set(made.map((reply) => reply.json<{ id: string }>().id)).size, 1);
  t.strictSame(
    replies.filter(({ status }) => status !== 201 && status !== 409).map(({ status }) => status),
    [],
  );
  t.equal((await treeOf(person)).size, 1);
});

t.test('the last bytes of a quota', { skip: stack.hasOperator ? false : 'no operator is known' }, async (t) => {
  const person = await newPerson(stack.http);
  const { client, account } = person;
  const operator = (await stack.operator()).client;
  const sizeBytes = 1000;
  await operator.updateAccount(account.id, { limitBytes: 37 * sizeBytes + 999 });
  const replies = await all(300, (n) => client.request('PUT', `/v1/files/f${n}`, { body: someBytes(sizeBytes) }));
  t.strictSame(tally(replies.map(({ status }) => status)), { 201: 37, 507: 263 }, 'as many as fit, and no one more');
  t.match(await client.usage(), { usedBytes: 37 * sizeBytes, files: 37 });
  t.equal((await treeOf(person)).size, 37, 'nothing of the others is there');

  const names = [...(await treeOf(person)).keys()];
  await eachOf(names, 20, (name) => client.deleteFile(name.slice(1), { permanent: true }));
  await waitFor('the space to be given back', async () => (await client.usage()).usedBytes === 0);
  t.equal(
    (await client.putFile('all', someBytes(37 * sizeBytes + 999))).size,
    37 * sizeBytes + 999,
    'all of it can be used again',
  );
});

t.test(
  'replacing at the limit counts what a version still holds',
  { skip: stack.hasOperator ? false : 'no operator is known' },
  async (t) => {
    const person = await newPerson(stack.http);
    const { client, account } = person;
    await (await stack.operator()).client.updateAccount(account.id, { limitBytes: 10_000 });
    const replies = await all(100, (n) => client.request('PUT', '/v1/files/one', { body: someBytes(900 + n) }));
    const codes = tally(replies.map(({ status }) => status));
    t.equal((codes['200'] ?? 0) + (codes['201'] ?? 0) + (codes['507'] ?? 0), 100);
    const usage = await client.usage();
    t.ok(usage.usedBytes <= 10_000, `${usage.usedBytes} of 10000`);
    const [file] = (await client.children('root')).items;
    const versions = await client.versions(file?.id ?? '');
    const counted = versions.reduce((sum, { size }) => sum + size, file?.size ?? 0);
    t.equal(usage.usedBytes, counted, 'usage is what is there');
  },
);

t.test('If-Match: a counter in a file loses no update', async (t) => {
  const { client } = await newPerson(stack.http);
  const counter = await client.putFile('counter', '0');
  const path = `/v1/nodes/${counter.id}/content`;
  const WORKERS = 20;
  const EACH = 10;
  let conflicts = 0;
  await all(WORKERS, async () => {
    for (let done = 0; done < EACH; ) {
      const current = await client.request('GET', path);
      const next = `${Number(current.text()) + 1}`;
      const reply = await client.request('PUT', path, {
        body: next,
        headers: { 'if-match': current.headers.etag ?? '' },
      });
      if (reply.status === 200) done++;
      else if (reply.status === 412) conflicts++;
      else throw new Error(`${reply.status} ${reply.text()}`);
    }
  });
  t.equal((await client.download(counter.id)).text(), String(WORKERS * EACH));
  t.ok(conflicts > 0, `${conflicts} conflicts: there was a race`);
});

t.test('If-Match on a node: of many renames from one state one wins', async (t) => {
  const { client } = await newPerson(stack.http);
  const folder = await client.createFolder('root', 'start');
  const etag = (await client.request('GET', `/v1/nodes/${folder.id}`)).headers.etag ?? '';
  const replies = await all(100, (n) =>
    client.request('PATCH', `/v1/nodes/${folder.id}`, { json: { name: `name-${n}` }, headers: { 'if-match': etag } }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 200: 1, 412: 99 });
  t.equal((await client.node(folder.id)).name, `name-${replies.findIndex(({ status }) => status === 200)}`);
});

t.test('properties set by many are all there', async (t) => {
  const { client } = await newPerson(stack.http);
  const folder = await client.createFolder('root', 'notes');
  await all(50, (n) => client.updateNode(folder.id, { properties: { [`key-${n}`]: String(n) } }));
  t.equal(Object.keys((await client.node(folder.id)).properties).length, 50);
});

t.test('crossing moves never make a cycle and lose nothing', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  const folders = await all(12, (n) => client.createFolder('root', `folder-${n}`));
  await Promise.all(folders.map(({ id }, n) => client.putChild(id, `leaf-${n}`, `leaf ${n}`)));
  const any = () => folders[Math.floor(Math.random() * folders.length)]?.id ?? '';
  const counts = tally(
    await eachOf(times(400), 40, async (n) => {
      const parentId = n % 7 === 0 ? 'root' : any();
      const reply = await client.request('PATCH', `/v1/nodes/${any()}`, { json: { parentId } });
      return reply.status === 200 ? 200 : reply.problem().code;
    }),
  );
  t.strictSame(
    Object.keys(counts).filter((code) => !['200', 'would_cycle', 'busy'].includes(code)),
    [],
    JSON.stringify(counts),
  );
  t.ok((counts['200'] ?? 0) > 50, 'many moves were made');
  const left = [...(await treeOf(person)).keys()].map((path) => path.split('/').at(-1)).sort();
  t.strictSame(left, [...times(12).map((n) => `folder-${n}`), ...times(12).map((n) => `leaf-${n}`)].sort());
});

t.test('two folders moved into each other, again and again', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  for (const round of times(30)) {
    const a = await client.createFolder('root', `a${round}`);
    const b = await client.createFolder('root', `b${round}`);
    const statuses = await Promise.all([
      client.request('PATCH', `/v1/nodes/${a.id}`, { json: { parentId: b.id } }),
      client.request('PATCH', `/v1/nodes/${b.id}`, { json: { parentId: a.id } }),
    ]);
    const won = statuses.filter(({ status }) => status === 200).length;
    if (won > 1) t.fail(`both moves of round ${round} were made`);
  }
  t.equal((await treeOf(person)).size, 60, 'every folder is still reached from the root');
});

t.test('uploads into a folder that is deleted meanwhile leave no space taken', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  for (const round of times(5)) {
    const folder = await client.createFolder('root', `doomed-${round}`);
    const uploads = all(30, (n) =>
      client.request('PUT', `/v1/nodes/${folder.id}/children/f${n}`, { body: someBytes(100) }),
    );
    await client.deleteNode(folder.id, { permanent: true });
    const statuses = tally((await uploads).map(({ status }) => status));
    t.strictSame(
      Object.keys(statuses).filter((status) => !['201', '404', '409'].includes(status)),
      [],
      JSON.stringify(statuses),
    );
  }
  t.equal((await treeOf(person)).size, 0);
  await waitFor('the space to be given back', async () => (await client.usage()).usedBytes === 0, {
    timeoutMs: 30_000,
  });
  t.match(await client.usage(), { usedBytes: 0, liveBytes: 0, trashBytes: 0, files: 0, folders: 0 });
});

t.test('trash and restore by many at once keep one node', async (t) => {
  const person = await newPerson(stack.http);
  const { client } = person;
  const file = await client.putFile('wanted', 'bytes');
  const statuses = await all(100, async (n) =>
    n % 2 === 0
      ? (await client.request('DELETE', `/v1/nodes/${file.id}`)).status
      : (await client.request('POST', `/v1/nodes/${file.id}/restore`)).status,
  );
  t.strictSame(
    statuses.filter((status) => status >= 500),
    [],
  );
  const inTrash = (await client.trash()).items.length;
  t.equal((await treeOf(person)).size + inTrash, 1, 'it is here or there, and once');
  t.equal((await client.usage()).usedBytes, 5);
});
