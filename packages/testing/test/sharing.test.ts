import t from 'tap';
import {
  type Client,
  eachOf,
  everyItem,
  newPerson,
  type Person,
  someBytes,
  startTestStack,
  tally,
  uniqueName,
} from '../src/index.ts';
import { refused } from './refused.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());

const people = (count: number): Promise<Person[]> =>
  Promise.all(Array.from({ length: count }, () => newPerson(stack.http)));
const emailOf = ({ account }: Person): string => account.email ?? '';

/** A folder `team` with `team/docs/a.txt` and `team/b.txt` in it. */
async function someTeam(client: Client) {
  const team = await client.createFolder('root', uniqueName('team'));
  const docs = await client.createFolder(team.id, 'docs');
  const a = await client.putChild(docs.id, 'a.txt', 'first');
  const b = await client.putChild(team.id, 'b.txt', 'second');
  return { team, docs, a, b };
}

t.test('a viewer reads what is shared and what is below it, and changes nothing', async (t) => {
  const [owner, viewer, other] = await people(3);
  if (!owner || !viewer || !other) return;
  const { team, docs, a, b } = await someTeam(owner.client);
  const mine = await viewer.client.createFolder('root', 'mine');
  refused(t, await viewer.client.request('GET', `/v1/nodes/${team.id}`), 404, 'not_found', 'before');

  const reply = await owner.client.request('PUT', `/v1/nodes/${team.id}/grants/${viewer.account.username}`, {
    json: { role: 'viewer' },
  });
  t.equal(reply.status, 200);
  t.match(reply.headers.etag, /^"r\d+"$/);
  t.strictSame(reply.json(), {
    account: { id: viewer.account.id, username: viewer.account.username, email: viewer.account.email },
    role: 'viewer',
    from: team.id,
    inherited: false,
  });

  for (const node of [team, docs, a, b]) {
    const seen = await viewer.client.node(node.id);
    t.strictSame([seen.role, seen.ownerId, seen.name], ['viewer', owner.account.id, node.name]);
  }
  t.same(
    (await viewer.client.children(team.id)).items.map(({ name, role }) => [name, role]),
    [
      ['b.txt', 'viewer'],
      ['docs', 'viewer'],
    ],
  );
  t.equal((await viewer.client.download(a.id)).text(), 'first');
  t.equal((await viewer.client.download(a.id, { headers: { range: 'bytes=1-2' } })).text(), 'ir');
  t.equal((await viewer.client.request('HEAD', `/v1/nodes/${a.id}/content`)).status, 200);
  t.same(await viewer.client.versions(a.id), []);
  const copy = await viewer.client.copy(a.id, { parentId: mine.id });
  t.strictSame([copy.ownerId, copy.role], [viewer.account.id, 'owner']);

  const cannot: [string, string, object?][] = [
    ['PATCH', `/v1/nodes/${a.id}`, { json: { name: 'x' } }],
    ['PATCH', `/v1/nodes/${a.id}`, { json: { generalAccess: 'viewer' } }],
    ['PATCH', `/v1/nodes/${a.id}`, { json: { properties: { x: 'y' } } }],
    ['DELETE', `/v1/nodes/${a.id}`],
    ['DELETE', `/v1/nodes/${team.id}?permanent=true`],
    ['PUT', `/v1/nodes/${a.id}/content`, { body: 'x' }],
    ['PUT', `/v1/nodes/${docs.id}/children/new.txt`, { body: 'x' }],
    ['PUT', `/v1/nodes/${docs.id}/children/a.txt`, { body: 'x' }],
    ['POST', `/v1/nodes/${docs.id}/children`, { json: { name: 'new' } }],
    ['POST', `/v1/nodes/${mine.id}/copy`, { json: { parentId: docs.id } }],
    ['PUT', `/v1/nodes/${a.id}/grants/${viewer.account.id}`, { json: { role: 'editor' } }],
    ['PUT', `/v1/nodes/${a.id}/grants/${other.account.id}`, { json: { role: 'viewer' } }],
    ['PUT', `/v1/nodes/${a.id}/grants/nobody-is-called-so`, { json: { role: 'viewer' } }],
    ['DELETE', `/v1/nodes/${team.id}/grants/${other.account.id}`],
    ['DELETE', `/v1/nodes/${team.id}/grants/nobody-is-called-so`],
  ];
  for (const [method, path, options] of cannot) {
    refused(t, await viewer.client.request(method, path, options), 403, 'forbidden', `${method} ${path}`);
  }
  t.equal((await owner.client.download(a.id)).text(), 'first', 'and nothing has changed');

  t.same(await viewer.client.access(docs.id), {
    owner: { id: owner.account.id, username: owner.account.username },
    generalAccess: 'restricted',
    effectiveGeneralAccess: { access: 'restricted', from: docs.id },
    grants: [
      {
        account: { id: viewer.account.id, username: viewer.account.username },
        role: 'viewer',
        from: team.id,
        inherited: true,
      },
    ],
  });
});

