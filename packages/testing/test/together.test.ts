import { readFileSync } from 'node:fs';
import t from 'tap';
import { newPerson, sha256, someBytes, startOwnStack, waitFor } from '../src/index.ts';

// Needs the log files of the services, so it runs on a stack of its own.
const stack = await startOwnStack();
t.teardown(() => stack.stop());

t.test('small uploads that travel together keep their own ids, log lines and errors', async (t) => {
  const { client, account } = await newPerson(stack.http);
  await client.createFolder('root', 'taken');
  const contents = Array.from({ length: 120 }, (_, n) => someBytes(1 + n * 500));
  const replies = await Promise.all(
    contents.map((body, n) => {
      // Every tenth goes where no file can be made.
      const parent = n % 10 === 0 ? '01900000-0000-7000-8000-000000000000' : 'root';
      return client.request('PUT', `/v1/nodes/${parent}/children/f${n}`, { body });
    }),
  );
  t.strictSame(
    replies.map(({ status }) => status),
    contents.map((_, n) => (n % 10 === 0 ? 404 : 201)),
  );
  for (const [n, body] of contents.entries()) {
    if (n % 10 === 0) continue;
    t.equal(sha256((await client.getFile(`f${n}`)).body), sha256(body));
  }
  const { local } = stack;
  if (local === undefined) throw new Error('this stack is a local one');
  const made = replies.filter(({ status }) => status === 201).map(({ headers }) => headers['x-request-id'] ?? '');
  t.equal(new Set(made).size, made.length, 'each has an id of its own');
  const lines = (
    service: string,
  ): { op?: string; requestId?: string; accountId?: string; status?: number; together?: boolean }[] =>
    readFileSync(local.logFile(service), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  for (const [service, op] of [
    ['gateway', 'nodes.putChild'],
    ['blob', 'blobs.put'],
    ['metadata', 'writes.commit'],
  ] as const) {
    const idsOf = () =>
      new Set(
        lines(service)
          .filter((line) => line.op === op || service === 'gateway')
          .map(({ requestId }) => requestId),
      );
    await waitFor(`the lines of ${service}`, async () => {
      const ids = idsOf();
      return made.every((id) => ids.has(id));
    });
    t.pass(`${service} has one line for each`);
  }
  const commits = lines('metadata').filter(({ op }) => op === 'writes.commit');
  t.ok(
    commits.some(({ together }) => together === true),
    'some did travel together',
  );
  t.ok(commits.filter(({ status }) => status === 200).every(({ accountId }) => accountId === account.id));
});
