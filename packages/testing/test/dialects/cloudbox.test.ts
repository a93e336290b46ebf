/** The API of shared files and folders, as its document has it: accounts, folders, files. By URL alone. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type CloudboxAsset, CloudboxClient } from '../../src/dialects/index.ts';
import {
  Client,
  eachOf,
  multipart,
  newPerson,
  PASSWORD,
  type Reply,
  type RequestOptions,
  sha256,
  someBytes,
  startTestStack,
  tally,
  uniqueName,
  waitFor,
} from '../../src/index.ts';

t.setTimeout(240_000);
const run = promisify(execFile);
const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http } = stack;
const NO_ACCESS = "You're not allowed to access, request access";
const NO_ACTION = "You're not allowed to perform this action, request access";
const NO_SPACE = "You're do not have enough space to upload this asset";
const INVALID_ID = 'Enter a valid ID';
const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000';
const nobody = new CloudboxClient(http);

async function newUser(first_name = 'Ada'): Promise<CloudboxClient & { readonly email: string; readonly id: string }> {
  const email = `${uniqueName()}@example.org`;
  const client = new CloudboxClient(http);
  const { id } = await client.register({ first_name, last_name: 'Obi', email, password: PASSWORD });
  await client.logIn(email, PASSWORD);
  return Object.assign(client, { email, id });
}

/** The answer is this refusal, to the byte. */
function refused(t: Test, reply: Reply, status: number, error: string, about = error): void {
  const wanted = [status, 'application/json', JSON.stringify({ error })];
  t.strictSame([reply.status, reply.headers['content-type'], reply.text()], wanted, about);
}

/** Some refusal in this API's shape, and no fault of the service. */
function refusedSomehow(t: Test, reply: Reply, about: string): void {
  const got = { about, got: `${reply.status} ${reply.text().slice(0, 200)}` };
  t.ok(reply.status >= 400 && reply.status < 500, about, got);
  t.equal(reply.headers['content-type'], 'application/json', about, got);
  t.strictSame(Object.keys(reply.json<object>()), ['error'], about, got);
}

const formOf = (fields: Record<string, string>): RequestOptions => {
  const { body, contentType } = multipart(Object.entries(fields).map(([part, bytes]) => ({ part, bytes })));
  return { body, headers: { 'content-type': contentType } };
};
const urlencoded = (fields: Record<string, string>): RequestOptions => ({
  body: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
});
const namesIn = (assets: readonly CloudboxAsset[]): string[] => assets.map(({ name }) => name);

t.test('registration, however its fields are sent', async (t) => {
  const sent: Record<string, (fields: Record<string, string>) => RequestOptions> = {
    json: (json) => ({ json }),
    form: formOf,
    urlencoded,
    untyped: (fields) => ({ body: JSON.stringify(fields) }),
    query: (query) => ({ query }),
  };
  for (const [how, options] of Object.entries(sent)) {
    const email = `${uniqueName()}@example.org`;
    const fields = { first_name: 'Ada', last_name: 'Obi', email, password: 'x' };
    const reply = await nobody.request('POST', how === 'form' ? 'auth/register/' : 'auth/register', options(fields));
    t.equal(reply.status, 201, how);
    t.equal(reply.headers['content-type'], 'application/json');
    const { id } = reply.json<{ id: string }>();
    t.equal(
      reply.text(),
      JSON.stringify({
        id,
        first_name: 'Ada',
        last_name: 'Obi',
        middle_name: null,
        email,
        phone: null,
        profile_pict: null,
        date_of_birth: null,
      }),
      how,
    );
  }
});

