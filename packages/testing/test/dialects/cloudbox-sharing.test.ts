/** Who may do what through the API of shared files and folders, and how that is given and taken. By URL alone. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type CloudboxAsset, CloudboxClient } from '../../src/dialects/index.ts';
import {
  multipart,
  PASSWORD,
  type Reply,
  type RequestOptions,
  startTestStack,
  uniqueName,
  waitFor,
} from '../../src/index.ts';

t.setTimeout(240_000);
const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http } = stack;
const NO_ACCESS = "You're not allowed to access, request access";
const NO_ACTION = "You're not allowed to perform this action, request access";
const UNKNOWN = 'nobody-is-called-so@example.org';
const nobody = new CloudboxClient(http);

type User = CloudboxClient & { readonly email: string; readonly id: string };
async function newUser(): Promise<User> {
  const email = `${uniqueName()}@example.org`;
  const client = new CloudboxClient(http);
  const { id } = await client.register({ first_name: 'Ada', last_name: 'Obi', email, password: PASSWORD });
  await client.logIn(email, PASSWORD);
  return Object.assign(client, { email, id });
}

function refused(t: Test, reply: Reply, status: number, error: string, about = error): void {
  const wanted = [status, 'application/json', JSON.stringify({ error })];
  t.strictSame([reply.status, reply.headers['content-type'], reply.text()], wanted, about);
}
const form = (bytes: string): RequestOptions => {
  const { body, contentType } = multipart([{ part: 'file', filename: 'x', bytes }]);
  return { body, headers: { 'content-type': contentType } };
};

const WHO = ['owner', 'editor', 'viewer', 'stranger', 'nobody'] as const;
const GENERAL = ['restricted', 'viewer', 'editor'] as const;
const GIVEN = ['direct', 'inherited', 'none'] as const;
interface World {
  folder: CloudboxAsset;
  file: CloudboxAsset;
  victim(kind: 'file' | 'folder'): Promise<CloudboxAsset>;
}
interface Route {
  name: string;
  needs: 'read' | 'change';
  ask(client: CloudboxClient, world: World): Promise<Reply>;
}
const route = (
  needs: Route['needs'],
  method: string,
  pathOf: (world: World) => string | Promise<string>,
  options?: () => RequestOptions,
): Route => ({
  name: `${method} ${pathOf.toString().replace(/^[^`]*/, '')}`,
  needs,
  ask: async (client, world) => await client.request(method, await pathOf(world), options?.()),
});
const ROUTES: readonly Route[] = [
  route('read', 'GET', ({ folder }) => `store/folders/${folder.id}/`),
  route('read', 'GET', ({ folder }) => `store/folders/${folder.id}/content/`),
  route('read', 'GET', ({ file }) => `store/files/${file.id}/`),
  route('read', 'GET', ({ file }) => `store/files/${file.id}/view/`),
  route('read', 'GET', ({ file }) => `store/assets/${file.id}/download/`),
  route('read', 'GET', ({ folder }) => `store/assets/${folder.id}/download/`),
  route('read', 'GET', ({ file }) => `store/assets/${file.id}/editors/`),
  route('read', 'GET', ({ folder }) => `store/assets/${folder.id}/viewers/`),
  route(
    'change',
    'POST',
    ({ folder }) => `store/folders/${folder.id}/`,
    () => ({ json: { name: 'new' } }),
  ),
  route(
    'change',
    'PATCH',
    ({ folder }) => `store/folders/${folder.id}/`,
    () => ({ json: { name: uniqueName() } }),
  ),
  route(
    'change',
    'POST',
    ({ folder }) => `store/files/${folder.id}/`,
    () => form('x'),
  ),
  route(
    'change',
    'PATCH',
    ({ file }) => `store/files/${file.id}/`,
    () => ({ json: { name: uniqueName() } }),
  ),
  route(
    'change',
    'POST',
    ({ file }) => `store/assets/${file.id}/editors/`,
    () => ({ json: { users: [UNKNOWN] } }),
  ),
  route(
    'change',
    'DELETE',
    ({ folder }) => `store/assets/${folder.id}/viewers/`,
    () => ({ json: { users: [UNKNOWN] } }),
  ),
  route(
    'change',
    'PATCH',
    async ({ victim }) => `store/assets/${(await victim('file')).id}/access-type/`,
    () => ({ json: { access_type: 'restricted' } }),
  ),
  route('change', 'DELETE', async ({ victim }) => `store/files/${(await victim('file')).id}/`),
  route('change', 'DELETE', async ({ victim }) => `store/folders/${(await victim('folder')).id}/`),
];

t.test('each route × who asks × what is open to all × how rights were given', async (t) => {
  const [owner, editor, viewer, stranger] = await Promise.all([newUser(), newUser(), newUser(), newUser()]);
  if (!owner || !editor || !viewer || !stranger) throw new Error('four were asked for');
  const clients = { owner, editor, viewer, stranger, nobody };
  const open = async (asset: CloudboxAsset, given: boolean, general: (typeof GENERAL)[number]): Promise<void> => {
    if (given) {
      await owner.share(asset.id, 'editors', [editor.email]);
      await owner.share(asset.id, 'viewers', [viewer.email]);
    }
    if (general !== 'restricted') await owner.setAccessType(asset.id, general);
  };
  let cells = 0;
  const wrong: object[] = [];
  for (const general of GENERAL) {
    for (const given of GIVEN) {
      const team = await owner.createFolder('team');
      const between = await owner.createFolder('between', team.id);
      const folder = await owner.createFolder('folder', between.id);
      const file = await owner.upload({ name: 'file', bytes: 'bytes' }, between.id);
      if (given === 'inherited') await open(team, true, general);
      else for (const asset of [folder, file]) await open(asset, given === 'direct', general);
      const victim = async (kind: 'file' | 'folder'): Promise<CloudboxAsset> => {
        const one =
          kind === 'file'
            ? await owner.upload({ name: 'victim', bytes: '' }, between.id)
            : await owner.createFolder('victim', between.id);
        if (given !== 'inherited') await open(one, given === 'direct', general);
        return one;
      };
      for (const who of WHO) {
        const named = given !== 'none' && (who === 'editor' || who === 'viewer') ? who : undefined;
        const mayRead = who === 'owner' || named !== undefined || general !== 'restricted';
        const mayChange = who === 'owner' || named === 'editor' || (general === 'editor' && who !== 'nobody');
        for (const { name, needs, ask } of ROUTES) {
          const reply = await ask(clients[who], { folder, file, victim });
          const text = reply.status >= 400 ? reply.json<{ error: string }>().error : '';
          const denied = who === 'nobody' ? [401, NO_ACCESS] : [403, needs === 'read' ? NO_ACCESS : NO_ACTION];
          const isRight = (needs === 'read' ? mayRead : mayChange)
            ? reply.status < 400
            : reply.status === denied[0] && text === denied[1];
          cells++;
          if (!isRight) wrong.push({ general, given, who, name, got: `${reply.status} ${text}` });
        }
      }
    }
  }
  t.strictSame(wrong, []);
  t.equal(cells, GENERAL.length * GIVEN.length * WHO.length * ROUTES.length);
});

t.test('giving and taking by e-mail', async (t) => {
  const [owner, ann, bob] = [await newUser(), await newUser(), await newUser()];
  const file = await owner.upload({ name: 'f', bytes: 'f' });
  const list = (which: string) => `store/assets/${file.id}/${which}/`;
  refused(t, await ann.request('GET', `store/files/${file.id}/`), 403, NO_ACCESS);
  refused(t, await nobody.request('GET', `store/files/${file.id}/`), 401, NO_ACCESS);

  const users = [ann.email.toUpperCase(), UNKNOWN, owner.email, 'no e-mail address'];
  const added = await owner.request('POST', list('viewers'), { json: { users, notify: false } });
  t.equal(added.status, 201);
  t.equal(added.text(), JSON.stringify({ id: file.id, viewers: [ann.email] }), 'the unknown and the owner are skipped');
  t.equal((await owner.request('GET', list('viewers'))).text(), added.text());
  t.equal((await owner.request('GET', list('editors'))).text(), JSON.stringify({ id: file.id, editors: [] }));
  t.match(await owner.file(file.id), { viewers: [ann.email], editors: [] });
  t.match((await owner.content())[0], { viewers: [ann.email], editors: [] });
  t.match(await ann.file(file.id), { user_id: owner.id, viewers: [] }, 'who may not change it is not told of others');
  await owner.share(file.id, 'viewers', [bob.email]);
  t.strictSame(
    (await ann.request('GET', list('viewers'))).json(),
    { id: file.id, viewers: [ann.email] },
    'but of themselves',
  );

  await owner.share(file.id, 'editors', [ann.email]);
  t.match(await ann.file(file.id), { editors: [ann.email], viewers: [bob.email] }, 'one role at a time');
  await owner.unshare(file.id, 'viewers', [ann.email]);
  t.equal((await ann.file(file.id)).id, file.id, 'taking the viewer from an editor takes nothing');
  const removed = await owner.request('DELETE', list('editors'), { json: { users: [ann.email, UNKNOWN] } });
  t.strictSame([removed.status, removed.text()], [204, '']);
  refused(t, await ann.request('GET', `store/files/${file.id}/`), 403, NO_ACCESS);

  const sent: RequestOptions[] = [
    { body: `users=${ann.email}&users=${bob.email}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    { query: { users: `${ann.email},${bob.email}` } },
    (() => {
      const parts = [ann, bob].map(({ email }) => ({ part: 'users', bytes: email }));
      const { body, contentType } = multipart([...parts, { part: 'notify', bytes: 'true' }]);
      return { body, headers: { 'content-type': contentType } };
    })(),
  ];
  for (const options of sent) {
    const reply = await owner.request('POST', `store/assets/${file.id}/editors`, options);
    t.strictSame([...(reply.json<{ editors: string[] }>().editors ?? [])].sort(), [ann.email, bob.email].sort());
    t.equal((await owner.request('DELETE', `store/assets/${file.id}/editors`, options)).status, 204);
    t.strictSame((await owner.request('GET', list('editors'))).json(), { id: file.id, editors: [] });
  }
});