t.test('an editor works in it: what they put there belongs to the owner', async (t) => {
  const [owner, editor, third] = await people(3);
  if (!owner || !editor || !third) return;
  const { team, docs, a } = await someTeam(owner.client);
  const grant = await owner.client.grant(team.id, emailOf(editor).toUpperCase(), 'editor');
  t.equal(grant.account.id, editor.account.id, 'by e-mail, whatever its case');

  const before = await owner.client.usage();
  const made = await editor.client.putChild(docs.id, 'new.bin', someBytes(1_000));
  t.strictSame([made.ownerId, made.role], [owner.account.id, 'editor']);
  t.equal((await editor.client.upload(docs.id, 'form.bin', someBytes(500))).ownerId, owner.account.id);
  const folder = await editor.client.createFolder(team.id, 'of the editor');
  t.equal((await owner.client.usage()).usedBytes, before.usedBytes + 1_500, 'the owner pays');
  t.equal((await editor.client.usage()).usedBytes, 0, 'and the editor does not');
  await editor.client.replaceContent(a.id, 'changed');
  t.equal((await owner.client.download(a.id)).text(), 'changed');
  const [old] = await editor.client.versions(a.id);
  await editor.client.restoreVersion(a.id, old?.id ?? '');
  t.equal((await owner.client.download(a.id)).text(), 'first');
  await editor.client.updateNode(a.id, { name: 'renamed.txt', properties: { by: 'editor' }, parentId: folder.id });
  t.match(await owner.client.node(a.id), { name: 'renamed.txt', parentId: folder.id, properties: { by: 'editor' } });
  t.equal((await editor.client.updateNode(docs.id, { generalAccess: 'viewer' })).generalAccess, 'viewer');
  await editor.client.grant(docs.id, third.account.id, 'viewer', { notify: true });
  t.equal((await third.client.node(docs.id)).role, 'viewer', 'who edits shares');
  t.match(
    (await owner.client.access(docs.id)).grants.map((one) => [one.account.email, one.role, one.inherited]).sort(),
    [
      [emailOf(editor), 'editor', true],
      [emailOf(third), 'viewer', false],
    ].sort(),
  );
  await editor.client.deleteNode(folder.id, { permanent: true });
  refused(t, await owner.client.request('GET', `/v1/nodes/${a.id}`), 404, 'not_found', 'gone with its folder');
});