t.test('registration keeps the facts and the picture; the profile shows them', async (t) => {
  const email = `${uniqueName()}@example.org`;
  const facts = {
    first_name: 'Chidi',
    last_name: 'Eze',
    middle_name: 'K.',
    country: 'Nigeria',
    phone: '+234 1',
    date_of_birth: '1990-01-02',
    security_quest: 'pet?',
    security_ans: 'Rex',
    recovery_mail: 'r@example.org',
    recovery_no: '42',
  };
  const picture = someBytes(5_000);
  const reply = await nobody.form('POST', 'auth/register', [
    { part: 'profile_pict', filename: 'me.png', mime: 'image/png', bytes: picture },
    ...Object.entries({ ...facts, email, password: PASSWORD }).map(([part, bytes]) => ({ part, bytes })),
  ]);
  t.equal(reply.status, 201);
  const shown = reply.json<Record<string, string>>();
  const user = new CloudboxClient(http);
  await user.logIn(email, PASSWORD);
  const profile = await user.profile();
  const { country, security_quest, security_ans, recovery_mail, recovery_no, ...rest } = facts;
  t.strictSame(
    JSON.stringify(profile),
    JSON.stringify({ ...shown, security_quest, security_ans, recovery_mail, recovery_no, country }),
  );
  t.match(shown, { ...rest, email });
  const uri = new URL(shown.profile_pict ?? '');
  t.equal(uri.origin, http.url);
  const view = await http.request('GET', uri.pathname, { headers: { authorization: `Bearer ${user.access}` } });
  t.equal(view.status, 302);
  const bytes = await http.request('GET', new URL(view.headers.location ?? '').pathname);
  t.strictSame([bytes.status, bytes.headers['content-type'], bytes.body], [200, 'image/png', picture]);
  t.equal((await http.request('GET', uri.pathname)).status, 401, 'and nobody else sees it');
  t.strictSame(namesIn(await user.content()), ['Profile']);
});

t.test('a field of type file that was left empty is no picture, and a picture too large is refused', async (t) => {
  const fields = { first_name: 'A', last_name: 'B', password: 'p' };
  const parts = (bytes: Buffer) => [
    ...Object.entries({ ...fields, email: `${uniqueName()}@example.org` }).map(([part, b]) => ({ part, bytes: b })),
    { part: 'profile_pict', filename: '', bytes },
  ];
  const reply = await nobody.form('POST', 'auth/register', parts(Buffer.alloc(0)));
  t.equal(reply.status, 201);
  t.equal(reply.json<{ profile_pict: null }>().profile_pict, null);
  t.equal((await nobody.form('POST', 'auth/register', parts(Buffer.alloc(11 * 1024 * 1024)))).status, 413);
});

t.test('registration says what is missing and whether the e-mail address is taken', async (t) => {
  const email = `${uniqueName()}@example.org`;
  const fields = { first_name: 'Ada', last_name: 'Obi', email, password: PASSWORD };
  const missing = {
    first_name: 'first name of the user is required',
    last_name: 'last name of the user is required',
    email: 'email of the user is required',
    password: 'password is required',
  };
  for (const [name, text] of Object.entries(missing)) {
    refused(t, await nobody.request('POST', 'auth/register', { json: { ...fields, [name]: undefined } }), 400, text);
    refused(t, await nobody.request('POST', 'auth/register', formOf({ ...fields, [name]: ' ' })), 400, text);
  }
  await nobody.register(fields);
  refused(t, await nobody.request('POST', 'auth/register', { json: fields }), 409, 'email exists already');
  const other = { ...fields, email: email.toUpperCase() };
  refused(t, await nobody.request('POST', 'auth/register', { json: other }), 409, 'email exists already');
  // The same beginning of other addresses: other user names are found.
  await eachOf(Array.from({ length: 20 }), 20, (_, n) =>
    nobody.register({ ...fields, email: email.replace('example.org', `example${n}.com`) }),
  );
});

t.test('of 100 who register one e-mail address together one succeeds', async (t) => {
  const email = `${uniqueName()}@example.org`;
  const replies = await eachOf(Array.from({ length: 100 }), 100, () =>
    nobody.request('POST', 'auth/register', { json: { first_name: 'A', last_name: 'B', email, password: 'p' } }),
  );
  t.strictSame(tally(replies.map(({ status }) => status)), { 201: 1, 409: 99 });
  for (const reply of replies) if (reply.status === 409) refused(t, reply, 409, 'email exists already');
});