t.test('what is open to all', async (t) => {
  const [owner, stranger] = [await newUser(), await newUser()];
  const folder = await owner.createFolder('open');
  const inner = await owner.upload({ name: 'f.txt', bytes: 'hello', mime: 'text/plain; charset=utf-8' }, folder.id);
  const reply = await owner.request('PATCH', `store/assets/${folder.id}/access-type/`, {
    json: { access_type: 'viewer' },
  });
  const answer = { id: folder.id, access_type: 'viewer', anyone_can_access: 'viewer' };
  t.strictSame([reply.status, reply.text()], [200, JSON.stringify(answer)]);
  t.equal((await nobody.download(inner.id)).text(), 'hello');
  t.equal((await nobody.content(folder.id)).length, 1);
  const link = new URL(await nobody.viewLink(inner.id)).pathname;
  t.equal((await http.request('GET', link)).text(), 'hello');
  refused(t, await stranger.tryUpload({ name: 'x', bytes: 'x' }, folder.id), 403, NO_ACTION);
  refused(t, await nobody.tryUpload({ name: 'x', bytes: 'x' }, folder.id), 401, NO_ACCESS);
  await owner.setAccessType(folder.id, 'editor');
  const theirs = await stranger.upload({ name: 'x', bytes: '12345' }, folder.id);
  t.equal(theirs.user_id, owner.id, 'what is put into a folder belongs to whom it belongs to');
  refused(t, await nobody.tryUpload({ name: 'x', bytes: 'x' }, folder.id), 401, NO_ACCESS);
  await owner.setAccessType(folder.id, 'restricted');
  refused(t, await nobody.request('GET', `store/files/${inner.id}/`), 401, NO_ACCESS, 'closed at the next request');
  const closed = await http.request('GET', link);
  t.equal(closed.status, 404, 'and the link that was made before');
});