t.test('rights come down the tree, and the highest counts', async (t) => {
  const [owner, person] = await people(2);
  if (!owner || !person) return;
  const { team, docs, a, b } = await someTeam(owner.client);
  const roles = async () =>
    await Promise.all(
      [team, docs, a, b].map(async ({ id }) => {
        const reply = await person.client.request('GET', `/v1/nodes/${id}`);
        return reply.status === 200 ? reply.json<{ role: string }>().role : reply.status;
      }),
    );
  t.same(await roles(), [404, 404, 404, 404]);
  await owner.client.grant(a.id, person.account.id, 'viewer');
  t.same(await roles(), [404, 404, 'viewer', 404], 'a file alone');
  await owner.client.grant(team.id, person.account.id, 'viewer');
  await owner.client.grant(docs.id, person.account.id, 'editor');
  t.same(await roles(), ['viewer', 'editor', 'editor', 'viewer'], 'the role on a folder above is higher');
  const access = await owner.client.access(a.id);
  t.same(
    access.grants.map(({ role, from, inherited }) => [role, from, inherited]),
    [
      ['viewer', a.id, false],
      ['editor', docs.id, true],
      ['viewer', team.id, true],
    ],
    'each with the node that it comes from',
  );
  t.equal((await person.client.node(a.id)).parentId, docs.id);
  await owner.client.grant(docs.id, person.account.id, 'viewer');
  t.same(await roles(), ['viewer', 'viewer', 'viewer', 'viewer'], 'giving replaces');
  await owner.client.updateNode(a.id, { parentId: 'root' });
  await owner.client.revoke(a.id, person.account.username);
  t.same(await roles(), ['viewer', 'viewer', 404, 'viewer'], 'moved away from what was shared');
  refused(
    t,
    await owner.client.request('DELETE', `/v1/nodes/${docs.id}/grants/${emailOf(owner)}`),
    404,
    'not_found',
    'one who has none',
  );
  await owner.client.updateNode(docs.id, { parentId: 'root' });
  await owner.client.revoke(docs.id, emailOf(person));
  await owner.client.updateNode(docs.id, { parentId: team.id });
  t.same(await roles(), ['viewer', 'viewer', 404, 'viewer'], 'and back');
});

t.test('a right that is taken is gone at the next request, on every route', async (t) => {
  const [owner, editor, third] = await people(3);
  if (!owner || !editor || !third) return;
  const team = await owner.client.createFolder('root', uniqueName('team'));
  const ids = await Promise.all(
    Array.from({ length: 4 }, async (_, n) => (await owner.client.putChild(team.id, `f${n}`, 'bytes')).id),
  );
  const [file = '', doomed = ''] = ids;
  await owner.client.replaceContent(file, 'more bytes');
  const [version] = await owner.client.versions(file);
  const ask = (method: string, path: string, options?: object) => () => editor.client.request(method, path, options);
  const calls = [
    ask('GET', `/v1/nodes/${team.id}`),
    ask('GET', `/v1/nodes/${team.id}/children`),
    ask('GET', `/v1/nodes/${team.id}/access`),
    ask('GET', `/v1/nodes/${file}`),
    ask('GET', `/v1/nodes/${file}/content`),
    ask('HEAD', `/v1/nodes/${file}/content`),
    ask('GET', `/v1/nodes/${file}/versions`),
    ask('GET', `/v1/nodes/${file}/versions/${version?.id}/content`),
    ask('POST', `/v1/nodes/${file}/versions/${version?.id}/restore`),
    ask('PATCH', `/v1/nodes/${file}`, { json: { properties: { x: 'y' } } }),
    ask('PUT', `/v1/nodes/${file}/content`, { body: 'x' }),
    ask('PUT', `/v1/nodes/${team.id}/children/put`, { body: 'x' }),
    ask('POST', `/v1/nodes/${file}/copy`, { json: { parentId: 'root' } }),
    ask('PUT', `/v1/nodes/${file}/grants/${third.account.id}`, { json: { role: 'viewer' } }),
    ask('DELETE', `/v1/nodes/${file}/grants/${third.account.id}`),
    ask('POST', `/v1/nodes/${team.id}/children`, { json: { name: uniqueName() } }),
    ask('DELETE', `/v1/nodes/${doomed}`),
  ];
  const taken: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
    [
      'a grant',
      () => owner.client.grant(team.id, editor.account.id, 'editor'),
      () => owner.client.revoke(team.id, editor.account.id),
    ],
    [
      'general access',
      () => owner.client.updateNode(team.id, { generalAccess: 'editor' }),
      () => owner.client.updateNode(team.id, { generalAccess: 'restricted' }),
    ],
  ];
  for (const [what, give, take] of taken) {
    for (const [n, call] of calls.entries()) {
      await give();
      const allowed = (await call()).status;
      // What is in the trash, and the grant to a third, are of the round before.
      if (what === 'a grant') t.ok(allowed < 300, `${what} ${n}: ${allowed}`);
      await take();
      // The answer to HEAD has no body to look at.
      t.equal((await call()).status, 404, `${what} ${n}`);
    }
  }
  t.same((await editor.client.shared()).items, []);
});