t.test('logging in, and renewing the access token', async (t) => {
  const user = await newUser();
  const fields = { email: user.email, password: PASSWORD };
  for (const options of [{ json: fields }, formOf(fields), urlencoded(fields)]) {
    const reply = await nobody.request('POST', 'auth/login', options);
    t.equal(reply.status, 200);
    const { access, refresh } = reply.json<Record<string, string>>();
    t.equal(reply.text(), JSON.stringify({ access, refresh }));
    const claims = JSON.parse(Buffer.from(access?.split('.')[1] ?? '', 'base64url').toString());
    t.equal(claims.exp - claims.iat, 86_400, 'an access token lives for 24 hours');
  }
  for (const json of [
    { ...fields, password: 'wrong' },
    { ...fields, email: 'nobody@example.org' },
    { ...fields, password: 'x'.repeat(2_000) },
    { ...fields, email: `${'x'.repeat(300)}@example.org` },
  ])
    refused(t, await nobody.request('POST', 'auth/login', { json }), 401, 'Wrong credentials');
  refused(
    t,
    await nobody.request('POST', 'auth/login', { json: { password: 'x' } }),
    400,
    'email of the user is required',
  );
  refused(t, await nobody.request('POST', 'auth/login', { json: { email: 'x' } }), 400, 'password is required');

  const refresh = (token: string | undefined) => new CloudboxClient(http, token).request('GET', 'auth/token/refresh');
  for (let n = 0; n < 2; n++) {
    const reply = await refresh(user.refresh);
    t.equal(reply.status, 200, 'the refresh token can be used again');
    const { access } = reply.json<{ access: string }>();
    t.equal(reply.text(), JSON.stringify({ access }));
    t.equal((await new CloudboxClient(http, access).profile()).id, user.id);
  }
  for (const token of [undefined, 'nonsense', user.access, 'x'.repeat(600)])
    refused(t, await refresh(token), 401, NO_ACCESS);
  refused(t, await new CloudboxClient(http, user.refresh).request('GET', 'auth/profile'), 401, NO_ACCESS);
  refused(t, await nobody.request('GET', 'auth/profile/'), 401, NO_ACCESS);
});

t.test('an account is the same through every door', async (t) => {
  const user = await newUser();
  const native = new Client(http);
  const session = await native.logIn(user.email, PASSWORD);
  native.authorization = `Bearer ${session.accessToken}`;
  const file = await user.upload({ name: 'a.txt', bytes: 'hello' });
  t.equal((await native.getFile('a.txt')).text(), 'hello');
  t.equal((await native.usage()).usedBytes, 5);
  await user.delete(file);
  await waitFor('the space to be free again', async () => (await native.usage()).usedBytes === 0);
  const person = await newPerson(http);
  const other = new CloudboxClient(http);
  await other.logIn(person.account.username, PASSWORD);
  t.equal((await other.folder()).name, `${person.account.username} root`);
  t.equal((await other.profile()).first_name, null);
});

