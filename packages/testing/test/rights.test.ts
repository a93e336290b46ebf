import t from 'tap';
import { newPerson, startTestStack, tally } from '../src/index.ts';
import { dialectRoutes } from './rights-dialects.ts';
import { nativeRoutes } from './rights-native.ts';
import { type Asker, someWorlds, tryAll, WHO } from './rights-table.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());

/** Operations that reach no node of anyone: they make or end what is the caller's own, or answer the same to everyone. */
const WITHOUT_NODES = new Set([
  'accounts.create',
  'accounts.update',
  'accounts.changePassword',
  'accounts.delete',
  'sessions.create',
  'sessions.refresh',
  'sessions.end',
  'sessions.endOthers',
  'keys.create',
  'keys.delete',
  'trash.empty',
  'plans.list',
  'checkouts.create',
  'payments.list',
  // Others' payments are not there (see money.test.ts).
  'payments.get',
  'subscriptions.get',
  'subscriptions.cancel',
  // From nobody: each message is signed.
  'webhooks.receive',
  // By path in the caller's own tree: what it writes is never another's.
  'files.put',
  // By a token or signature, whoever sends it: `links.test.ts` and `signed-urls.test.ts` try them.
  'links.open',
  'links.children',
  'links.content.get',
  'links.content.head',
  'links.childContent.get',
  'links.childContent.head',
  'links.archive.get',
  'links.archive.head',
  'links.deposit',
  'signed.get',
  'signed.head',
  'signed.put',
]);

t.test('every route, whoever asks, however the right was given', async (t) => {
  const [owner, editor, viewer, stranger, spare] = await Promise.all(
    Array.from({ length: 5 }, () => newPerson(stack.http)),
  );
  if (!owner || !editor || !viewer || !stranger || !spare) return;
  const worlds = await someWorlds(owner, editor, viewer);
  const people = { owner, editor, viewer, stranger };
  const askers: Asker[] = await Promise.all(
    WHO.map(async (who) => {
      const { client } = who === 'anonymous' ? stranger : people[who];
      const source = await client.putChild('root', `source of ${who}`, 'x');
      return { who, client: who === 'anonymous' ? client.as(undefined) : client, source };
    }),
  );
  const routes = [...nativeRoutes(spare), ...dialectRoutes()];
  const cells = await tryAll(routes, worlds, askers);
  t.same(
    cells.filter(({ wrong }) => wrong !== undefined),
    [],
    'each answer is what the rule says',
  );
  t.ok(cells.length >= 1_000, `${cells.length} cells`);
  const outcomes = tally(cells.map(({ wanted }) => wanted));
  t.comment(`${cells.length} cells`, outcomes);
  for (const outcome of ['allowed', 'hidden', 'forbidden', 'unauthorized']) {
    t.ok((outcomes[outcome] ?? 0) > 50, `many are ${outcome}: ${outcomes[outcome]}`);
  }
  t.equal((await owner.client.me()).id, owner.account.id, 'nobody was suspended');

  const { paths } = (await stack.http.request('GET', '/v1/openapi.json')).json<{
    paths: Record<string, Record<string, { operationId?: string }>>;
  }>();
  const operations = Object.values(paths).flatMap((path) =>
    Object.values(path).map(({ operationId = '' }) => operationId),
  );
  t.ok(operations.length > 30);
  const tried = new Set(routes.map(({ name }) => name.split(/[: ]/)[0]));
  t.same(
    operations.filter((operation) => !tried.has(operation) && !WITHOUT_NODES.has(operation)),
    [],
    'no route is left out',
  );
});