t.test('general access counts for whoever has an account and the id', async (t) => {
  const [owner, stranger] = await people(2);
  if (!owner || !stranger) return;
  const { team, docs, a } = await someTeam(owner.client);
  const nobody = stranger.client.as(undefined);
  const change = () => stranger.client.request('PATCH', `/v1/nodes/${a.id}`, { json: { properties: { n: '1' } } });
  refused(t, await stranger.client.request('GET', `/v1/nodes/${a.id}`), 404, 'not_found');
  const opened = await owner.client.updateNode(team.id, { generalAccess: 'viewer' });
  t.equal(opened.generalAccess, 'viewer');
  t.equal((await stranger.client.node(a.id)).role, 'viewer');
  t.same((await stranger.client.access(a.id)).effectiveGeneralAccess, { access: 'viewer', from: team.id });
  t.same((await stranger.client.access(a.id)).generalAccess, 'restricted', 'its own');
  refused(t, await change(), 403, 'forbidden');
  refused(t, await nobody.request('GET', `/v1/nodes/${a.id}`), 401, 'unauthorized', 'not without logging in');
  await owner.client.updateNode(docs.id, { generalAccess: 'editor' });
  t.equal((await change()).status, 200);
  t.equal((await stranger.client.node(team.id)).role, 'viewer');
  t.same((await stranger.client.access(a.id)).effectiveGeneralAccess, { access: 'editor', from: docs.id });
  t.same((await stranger.client.shared()).items, [], 'nobody shared it with them by name');
  await owner.client.updateNode(docs.id, { generalAccess: 'restricted' });
  refused(t, await change(), 403, 'forbidden', 'what is above still counts');
  await owner.client.updateNode(team.id, { generalAccess: 'restricted' });
  refused(t, await change(), 404, 'not_found');
});

t.test('what others shared with me', async (t) => {
  const [owner, another, me] = await people(3);
  if (!owner || !another || !me) return;
  const made = [];
  for (let n = 0; n < 7; n += 1) {
    const by = n % 2 === 0 ? owner : another;
    const node = await by.client.putChild('root', `shared ${n}`, 'x');
    await by.client.grant(node.id, me.account.id, n === 3 ? 'editor' : 'viewer');
    made.push(node);
  }
  const listed = async (limit: number) => {
    const items = [];
    for await (const node of everyItem((cursor) => me.client.shared({ limit, ...(cursor && { cursor }) })))
      items.push(node);
    return items;
  };
  const names = (nodes: { name: string }[]) => nodes.map(({ name }) => name);
  const latestFirst = names(made).reverse();
  t.same(names(await listed(3)), latestFirst);
  t.same(names(await listed(1)), latestFirst);
  t.same(names(await listed(1000)), latestFirst);
  t.equal((await me.client.shared({ limit: 3 })).items.length, 3);
  t.equal((await listed(10)).find(({ name }) => name === 'shared 3')?.role, 'editor');

  await owner.client.deleteNode(made[0]?.id ?? '');
  await another.client.revoke(made[1]?.id ?? '', me.account.id);
  await owner.client.deleteNode(made[2]?.id ?? '', { permanent: true });
  await me.client.revoke(made[3]?.id ?? '', me.account.username);
  t.same(names(await listed(2)), latestFirst.slice(0, 3), 'without what is gone');
  await owner.client.restore(made[0]?.id ?? '');
  t.same(names(await listed(2)), [...latestFirst.slice(0, 3), 'shared 0'], 'with what is back');
  t.same(await owner.client.shared().then(({ items }) => items), [], 'not those who share');
  const { nextCursor } = await me.client.shared({ limit: 1 });
  refused(
    t,
    await me.client.request('GET', `/v1/trash?cursor=${nextCursor}`),
    400,
    'invalid_cursor',
    'a cursor of this list alone',
  );
});