t.test('a new password by mail', { skip: stack.local?.mailDir === undefined }, async (t) => {
  const mailDir = stack.local?.mailDir ?? '';
  const user = await newUser();
  const ask = (email: string) => nobody.request('POST', 'auth/request-password-reset', { json: { email } });
  const known = await ask(user.email);
  const unknown = await ask('nobody-has-this@example.org');
  t.equal(known.text(), '{"message":"A mail has been sent to reset your password"}');
  t.strictSame([unknown.status, unknown.text()], [200, known.text()], 'the answer tells nobody who is known');
  refused(t, await nobody.request('POST', 'auth/request-password-reset'), 400, 'email of the user is required');

  const mails = async (): Promise<string[]> => {
    const names = (await readdir(mailDir)).filter((name) => name.endsWith('.eml'));
    const texts = await Promise.all(names.map((name) => readFile(path.join(mailDir, name), 'utf8')));
    const plain = texts.map((text) =>
      text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
    return plain.filter((text) => text.includes(user.email));
  };
  const mail = await waitFor('the mail', async () => (await mails())[0], { timeoutMs: 30_000 });
  const token = /reset-password\?token=([\w.~%-]+)/.exec(mail)?.[1] ?? '';
  const reset = (bearer: string | undefined, json: object) =>
    new CloudboxClient(http, bearer).request('POST', 'auth/reset-password/', { json });
  refused(t, await reset(token, {}), 400, 'new password is required');
  refused(t, await reset(undefined, { password: 'new one' }), 401, NO_ACCESS);
  refused(t, await reset('nonsense', { password: 'new one' }), 401, NO_ACCESS);
  refused(t, await reset(user.access, { password: 'new one' }), 401, NO_ACCESS);
  const racers = await eachOf(Array.from({ length: 20 }), 20, () => reset(token, { password: 'new one' }));
  t.strictSame(tally(racers.map(({ status }) => status)), { 200: 1, 401: 19 }, 'it works once');
  t.equal(racers.find(({ status }) => status === 200)?.text(), '{"message":"Password reset successful"}');
  refused(
    t,
    await nobody.request('POST', 'auth/login', { json: { email: user.email, password: PASSWORD } }),
    401,
    'Wrong credentials',
  );
  await waitFor('the old session to end', async () => (await user.request('GET', 'auth/profile')).status === 401);
  refused(
    t,
    await user.request('GET', 'auth/token/refresh', { headers: { authorization: `Bearer ${user.refresh}` } }),
    401,
    NO_ACCESS,
  );
  await user.logIn(user.email, 'new one');
  await waitFor('the confirmation', async () => (await mails()).length >= 2, { timeoutMs: 30_000 });
});

t.test('folders', async (t) => {
  const user = await newUser('Zoë');
  const root = await user.folder();
  t.strictSame(
    JSON.stringify(root),
    JSON.stringify({
      id: root.id,
      user_id: user.id,
      is_folder: true,
      parent: null,
      name: 'Zoë root',
      uri: `${http.url}/api/v1/store/folders/${root.id}/`,
      editors: [],
      viewers: [],
      created_at: root.created_at,
      updated_at: root.updated_at,
    }),
  );
  t.strictSame(await user.folder(root.id), root);
  const a = await user.createFolder('a');
  t.match(a, { parent: root.id, name: 'a', is_folder: true, user_id: user.id });
  t.strictSame(await user.folder(a.id), a);
  const inner = await user.createFolder('inner', a.id);
  t.equal(inner.parent, a.id);
  t.equal((await user.createFolder('a')).name, 'a (1)', 'a taken name becomes the next free one');
  const file = await user.upload({ name: 'a', bytes: 'x', mime: 'text/x-y' });
  t.strictSame(namesIn(await user.content()).sort(), ['a', 'a', 'a (1)']);
  t.strictSame(await user.content(a.id), [inner]);
  t.strictSame(await user.content(inner.id), []);
  t.strictSame(
    (await user.content()).find(({ id }) => id === file.id),
    file,
  );

  const renamed = await user.rename(inner, 'renamed');
  t.match(renamed, { id: inner.id, name: 'renamed', parent: a.id });
  t.equal((await user.rename(a, 'a (1)')).name, 'a (1) (1)', 'also when renaming');
  t.equal((await user.rename(a, 'b')).name, 'b');
  t.equal((await user.rename(a, 'b')).name, 'b', 'its own name is not taken');
  for (const name of ['query', 'form', 'urlencoded']) {
    const options = name === 'query' ? { query: { name } } : name === 'form' ? formOf({ name }) : urlencoded({ name });
    t.equal((await user.request('POST', `store/folders/${a.id}`, options)).status, 201, name);
  }

  const gone = await user.request('DELETE', `store/folders/${a.id}/`);
  t.strictSame([gone.status, gone.text()], [204, '']);
  refused(t, await user.request('GET', `store/folders/${a.id}/`), 404, INVALID_ID);
  refused(t, await user.request('GET', `store/folders/${inner.id}/`), 404, INVALID_ID);
  for (const options of [{}, { json: {} }, { json: { name: '' } }, formOf({ x: 'y' })])
    refused(t, await user.request('POST', 'store/folders/', options), 400, 'name of the folder is required');
  refused(t, await user.request('PATCH', `store/folders/${file.id}/`, { json: { name: 'x' } }), 404, INVALID_ID);
});

t.test('the root is neither renamed nor deleted nor shared', async (t) => {
  const user = await newUser();
  const { id } = await user.folder();
  const attempts: [string, string, object?][] = [
    ['DELETE', 'store/folders/'],
    ['DELETE', `store/folders/${id}/`],
    ['PATCH', 'store/folders/', { name: 'x' }],
    ['PATCH', `store/folders/${id}/`, { name: 'x' }],
    ['POST', `store/assets/${id}/editors/`, { users: ['a@example.org'] }],
    ['DELETE', `store/assets/${id}/viewers/`, { users: ['a@example.org'] }],
    ['PATCH', `store/assets/${id}/access-type/`, { access_type: 'viewer' }],
  ];
  for (const [method, path, json] of attempts)
    refused(t, await user.request(method, path, json && { json }), 403, NO_ACTION, `${method} ${path}`);
});

t.test('of 20 folders of one name made together each has a name of its own', async (t) => {
  const user = await newUser();
  const made = await eachOf(Array.from({ length: 20 }), 20, () => user.createFolder('same'));
  t.equal(new Set(namesIn(made)).size, 20);
  const renamed = await eachOf(made, 20, (folder) => user.rename(folder, 'other'));
  t.equal(new Set(namesIn(renamed)).size, 20, 'and renaming is no different');
});

t.test('a long listing is whole', async (t) => {
  const user = await newUser();
  const folder = await user.createFolder('many');
  await eachOf(Array.from({ length: 1_100 }), 32, (_, n) => user.createFolder(`f${n}`, folder.id));
  const names = namesIn(await user.content(folder.id));
  t.equal(new Set(names).size, 1_100);
  t.equal(names.length, 1_100);
});

t.test('files', async (t) => {
  const user = await newUser();
  const root = await user.folder();
  const bytes = someBytes(70_000);
  const reply = await user.tryUpload({ name: 'photo.jpg', bytes, mime: 'image/jpeg' });
  t.equal(reply.status, 201);
  const file = reply.json<CloudboxAsset>();
  t.equal(
    reply.text(),
    JSON.stringify({
      id: file.id,
      user_id: user.id,
      is_folder: false,
      parent: root.id,
      name: 'photo.jpg',
      uri: `${http.url}/api/v1/store/files/${file.id}/view/`,
      editors: [],
      viewers: [],
      created_at: file.created_at,
      updated_at: file.updated_at,
      file_type: 'image/jpeg',
      size: bytes.length,
      s3_key: `${user.id}/${file.id}`,
    }),
  );
  t.strictSame(await user.file(file.id), file);
  const names = [];
  for (let n = 0; n < 2; n++) names.push((await user.upload({ name: 'photo.jpg', bytes: `${n}` })).name);
  t.strictSame(names, ['photo (1).jpg', 'photo (2).jpg']);
  t.equal((await user.rename(file, 'photo (1).jpg')).name, 'photo (1) (1).jpg');
  t.equal((await user.rename(file, 'räksmörgås 🎈.jpg')).name, 'räksmörgås 🎈.jpg');

  const download = await user.download(file.id);
  t.equal(sha256(download.body), sha256(bytes));
  t.match(download.headers, {
    'content-type': 'image/jpeg',
    'content-disposition': /^attachment; filename="r_ksm_rg_s _.jpg"; filename\*=UTF-8''r%C3%A4/,
    'x-content-type-options': 'nosniff',
  });
  const part = await user.request('GET', `store/assets/${file.id}/download`, { headers: { range: 'bytes=10-19' } });
  t.strictSame([part.status, part.body], [206, bytes.subarray(10, 20)]);
  const head = await user.request('HEAD', `store/assets/${file.id}/download`);
  t.strictSame([head.status, head.headers['content-length']], [200, `${bytes.length}`], 'HEAD tells the length');
  const folder = await user.createFolder('f');
  const inner = await user.upload({ name: 'x.txt', bytes: '' }, folder.id);
  t.match(inner, { parent: folder.id, size: 0 });
  t.equal((await user.download(inner.id)).body.length, 0);

  t.equal((await user.request('DELETE', `store/files/${file.id}/`)).status, 204);
  refused(t, await user.request('GET', `store/files/${file.id}/`), 404, INVALID_ID);
  refused(t, await user.request('GET', `store/files/${folder.id}/`), 404, INVALID_ID);
  for (const options of [{}, { json: { file: 'x' } }, formOf({ other: 'x' })])
    refused(t, await user.request('POST', 'store/files/', options), 400, 'file is required');
  refused(
    t,
    await user.request('PATCH', `store/files/${inner.id}/`, { json: {} }),
    400,
    'name of the file is required',
  );
  refused(t, await user.tryUpload({ name: 'x', bytes: 'x' }, inner.id), 404, INVALID_ID);
});

t.test('a view is a link for some minutes, which shows the file', async (t) => {
  const user = await newUser();
  const file = await user.upload({ name: 'a b#?.txt', bytes: 'look', mime: 'text/plain; charset=utf-8' });
  const link = await user.viewLink(file.id);
  t.ok(link.startsWith(`${http.url}/api/v1/store/views/`));
  t.ok(link.endsWith('/a%20b%23%3F.txt'));
  const shown = await http.request('GET', new URL(link).pathname);
  t.strictSame([shown.status, shown.text()], [200, 'look']);
  t.match(shown.headers, { 'content-disposition': /^inline/, 'x-content-type-options': 'nosniff' });
  const signed = new URL(link).pathname.split('/')[5] ?? '';
  const forged = `${signed.slice(0, -1)}${signed.endsWith('A') ? 'B' : 'A'}`;
  refused(t, await nobody.request('GET', `store/views/${forged}/x`), 401, NO_ACCESS);
  refused(t, await nobody.request('GET', 'store/views/x/x'), 401, NO_ACCESS);
  const evil = await user.upload({ name: 'x.html', bytes: '<script>', mime: 'text/html' });
  const page = await http.request('GET', new URL(await user.viewLink(evil.id)).pathname);
  t.match(page.headers, { 'content-disposition': /^attachment/, 'content-security-policy': /^sandbox/ });
  await user.delete(file);
  refused(t, await http.request('GET', new URL(link).pathname), 404, INVALID_ID, 'and nothing when the file is gone');
  const folder = await user.createFolder('f');
  refused(t, await user.request('GET', `store/files/${folder.id}/view/`), 404, INVALID_ID);
});

t.test('a folder is downloaded as a zip', async (t) => {
  const user = await newUser();
  const top = await user.createFolder('täglich: "x"');
  const empty = await user.createFolder('empty', top.id);
  const deep = await user.createFolder('a', (await user.createFolder('b', top.id)).id);
  const big = someBytes(3_000_000);
  await user.upload({ name: 'big.bin', bytes: big }, deep.id);
  await user.upload({ name: 'b', bytes: 'a file beside a folder' }, top.id);
  await user.upload({ name: 'b between', bytes: '' }, top.id);
  await eachOf(Array.from({ length: 600 }), 32, (_, n) => user.upload({ name: `f${n}`, bytes: `${n}` }, deep.id));
  const reply = await user.download(top.id);
  t.match(reply.headers, {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="t_glich: _x_.zip"; filename*=UTF-8''t%C3%A4glich%3A%20%22x%22.zip`,
  });
  const dir = await mkdtemp(path.join(tmpdir(), 'coffer-zip-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const zip = path.join(dir, 'a.zip');
  await writeFile(zip, reply.body);
  await run('unzip', ['-tqq', zip]);
  const script =
    'import sys,json,zipfile,hashlib\nz=zipfile.ZipFile(sys.argv[1])\nprint(json.dumps({i.filename: hashlib.sha256(z.read(i)).hexdigest() for i in z.infolist()}))';
  const entries: Record<string, string> = JSON.parse((await run('python3', ['-c', script, zip])).stdout);
  const inB = await user.content(top.id);
  const twin = inB.find(({ name, is_folder }) => name === 'b' && is_folder)?.id;
  const base = 'täglich: "x"';
  t.equal(entries[`${base}/b (${twin})/a/big.bin`], sha256(big));
  t.equal(entries[`${base}/b`], sha256('a file beside a folder'));
  t.equal(entries[`${base}/b (${twin})/a/f599`], sha256('599'));
  t.ok(`${base}/${empty.name}/` in entries);
  t.equal(Object.keys(entries).length, 600 + 7);
  const head = await user.request('HEAD', `store/assets/${top.id}/download/`);
  t.strictSame([head.status, head.headers['content-type'], head.body.length], [200, 'application/zip', 0]);
  const root = await user.folder();
  t.match((await user.download(root.id)).headers['content-disposition'], /filename="Ada root.zip"/);
});

t.test('a client that goes away in the midst of a zip leaves a service that goes on', async (t) => {
  const user = await newUser();
  const folder = await user.createFolder('f');
  const bytes = someBytes(4_000_000);
  await eachOf([1, 2, 3, 4], 2, (n) => user.upload({ name: `${n}`, bytes }, folder.id));
  for (let n = 0; n < 5; n++) {
    const headers = { authorization: `Bearer ${user.access}` };
    const { body } = await http.open('GET', `/api/v1/store/assets/${folder.id}/download/`, { headers });
    for await (const _ of body) break;
  }
  t.ok((await user.download(folder.id)).body.length > 16_000_000);
});

t.test('20 MiB stream through', async (t) => {
  const user = await newUser();
  const bytes = someBytes(20 * 1024 * 1024);
  const { body, contentType } = multipart([{ part: 'file', filename: 'big', bytes }]);
  const stream = Readable.from(
    (function* () {
      for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536);
    })(),
    { objectMode: false },
  );
  const reply = await user.request('POST', 'store/files', { body: stream, headers: { 'content-type': contentType } });
  t.equal(reply.status, 201);
  const { id, size } = reply.json<CloudboxAsset>();
  t.equal(size, bytes.length);
  t.equal(sha256((await user.download(id)).body), sha256(bytes));
});

t.test('what does not fit the space is refused, and leaves nothing', { skip: !stack.hasOperator }, async (t) => {
  const user = await newUser();
  const operator = await stack.operator();
  await operator.client.updateAccount(user.id, { limitBytes: 1_000 });
  await user.upload({ name: 'a', bytes: someBytes(600) });
  refused(t, await user.tryUpload({ name: 'b', bytes: someBytes(401) }), 403, NO_SPACE);
  refused(t, await user.tryUpload({ name: 'b', bytes: someBytes(900_000) }), 403, NO_SPACE);
  await user.upload({ name: 'c', bytes: someBytes(400) });
  t.strictSame(namesIn(await user.content()), ['a', 'c']);
});

t.test('the other routes and methods', async (t) => {
  const user = await newUser();
  for (const [method, path, allow] of [
    ['GET', 'auth/login', 'POST'],
    ['DELETE', 'auth/profile', 'GET, HEAD'],
    ['PUT', 'store/folders/', 'GET, HEAD, POST, PATCH, DELETE'],
    ['PUT', `store/files/${UNKNOWN_ID}`, 'GET, HEAD, POST, PATCH, DELETE'],
    ['POST', `store/assets/${UNKNOWN_ID}/access-type/`, 'PATCH'],
  ] as const) {
    const reply = await user.request(method, path, method === 'GET' ? {} : { json: {} });
    refused(t, reply, 405, 'Method not allowed', `${method} ${path}`);
    t.equal(reply.headers.allow, allow);
  }
  refused(t, await user.request('GET', 'nothing/here'), 404, 'There is no such URL');
  refused(t, await user.request('GET', ''), 404, 'There is no such URL');
});

t.test('bad input is refused in the shape of this API', async (t) => {
  const user = await newUser();
  const file = await user.upload({ name: 'f', bytes: 'f' });
  const folder = await user.createFolder('d');
  const json = (body: string): RequestOptions => ({ body, headers: { 'content-type': 'application/json' } });
  const typed = (type: string, body: string | Buffer): RequestOptions => ({ body, headers: { 'content-type': type } });
  const ids = [
    'x',
    '..',
    '%2e%2e%2f',
    "'or 1=1",
    '0',
    'root',
    'undefined',
    `${UNKNOWN_ID}0`,
    UNKNOWN_ID.toUpperCase(),
    UNKNOWN_ID,
    '%00',
    '🎈'.repeat(50),
  ];
  for (const id of ids) {
    for (const [method, path] of [
      ['GET', `store/folders/${encodeURI(id).replaceAll('%25', '%')}/`],
      ['GET', `store/files/${encodeURI(id).replaceAll('%25', '%')}/view/`],
      ['DELETE', `store/files/${encodeURI(id).replaceAll('%25', '%')}/`],
      ['GET', `store/assets/${encodeURI(id).replaceAll('%25', '%')}/download`],
    ] as const) {
      const reply = await user.request(method, path);
      if (id === '..') continue;
      refused(t, reply, 404, INVALID_ID, `${method} ${path}`);
    }
  }
  const names = ['.', '..', 'a/b', '\0', 'x'.repeat(256), '🎈'.repeat(64)];
  for (const name of names) {
    refusedSomehow(t, await user.request('POST', 'store/folders', { json: { name } }), `folder ${name}`);
    refusedSomehow(t, await user.request('PATCH', `store/files/${file.id}`, { json: { name } }), `rename to ${name}`);
  }
  const bodies: [string, RequestOptions][] = [
    ['broken JSON', json('{"name":')],
    ['an array', json('["name"]')],
    ['a number', json('7')],
    ['null', json('null')],
    ['a nested name', json('{"name":{"$ne":1}}')],
    ['no UTF-8', typed('application/json', Buffer.from([0x22, 0xff, 0x22]))],
    ['a prototype', json('{"__proto__":{"name":"x"}}')],
    ['2 MiB of JSON', json(JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) }))],
    ['a form without a boundary', typed('multipart/form-data', 'x')],
    ['a form that is none', typed('multipart/form-data; boundary=x', 'hello')],
    [
      'a form cut off',
      typed('multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nval'),
    ],
    ['a hundred fields', urlencoded(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f${n}`, 'x'])))],
    ['a field of 100 KiB', urlencoded({ name: 'x'.repeat(100 * 1024) })],
    ['an image', typed('image/png', someBytes(100))],
  ];
  for (const [what, options] of bodies) {
    refusedSomehow(t, await user.request('POST', `store/folders/${folder.id}/`, options), `folder: ${what}`);
    refusedSomehow(t, await user.request('POST', `store/files/${folder.id}/`, options), `upload: ${what}`);
    refusedSomehow(t, await user.request('POST', `store/assets/${folder.id}/editors/`, options), `editors: ${what}`);
    refusedSomehow(
      t,
      await user.request('PATCH', `store/assets/${folder.id}/access-type/`, options),
      `access type: ${what}`,
    );
    refusedSomehow(t, await nobody.request('POST', 'auth/register', options), `register: ${what}`);
    refusedSomehow(t, await nobody.request('POST', 'auth/login', options), `login: ${what}`);
  }
  for (const access_type of ['owner', 'EDITOR', '', 'viewer ,editor'])
    refusedSomehow(
      t,
      await user.request('PATCH', `store/assets/${file.id}/access-type`, { json: { access_type } }),
      access_type,
    );
  for (const users of [[], [''], '', ' , ', {}])
    refused(
      t,
      await user.request('POST', `store/assets/${file.id}/viewers`, { json: { users } }),
      400,
      'users list is required',
      JSON.stringify(users),
    );
  for (const authorization of ['x', 'Bearer', 'Bearer ', 'Bearer x y', 'Basic eDp5', 'Bearer eyJhbGciOiJub25lIn0.e30.'])
    refused(
      t,
      await nobody.request('GET', 'store/folders/', { headers: { authorization } }),
      401,
      NO_ACCESS,
      authorization,
    );
  const registration = { first_name: 'A', last_name: 'B', password: 'p' };
  for (const email of [
    'x',
    '@',
    'a@',
    '@b',
    'a b@example.org',
    `${'x'.repeat(300)}@example.org`,
    'a\0@example.org',
    'a@b\n.c',
  ])
    refusedSomehow(
      t,
      await nobody.request('POST', 'auth/register', { json: { ...registration, email } }),
      `e-mail ${email}`,
    );
  const long = { ...registration, email: `${uniqueName()}@example.org` };
  refusedSomehow(
    t,
    await nobody.request('POST', 'auth/register', { json: { ...long, first_name: 'x'.repeat(2_000) } }),
    'a long name',
  );
  refusedSomehow(
    t,
    await nobody.request('POST', 'auth/register', { json: { ...long, password: 'x'.repeat(2_000) } }),
    'a long password',
  );
  t.strictSame(namesIn(await user.content(folder.id)), [], 'and nothing was made');
});

t.test('nothing failed that nobody expected', { skip: stack.local === undefined }, async (t) => {
  const log = await readFile(stack.local?.logFile('gateway') ?? '', 'utf8');
  t.ok(log.includes('cloudbox.download'), 'the log is that of these requests');
  t.strictSame(
    log.split('\n').filter((line) => line.includes('a request failed')),
    [],
  );
});