t.test('a link made for someone ends with their right', async (t) => {
  const [owner, ann] = [await newUser(), await newUser()];
  const file = await owner.upload({ name: 'f', bytes: 'f' });
  await owner.share(file.id, 'viewers', [ann.email]);
  const link = new URL(await ann.viewLink(file.id)).pathname;
  t.equal((await http.request('GET', link)).status, 200);
  await owner.unshare(file.id, 'viewers', [ann.email]);
  t.equal((await http.request('GET', link)).status, 404);
});

t.test(
  'who is added is told by mail, where that is wished',
  { skip: stack.local?.mailDir === undefined },
  async (t) => {
    const mailDir = stack.local?.mailDir ?? '';
    const [owner, ann, bob] = [await newUser(), await newUser(), await newUser()];
    const file = await owner.upload({ name: 'the-plan.txt', bytes: 'f' });
    await owner.share(file.id, 'viewers', [bob.email], false);
    await owner.share(file.id, 'viewers', [ann.email], true);
    const mailsTo = async (email: string): Promise<string[]> => {
      const names = (await readdir(mailDir)).filter((name) => name.endsWith('.eml'));
      const texts = await Promise.all(names.map((name) => readFile(path.join(mailDir, name), 'utf8')));
      return texts.filter((text) => text.includes(email));
    };
    const [mail] = await waitFor(
      'the mail',
      async () => {
        const mails = await mailsTo(ann.email);
        return mails.length > 0 && mails;
      },
      { timeoutMs: 30_000 },
    );
    t.match(mail, /the-plan\.txt/);
    t.strictSame(await mailsTo(bob.email), []);
  },
);