t.test('the owner pays', { skip: !stack.hasOperator && 'needs an operator' }, async (t) => {
  const [owner, editor] = await people(2);
  if (!owner || !editor) return;
  const { team } = await someTeam(owner.client);
  await owner.client.grant(team.id, editor.account.id, 'editor');
  const operator = await stack.operator();
  await operator.client.updateAccount(owner.account.id, { limitBytes: 1_000 });
  refused(
    t,
    await editor.client.request('PUT', `/v1/nodes/${team.id}/children/big`, { body: someBytes(2_000) }),
    507,
    'quota_exceeded',
  );
  t.equal((await editor.client.putChild('root', 'big', someBytes(2_000))).size, 2_000, 'a tree of their own has room');
  await operator.client.updateAccount(owner.account.id, { limitBytes: 10_000 });
  await operator.client.updateAccount(editor.account.id, { limitBytes: 2_000 });
  t.equal((await editor.client.putChild(team.id, 'big', someBytes(2_000))).size, 2_000, 'the other way round, too');
  refused(
    t,
    await editor.client.request('POST', `/v1/nodes/${team.id}/copy`, { json: { parentId: 'root' } }),
    507,
    'quota_exceeded',
    'a copy into a tree of their own is theirs to pay',
  );
});

t.test("what an editor deletes is in the owner's trash", async (t) => {
  const [owner, editor] = await people(2);
  if (!owner || !editor) return;
  const { team, a, b } = await someTeam(owner.client);
  await owner.client.grant(team.id, editor.account.id, 'editor');
  await editor.client.deleteNode(b.id);
  t.same(
    (await owner.client.trash()).items.map(({ id }) => id),
    [b.id],
  );
  t.same((await editor.client.trash()).items, []);
  refused(t, await editor.client.request('GET', `/v1/nodes/${b.id}`), 404, 'not_found');
  await editor.client.emptyTrash();
  t.equal((await editor.client.restore(b.id)).role, 'editor', 'who deletes can take it back');
  t.equal((await editor.client.download(b.id)).text(), 'second');
  await owner.client.deleteNode(team.id);
  for (const id of [team.id, a.id, b.id]) {
    refused(t, await editor.client.request('GET', `/v1/nodes/${id}`), 404, 'not_found', 'shared, but in the trash');
    refused(t, await editor.client.request('GET', `/v1/nodes/${id}/access`), 404, 'not_found');
  }
  refused(t, await editor.client.request('POST', `/v1/nodes/${a.id}/restore`), 404, 'not_found', 'not itself in it');
  await owner.client.restore(team.id);
  t.equal((await editor.client.node(a.id)).role, 'editor', 'back with its grants');
});

t.test('nothing moves from one tree into another, but it can be copied', async (t) => {
  const [owner, editor] = await people(2);
  if (!owner || !editor) return;
  const { team, docs, a } = await someTeam(owner.client);
  await owner.client.grant(team.id, editor.account.id, 'editor');
  const mine = await editor.client.createFolder('root', 'mine');
  const move = (id: string, parentId: string) =>
    editor.client.request('PATCH', `/v1/nodes/${id}`, { json: { parentId } });
  refused(t, await move(a.id, mine.id), 409, 'conflict');
  refused(t, await move(a.id, 'root'), 409, 'conflict');
  refused(t, await move(mine.id, team.id), 409, 'conflict');
  t.equal((await owner.client.node(a.id)).parentId, docs.id);

  const copy = await editor.client.copy(docs.id, { parentId: mine.id });
  t.strictSame([copy.ownerId, copy.role, copy.generalAccess], [editor.account.id, 'owner', 'restricted']);
  t.same((await editor.client.access(copy.id)).grants, [], 'rights are not copied');
  const [inside] = (await editor.client.children(copy.id)).items;
  t.equal((await editor.client.copy(mine.id, { parentId: team.id })).ownerId, owner.account.id, 'the other way round');
  await owner.client.deleteNode(team.id, { permanent: true });
  t.equal((await editor.client.download(inside?.id ?? '')).text(), 'first', 'a copy stands by itself');
});

t.test('giving up a right of one’s own', async (t) => {
  const [owner, viewer, other] = await people(3);
  if (!owner || !viewer || !other) return;
  const { team, a } = await someTeam(owner.client);
  await owner.client.grant(team.id, viewer.account.id, 'viewer');
  await owner.client.grant(team.id, other.account.id, 'viewer');
  refused(
    t,
    await viewer.client.request('DELETE', `/v1/nodes/${a.id}/grants/${viewer.account.id}`),
    404,
    'not_found',
    'it is not given there',
  );
  await viewer.client.revoke(team.id, viewer.account.username);
  refused(t, await viewer.client.request('GET', `/v1/nodes/${team.id}`), 404, 'not_found');
  t.equal((await other.client.node(team.id)).role, 'viewer', 'others keep theirs');
});

t.test('many at once', async (t) => {
  const [owner, ...others] = await people(21);
  if (!owner) return;
  const { team } = await someTeam(owner.client);
  await Promise.all(others.map((one) => owner.client.grant(team.id, one.account.id, 'viewer')));
  t.equal((await owner.client.access(team.id)).grants.length, 20, 'none is lost');
  const outcomes = await Promise.all(
    others.map(async (one, n) => {
      if (n % 2 === 0) await owner.client.revoke(team.id, one.account.id);
      else await owner.client.grant(team.id, one.account.id, 'editor');
      return (await one.client.request('GET', `/v1/nodes/${team.id}`)).status;
    }),
  );
  t.same(tally(outcomes), { 200: 10, 404: 10 });
  t.same(tally((await owner.client.access(team.id)).grants.map(({ role }) => role)), { editor: 10 });
});

t.test('bad input', async (t) => {
  const [owner, viewer] = await people(2);
  if (!owner || !viewer) return;
  const { team, a } = await someTeam(owner.client);
  const none = '00000000-0000-7000-8000-000000000000';
  const grants = `/v1/nodes/${team.id}/grants`;
  const grant = (account: string, json: unknown, id = team.id): [string, string, object] => [
    'PUT',
    `/v1/nodes/${id}/grants/${account}`,
    { json },
  ];
  const patch = (json: unknown): [string, string, object] => ['PATCH', `/v1/nodes/${a.id}`, { json }];
  const whom = viewer.account.id;
  const cases: [number, string, [string, string, object?]][] = [
    [404, 'not_found', grant(none, { role: 'viewer' })],
    [404, 'not_found', grant('nobody@example.org', { role: 'viewer' })],
    [404, 'not_found', grant('no-such-user', { role: 'viewer' })],
    [404, 'not_found', grant('%00', { role: 'viewer' })],
    [404, 'not_found', grant('a%2Fb', { role: 'viewer' })],
    [404, 'not_found', grant('%F0%9F%98%80', { role: 'viewer' })],
    [404, 'not_found', grant(whom, { role: 'viewer' }, none)],
    [400, 'bad_request', grant('%zz', { role: 'viewer' })],
    [400, 'bad_request', grant('%ff', { role: 'viewer' })],
    [400, 'invalid_parameter', grant('x'.repeat(255), { role: 'viewer' })],
    [400, 'invalid_parameter', grant(whom, { role: 'viewer' }, 'not-an-id')],
    [400, 'invalid_body', grant(whom, { role: 'owner' })],
    [400, 'invalid_body', grant(whom, { role: 'Viewer' })],
    [400, 'invalid_body', grant(whom, { role: '' })],
    [400, 'invalid_body', grant(whom, { role: null })],
    [400, 'invalid_body', grant(whom, { role: ['viewer'] })],
    [400, 'invalid_body', grant(whom, {})],
    [400, 'invalid_body', grant(whom, [])],
    [400, 'invalid_body', grant(whom, 'viewer')],
    [400, 'invalid_body', grant(whom, { role: 'viewer', notify: 'perhaps' })],
    [400, 'invalid_body', grant(whom, { role: 'viewer', more: true })],
    [400, 'invalid_body', ['PUT', `${grants}/${whom}`, { body: '{', headers: { 'content-type': 'application/json' } }]],
    [400, 'invalid_body', ['PUT', `${grants}/${whom}`]],
    [
      415,
      'unsupported_media_type',
      [
        'PUT',
        `${grants}/${whom}`,
        { body: 'role=viewer', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      ],
    ],
    [400, 'invalid_query', ['PUT', `${grants}/${whom}?x=1`, { json: { role: 'viewer' } }]],
    [
      412,
      'precondition_failed',
      ['PUT', `${grants}/${whom}`, { json: { role: 'viewer' }, headers: { 'if-match': '"r999"' } }],
    ],
    [400, 'invalid_header', ['PUT', `${grants}/${whom}`, { json: { role: 'viewer' }, headers: { 'if-match': 'r1' } }]],
    [409, 'conflict', grant(owner.account.id, { role: 'viewer' })],
    [409, 'conflict', grant(owner.account.username, { role: 'editor' })],
    [403, 'forbidden', grant(whom, { role: 'viewer' }, 'root')],
    [404, 'not_found', ['DELETE', `${grants}/${whom}`]],
    [404, 'not_found', ['DELETE', `${grants}/no-such-user`]],
    [404, 'not_found', ['DELETE', `${grants}/${owner.account.id}`]],
    [400, 'invalid_query', ['DELETE', `${grants}/${whom}?permanent=true`]],
    [405, 'method_not_allowed', ['POST', `${grants}/${whom}`, { json: { role: 'viewer' } }]],
    [404, 'not_found', ['GET', `/v1/nodes/${none}/access`]],
    [400, 'invalid_parameter', ['GET', '/v1/nodes/x/access']],
    [400, 'invalid_query', ['GET', `/v1/nodes/${team.id}/access?x=1`]],
    [400, 'invalid_query', ['GET', '/v1/shared?limit=0']],
    [400, 'invalid_query', ['GET', '/v1/shared?limit=1001']],
    [400, 'invalid_cursor', ['GET', '/v1/shared?cursor=x']],
    [400, 'invalid_query', ['GET', '/v1/shared?of=me']],
    [400, 'invalid_body', patch({ generalAccess: 'owner' })],
    [400, 'invalid_body', patch({ generalAccess: null })],
    [400, 'invalid_body', patch({ generalAccess: true })],
    [400, 'invalid_body', patch({ general_access: 'viewer' })],
    [403, 'forbidden', ['PATCH', '/v1/nodes/root', { json: { generalAccess: 'viewer' } }]],
  ];
  t.ok(cases.length >= 30);
  await eachOf(cases, 8, async ([status, code, [method, path, options]]) => {
    refused(
      t,
      await owner.client.request(method, path, options),
      status,
      code,
      `${method} ${path} ${JSON.stringify(options)}`,
    );
  });
  const signed = ['/v1/shared', `/v1/nodes/${team.id}/access`];
  for (const path of signed)
    refused(t, await owner.client.as(undefined).request('GET', path), 401, 'unauthorized', path);
  t.same((await owner.client.access(team.id)).grants, [], 'and nothing was given');
  const key = await owner.client.createKey({ name: 'reads', access: 'read-only' });
  const reader = owner.client.as(`Bearer ${key.id}.${key.secret}`);
  refused(t, await reader.request(...grant(whom, { role: 'viewer' })), 403, 'read_only');
  t.equal((await reader.access(team.id)).owner.id, owner.account.id);
});
