/** The API of session keys and numbered files, as its document has it, by URL alone. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { ImagesClient, VertexClient } from '../../src/dialects/index.ts';
import {
  Client,
  multipart,
  newPerson,
  PASSWORD,
  type Part,
  type Reply,
  type RequestOptions,
  startTestStack,
  tally,
  uniqueName,
} from '../../src/index.ts';
import { PNG } from './pictures.ts';

const stack = await startTestStack();
t.teardown(() => stack.stop());
const { http } = stack;
const emailOf = (username: string): string => `${username}@example.org`;
const PRODUCER = 'DukeeTheProgrammer';
const badKey = (fileName: string) => ({
  status: false,
  message: `Could not create file : -'${fileName}' - due to Invalid Key! #if you need a new key, use this endpoint '/token/' and register a new key or check if you have an existing one.`,
  producer: PRODUCER,
});
const no = (message: string) => ({ status: false, message });
const NOT_FOUND = no('File matching query does not exist.');
const UNKNOWN_KEYS = ['x', 'null', '0', 'x'.repeat(5000), '{"$ne":null}', "' OR 1=1"];

async function newUser(): Promise<VertexClient & { readonly name: string }> {
  const client = new VertexClient(http);
  const name = uniqueName();
  await client.signUp(name, emailOf(name), PASSWORD);
  return Object.assign(client, { name });
}

async function nativeOf(name: string): Promise<Client> {
  return new Client(http, `Bearer ${(await new Client(http).logIn(name, PASSWORD)).accessToken}`);
}

/** The answer is this body, to the byte, with this status. */
function says(
  t: Test,
  reply: Reply,
  body: object,
  about: string = JSON.stringify(body).slice(0, 80),
  status = 200,
): void {
  t.strictSame(
    [reply.status, reply.headers['content-type'], reply.text()],
    [status, 'application/json', JSON.stringify(body)],
    about,
  );
}

const urlencoded = (fields: Record<string, string>): RequestOptions => ({
  body: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
});
const formOf = (parts: readonly Part[]): RequestOptions => {
  const { body, contentType } = multipart(parts);
  return { body, headers: { 'content-type': contentType } };
};
const fieldForm = (fields: Record<string, string>): RequestOptions =>
  formOf(Object.entries(fields).map(([part, bytes]) => ({ part, bytes })));
const WAYS: Record<string, (fields: Record<string, string>) => RequestOptions> = {
  JSON: (json) => ({ json }),
  urlencoded,
  multipart: fieldForm,
  'JSON without a type': (fields) => ({ body: JSON.stringify(fields) }),
};
const fileForm = (name: string, bytes: Buffer | string, key: string, mime?: string): RequestOptions =>
  formOf([
    { part: 'file', filename: name, bytes, ...(mime !== undefined && { mime }) },
    { part: 'key', bytes: key },
  ]);
const both = (url: string): string[] => [url, url.replace(/\/(?=\?|$)/, '')];

async function eventually(check: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await check()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

t.test('health to programs, a page to browsers', async (t) => {
  const health = {
    status: true,
    'request method': 'GET',
    message: 'Api is Running Correctly!',
    runtime: 'Active',
    producer: PRODUCER,
  };
  says(t, await http.request('GET', '/'), health);
  says(t, await http.request('GET', '/', { headers: { accept: '*/*' } }), health);
  const page = await http.request('GET', '/', { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
  t.match(page.headers['content-type'], /^text\/html/);
  t.equal((await http.request('HEAD', '/')).status, 200);
});

t.test('signup, however its fields are sent', async (t) => {
  for (const [way, options] of Object.entries(WAYS)) {
    for (const url of both('/signup/')) {
      const username = uniqueName('New');
      const reply = await http.request('POST', url, options({ username, email: emailOf(username), password: 'x' }));
      const key = reply.json<Record<string, string>>()['your session key'] ?? '';
      t.ok(key.length >= 32, `${way} ${url}`);
      const message = `New User ${username} has been created successfully`;
      says(t, reply, { status: true, session: true, session_name: 'current_user', message, 'your session key': key });
      says(t, await http.request('POST', '/get/files/', { json: { key } }), {
        ...no('No file is available under this User'),
        authorization: 'user-token',
      });
    }
  }
  const { name } = await newUser();
  const other = uniqueName();
  const signUp = (fields: object) =>
    http.request('POST', '/signup/', { json: { username: other, email: emailOf(other), password: 'x', ...fields } });
  says(t, await signUp({ username: name }), no('Username already Exists'));
  says(t, await signUp({ username: name.toUpperCase() }), no('Username already Exists'));
  says(t, await signUp({ email: emailOf(name) }), no('Email Already Exists'));
  const wrong = [
    { username: '' },
    { email: null },
    { password: '' },
    { email: 'x' },
    { username: 'a:b' },
    { username: 'x'.repeat(65) },
    { password: 'x'.repeat(1025) },
    { email: `${'x'.repeat(300)}@y.example` },
    { username: { a: 1 } },
  ];
  for (const fields of wrong)
    says(t, await signUp(fields), no('User details is invalid'), JSON.stringify(fields).slice(0, 60));
  t.equal((await signUp({})).json<{ status: boolean }>().status, true, 'none of them took the name');
});

t.test('login gives a new key, token the living one', async (t) => {
  const user = await newUser();
  const credentials = { username: user.name, password: PASSWORD };
  const keys = new Set([user.key]);
  for (const [way, options] of Object.entries(WAYS)) {
    for (const url of both('/login/')) {
      const reply = await http.request('POST', url, options(credentials));
      const { session_key } = reply.json<{ session_key: string }>();
      const rest = { session: true, session_name: 'current_user', logged_in: true, user: user.name, session_key };
      says(t, reply, { status: true, ...rest }, `${way} ${url}`);
      keys.add(session_key);
    }
  }
  t.equal(keys.size, 9, 'each has a key of its own');
  for (const key of keys) t.strictSame(await new VertexClient(http, key).files(), {}, 'and all of them live');

  for (const [way, options] of Object.entries(WAYS)) {
    for (const url of both('/token/')) {
      const reply = await http.request('POST', url, options(credentials));
      const { key } = reply.json<{ key: string }>();
      t.ok(keys.has(key));
      says(t, reply, { status: true, message: 'Your Existing Key is still available', key }, `${way} ${url}`);
    }
  }
  const person = await newPerson(http);
  const username = person.account.username;
  const first = await http.request('POST', '/token/', { json: { username, password: PASSWORD } });
  const { key } = first.json<{ details: { key: string } }>().details;
  says(t, first, { status: true, message: 'A new key has been created for you', details: { user: username, key } });
  const again = await http.request('POST', '/token/', { json: { username, password: PASSWORD } });
  says(t, again, { status: true, message: 'Your Existing Key is still available', key });
  t.equal(
    await new VertexClient(http).token(emailOf(user.name), PASSWORD).then((one) => keys.has(one)),
    true,
    'by e-mail',
  );

  const severe = { ...no('A severe Error Occured. Could not log you in. Try again'), current_user_status: false };
  const wrong = [
    { username, password: 'wrong' },
    { username: uniqueName(), password: 'x' },
    { username },
    { password: 'x' },
    {},
    { username: 'x'.repeat(300), password: 'x' },
    { username, password: 'x'.repeat(2000) },
    { username: { $ne: null }, password: { $ne: null } },
  ];
  for (const json of wrong) {
    says(t, await http.request('POST', '/login/', { json }), severe);
    says(t, await http.request('POST', '/token/', { json }), no('Invalid username or password!'));
  }
});

t.test('create/file: the file first or last, kept under its name', async (t) => {
  const user = await newUser();
  const created = (file_type: string, filename: string, size: number) => ({
    status: true,
    message: 'File Created Successfully! and has been saved.',
    file_type,
    filename,
    size,
  });
  const create = (options: RequestOptions, url = '/create/file/') => http.request('POST', url, options);
  says(
    t,
    await create(fileForm('my_picture.jpg', 'not really', user.key, 'image/jpeg')),
    created('image/jpeg', 'my_picture.jpg', 10),
  );
  const keyFirst = formOf([
    { part: 'key', bytes: user.key },
    { part: 'file', filename: 'b.txt', bytes: 'abc', mime: 'text/plain' },
  ]);
  says(t, await create(keyFirst, '/create/file'), created('text/plain', 'b.txt', 3));
  says(
    t,
    await create(fileForm('c.png', PNG, user.key)),
    created('image/png', 'c.png', PNG.length),
    'a type that nobody stated',
  );
  says(
    t,
    await create(fileForm('b.txt', 'other', user.key)),
    created('text/plain', 'b (1).txt', 5),
    'a name that is taken',
  );
  says(
    t,
    await create(fileForm('/home/me/d.txt', '', user.key, 'text/plain')),
    created('text/plain', 'd.txt', 0),
    'with its path, and empty',
  );
  says(t, await create(fileForm('C:\\me\\e.txt', 'x', user.key, 'text/plain')), created('text/plain', 'e.txt', 1));
  says(t, await create(fileForm('日本 ☁️.txt', 'x', user.key, 'text/plain')), created('text/plain', '日本 ☁️.txt', 1));
  const named = formOf([
    { part: 'key', filename: 'key', bytes: user.key },
    { part: 'file', filename: 'f.txt', bytes: 'x', mime: 'text/plain' },
  ]);
  says(t, await create(named), created('text/plain', 'f.txt', 1), 'every part with a file name');
  says(
    t,
    await create(
      formOf([{ part: 'file', filename: 'q.txt', bytes: 'x', mime: 'text/plain' }]),
      `/create/file/?key=${user.key}`,
    ),
    created('text/plain', 'q.txt', 1),
    'the key in the query',
  );
  const count = Object.keys(await user.files()).length;
  t.equal(count, 9);

  for (const key of [...UNKNOWN_KEYS, '']) {
    says(t, await create(fileForm('filename.ext', 'x', key)), badKey('filename.ext'), `${key.slice(0, 20)} last`);
    const first = formOf([
      { part: 'key', bytes: key },
      { part: 'file', filename: 'filename.ext', bytes: 'x' },
    ]);
    says(t, await create(first), badKey('filename.ext'), `${key.slice(0, 20)} first`);
  }
  says(
    t,
    await create(formOf([{ part: 'file', filename: 'filename.ext', bytes: 'x' }])),
    badKey('filename.ext'),
    'no key',
  );
  says(t, await create(urlencoded({ key: 'x' })), badKey(''), 'neither file nor key');
  const nothing = { ...no("Could not create file : -'' - due to No file was sent!"), producer: PRODUCER };
  says(t, await create(urlencoded({ key: user.key })), nothing, 'no form');
  says(t, await create({ json: { key: user.key, file: 'text' } }), nothing, 'JSON');
  says(t, await create(fieldForm({ key: user.key, picture: 'x' })), nothing, 'no part named file');
  for (const name of ['', '..', '.', 'x'.repeat(300), 'a/']) {
    const { status, message } = (await create(fileForm(name, 'x', user.key))).json<{
      status: boolean;
      message: string;
    }>();
    t.equal(status, false, name.slice(0, 10));
    t.match(message, /^Could not create file : -'/);
  }
  t.equal(Object.keys(await user.files()).length, count, 'nothing of them was kept');
});

t.test('get/files and get/file', async (t) => {
  const user = await newUser();
  const native = await nativeOf(user.name);
  await user.createFile('document.pdf', 'pdf', 'application/pdf');
  await user.createFile('10', 'ten', 'text/plain');
  await user.createFile('__proto__', 'odd', 'text/plain');
  await user.createFile(`a 'b' é.txt`, 'x', 'text/plain');
  await native.putFile('deep/er/document.pdf', 'another', { headers: { 'content-type': 'application/pdf' } });
  await native.putFile('deep/er/only.txt', 'one', { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  const reply = await http.request('POST', '/get/files/', { json: { key: user.key } });
  const { file } = reply.json<{
    file: Record<string, { id: number; url: string; type: string; size: number; created_at: string }>;
  }>();
  const entries = [
    ...reply
      .text()
      .matchAll(
        /("(?:[^"\\]|\\.)*"):\{"id":(\d+),"url":("[^"]*"),"type":("[^"]*"),"size":(\d+),"created_at":("[^"]*")\}/g,
      ),
  ];
  const rebuilt = entries.map(([whole]) => whole).join(',');
  t.equal(reply.text(), `{"file":{${rebuilt}}}`, 'as documented, key order included');
  t.strictSame(
    entries.map(([, key = '', , , type = '', size]) => [JSON.parse(key), JSON.parse(type), Number(size)]),
    [
      ['document.pdf', 'application/pdf', 3],
      ['10', 'text/plain', 3],
      ['__proto__', 'text/plain', 3],
      [`a 'b' é.txt`, 'text/plain', 1],
      ['deep/er/document.pdf', 'application/pdf', 7],
      ['only.txt', 'text/plain', 3],
    ],
    'by name, and by path where a name is there twice',
  );
  for (const [, key = '', id, url = '""', , , at = '""'] of entries) {
    t.match(JSON.parse(at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.match(JSON.parse(url), /^\/media\/[\w-]{40,}\//);
    t.ok(JSON.parse(url).endsWith(`/${encodeURIComponent(String(JSON.parse(key)).split('/').at(-1) ?? '')}`));
    t.equal((await http.request('GET', JSON.parse(url))).status, 200);
    for (const path of both('/get/file/?')) {
      const one = await http.request('GET', `${path}id=${id}&token=${user.key}`);
      t.equal(Object.values(one.json<{ file: Record<string, { id: number }> }>().file)[0]?.id, Number(id));
    }
  }
  for (const [way, options] of Object.entries(WAYS)) {
    for (const url of both('/get/files/')) {
      t.equal((await http.request('POST', url, options({ key: user.key }))).text(), reply.text(), `${way} ${url}`);
    }
  }
  const pdf = file['document.pdf'];
  says(t, await http.request('GET', `/get/file/?id=${pdf?.id}&token=${user.key}`), { file: { 'document.pdf': pdf } });

  const unknown = no('Invalid Key entered For this user. You can use /token/ endpoint to create a new key');
  for (const key of UNKNOWN_KEYS) {
    says(t, await http.request('POST', '/get/files/', { json: { key } }), unknown);
    says(
      t,
      await http.request('GET', '/get/file/', { query: { id: pdf?.id, token: key } }),
      no("Invalid Token Key. you can visit '/token/' for a new token key or get your existing ones"),
    );
  }
  says(t, await http.request('POST', '/get/files/'), unknown, 'no key');
  const forgot = no('Invalid Token or Did you forget to add your token to your parameters?');
  says(t, await http.request('GET', `/get/file/?id=${pdf?.id}`), forgot);
  says(t, await http.request('GET', `/get/file/?id=${pdf?.id}&token=`), forgot);
  const stranger = await newUser();
  says(t, await http.request('GET', `/get/file/?id=${pdf?.id}&token=${stranger.key}`), NOT_FOUND, "another's");
  for (const id of [
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    'x',
    '0x1',
    '999999999',
    '9'.repeat(30),
    '%00',
    "1'--",
    `${pdf?.id} `,
    '１',
  ]) {
    says(t, await http.request('GET', `/get/file/?token=${user.key}&id=${encodeURI(id)}`), NOT_FOUND, `id ${id}`);
  }
  says(t, await http.request('GET', `/get/file/?token=${user.key}`), NOT_FOUND, 'no id');
});

t.test('what others share is not among the files of an account', async (t) => {
  const [owner, friend] = [await newUser(), await newUser()];
  const native = await nativeOf(owner.name);
  await owner.createFile('a.txt', 'hello', 'text/plain');
  const { id = 0 } = (await owner.files())['a.txt'] ?? {};
  const [node] = (await native.children('root')).items;
  const shared = await native.request('PATCH', `/v1/nodes/${node?.id}`, { json: { generalAccess: 'editor' } });
  t.equal(shared.status, 200);
  says(t, await http.request('GET', `/get/file/?id=${id}&token=${friend.key}`), NOT_FOUND);
  const gone = no('Could not delete file due to File not exists or invalid id given');
  says(t, await http.request('GET', `/delete/file/?id=${id}&key=${friend.key}`), gone);
  t.strictSame(await friend.files(), {});
  t.equal((await owner.file(id)).name, 'a.txt');
});

t.test('url, for whoever has it, as long as the file is there', async (t) => {
  const user = await newUser();
  const native = await nativeOf(user.name);
  await user.createFile('a.txt', 'hello', 'text/plain');
  await user.createFile('page.html', '<script>alert(1)</script>', 'text/html');
  const { 'a.txt': file, 'page.html': page } = await user.files();
  const url = file?.url ?? '';
  const shown = await http.request('GET', url);
  t.strictSame(
    [shown.status, shown.text(), shown.headers['content-type']?.split(';')[0]],
    [200, 'hello', 'text/plain'],
  );
  t.equal((await http.request('HEAD', url)).headers['content-length'], '5');
  t.equal((await http.request('GET', url, { headers: { range: 'bytes=1-2' } })).text(), 'el');
  const html = await http.request('GET', page?.url ?? '');
  t.match(html.headers, {
    'content-security-policy': /^sandbox/,
    'x-content-type-options': 'nosniff',
    'content-disposition': /^attachment/,
  });

  const [, , proof = ''] = url.split('/');
  const other = await newUser();
  await other.createFile('b.txt', 'other', 'text/plain');
  const [, , otherProof = ''] = ((await other.files())['b.txt']?.url ?? '').split('/');
  const flipped = `${proof.slice(0, 5)}${proof[5] === 'A' ? 'B' : 'A'}${proof.slice(6)}`;
  const mixed = proof.slice(0, 40) + otherProof.slice(40);
  for (const forged of ['x', flipped, mixed, `${proof}A`, proof.slice(0, -1), encodeURIComponent('../..')]) {
    says(t, await http.request('GET', `/media/${forged}/a.txt`), NOT_FOUND, forged.slice(0, 20), 404);
  }
  const { items } = await native.children('root');
  const id = items.find(({ name }) => name === 'a.txt')?.id ?? '';
  await native.updateNode(id, { name: 'renamed.txt' });
  t.equal((await http.request('GET', url)).text(), 'hello', 'under another name');
  await native.deleteNode(id);
  says(t, await http.request('GET', url), NOT_FOUND, 'in the trash', 404);
  says(t, await http.request('GET', `/get/file/?id=${file?.id}&token=${user.key}`), NOT_FOUND);
  await native.restore(id);
  t.equal((await http.request('GET', url)).status, 200);
  await user.deleteFile(file?.id ?? 0);
  says(t, await http.request('GET', url), NOT_FOUND, 'deleted', 404);
  t.equal((await native.request('GET', `/v1/nodes/${id}`)).status, 404, 'gone for all');
});

t.test('delete/file', async (t) => {
  const user = await newUser();
  await user.createFile('a.txt', 'hello');
  await user.createFile('b.txt', 'hello');
  const [a, b] = Object.values(await user.files());
  const remove = (query: RequestOptions['query'] & object, url = '/delete/file/') =>
    http.request('GET', url, { query });
  says(t, await remove({ id: a?.id }), no('Route is locked due to No login credentials Found. Login to contnue'));
  says(
    t,
    await remove({ id: a?.id, key: '' }),
    no('Route is locked due to No login credentials Found. Login to contnue'),
  );
  for (const key of UNKNOWN_KEYS) says(t, await remove({ id: a?.id, key }), no('Invalid Token Key.'));
  const gone = no('Could not delete file due to File not exists or invalid id given');
  const stranger = await newUser();
  says(t, await remove({ id: a?.id, key: stranger.key }), gone, "another's");
  for (const id of [undefined, '', '0', '-1', 'x', '1.0', '9'.repeat(30)])
    says(t, await remove({ id, key: user.key }), gone, `${id}`);
  const deleted = (id: number | undefined) => ({
    status: true,
    message: `File with id : '${id}' has been deleted`,
    authorization: 'user-token',
  });
  says(t, await remove({ id: a?.id, key: user.key }), deleted(a?.id));
  says(t, await remove({ id: a?.id, key: user.key }), gone, 'twice');
  says(t, await remove({ id: b?.id, key: user.key }, '/delete/file'), deleted(b?.id));
  t.strictSame(await user.files(), {});
  const native = await nativeOf(user.name);
  t.equal(await eventually(async () => (await native.usage()).usedBytes === 0), true, 'the space is free again');
  t.strictSame((await native.trash()).items, []);
});

t.test('clear/session', async (t) => {
  const user = await newUser();
  const missing = no('A token is required to access this Endpoint');
  const message = `User : ${user.name} sessions has been Flushed and Now logged out.`;
  const calls: ((key: string, url: string) => Promise<Reply>)[] = [
    (key, url) => http.request('GET', url, { query: { key } }),
    (key, url) => http.request('POST', url, { json: { key } }),
    (key, url) => http.request('POST', url, urlencoded({ key })),
    (key, url) => http.request('POST', url, fieldForm({ key })),
    (key, url) => http.request('GET', url, { json: { key } }),
  ];
  for (const call of calls) {
    for (const url of both('/clear/session/')) {
      const living = await newKey(user);
      says(t, await call('', url), missing);
      says(t, await call('unknown', url), no('Invalid token Key'));
      says(t, await call(living.key, url), { status: true, message });
      const dead = await eventually(
        async () => (await call(living.key, url)).text() === JSON.stringify(no('Invalid token Key')),
      );
      t.ok(dead, 'the key is dead');
    }
  }
  t.strictSame(await user.files(), {}, 'others of the account live');
  await user.clearSession();
  const fresh = await http.request('POST', '/token/', { json: { username: user.name, password: PASSWORD } });
  t.match(fresh.json(), { message: 'A new key has been created for you', details: { user: user.name } });
});

async function newKey(user: { name: string }): Promise<VertexClient> {
  const client = new VertexClient(http);
  await client.logIn(user.name, PASSWORD);
  return client;
}

t.test('delete/user', async (t) => {
  const calls: ((fields: Record<string, string>, url: string) => Promise<Reply>)[] = [
    (query, url) => http.request('GET', url, { query }),
    (json, url) => http.request('POST', url, { json }),
    (fields, url) => http.request('POST', url, urlencoded(fields)),
  ];
  for (const [n, call] of calls.entries()) {
    const url = both('/delete/user/')[n % 2] ?? '';
    const user = await newUser();
    await user.createFile('a.txt', 'hello', 'text/plain');
    const { url: media = '' } = (await user.files())['a.txt'] ?? {};
    const { key } = user;
    says(
      t,
      await call({ password: PASSWORD }, url),
      no('You are not authorized to access this route, you must first be logged in'),
    );
    says(t, await call({ key: 'unknown', password: PASSWORD }, url), no('Invalid Key Credential'));
    says(t, await call({ key, password: 'wrong' }, url), no('Invalid User Credentials'));
    says(t, await call({ key, password: 'x'.repeat(3000) }, url), no('Invalid User Credentials'));
    says(t, await call({ key }, url), no('User details is invalid'));
    const message = 'User has been Deleted Successfully and all corresponding sessions has been flushed';
    says(t, await call({ key, password: PASSWORD }, url), { status: true, message });
    const unknown = no('Invalid Key entered For this user. You can use /token/ endpoint to create a new key');
    const dead = () => http.request('POST', '/get/files/', { json: { key } });
    t.ok(await eventually(async () => (await dead()).text() === JSON.stringify(unknown)), 'the key died with it');
    t.ok(await eventually(async () => (await http.request('GET', media)).status === 404), 'and the file');
    await t.rejects(user.logIn(user.name, PASSWORD));
    await new VertexClient(http).signUp(user.name, emailOf(user.name), PASSWORD);
  }
});

t.test('other methods get 405, JSON and Allow', async (t) => {
  const allowed: Record<string, string> = {
    '/': 'GET, HEAD',
    '/signup/': 'POST',
    '/login/': 'POST',
    '/token/': 'POST',
    '/create/file/': 'POST',
    '/get/files/': 'POST',
    '/get/file/': 'GET, HEAD',
    '/delete/file/': 'GET',
    '/clear/session/': 'GET, POST',
    '/delete/user/': 'GET, POST',
  };
  for (const [url, allow] of Object.entries(allowed)) {
    for (const path of url === '/' ? ['/'] : both(url)) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !allow.includes(one))) {
        const reply = await http.request(method, path, { body: 'key=x' });
        says(t, reply, no('Method Not Allowed'), `${method} ${path}`, 405);
        t.equal(reply.headers.allow, allow, `${method} ${path}`);
      }
    }
  }
  const user = await newUser();
  await user.createFile('a.txt', 'x');
  const [file] = Object.values(await user.files());
  t.equal(
    (await http.request('HEAD', `/delete/file/?id=${file?.id}&key=${user.key}`)).status,
    405,
    'HEAD deletes nothing',
  );
  t.equal((await http.request('HEAD', `/clear/session/?key=${user.key}`)).status, 405);
  t.equal(Object.keys(await user.files()).length, 1);
});

t.test('bad input gets this API’s own shape, and is no fault of the service', async (t) => {
  const { key } = await newUser();
  const typed = (body: string | Buffer, type: string): RequestOptions => ({ body, headers: { 'content-type': type } });
  const json = (body: string) => typed(body, 'application/json');
  const bodies: RequestOptions[] = [
    json('{'),
    json('[]'),
    json('null'),
    json('1'),
    json('"x"'),
    json(''),
    json('{"key":{"$gt":""},"username":{},"password":[]}'),
    json(`{"key":"${'x'.repeat(70_000)}"}`),
    json('x'.repeat(1_100_000)),
    json('{"key":"\\ud800"}'),
    typed(Buffer.from([0x7b, 0xff, 0xfe]), 'application/json'),
    typed('%%%=%%%&key', 'application/x-www-form-urlencoded'),
    typed(Buffer.from([0xff, 0xfe]), 'application/x-www-form-urlencoded'),
    typed(Array.from({ length: 500 }, (_, n) => `f${n}=1`).join('&'), 'application/x-www-form-urlencoded'),
    typed('--x\r\n', 'multipart/form-data; boundary=y'),
    typed('--x\r\n', 'multipart/form-data'),
    typed(
      '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
      'multipart/form-data; boundary=x',
    ),
    typed('<a/>', 'text/xml'),
    typed('\u0000', 'text/plain'),
  ];
  for (const url of [
    '/signup/',
    '/login/',
    '/token/',
    '/create/file/',
    '/get/files/',
    '/clear/session/',
    '/delete/user/',
  ]) {
    for (const [n, options] of bodies.entries()) {
      const reply = await http.request('POST', url, options);
      const about = `${url} ${n}: ${reply.status} ${reply.text().slice(0, 100)}`;
      const body = reply.json<{ status: boolean; message: string }>();
      const isOwn =
        reply.headers['content-type'] === 'application/json' &&
        body.status === false &&
        typeof body.message === 'string';
      t.ok(reply.status < 500 && isOwn, about);
    }
  }
  t.equal((await http.request('GET', `/get/file/?id=1&id=2&token=${key}&token=x`)).status, 200);
  t.equal((await http.request('GET', `/get/file/?id[]=1&token[$ne]=x`)).status, 200);
});

t.test('a hundred want one name, or one address: one gets it', async (t) => {
  const signUp = (username: string, email: string) =>
    http.request('POST', '/signup/', { json: { username, email, password: 'x' } });
  const hundred = Array.from({ length: 100 }, (_, n) => n);
  const messages = async (replies: Promise<Reply>[]) =>
    tally((await Promise.all(replies)).map((reply) => reply.json<{ message: string }>().message));
  const name = uniqueName();
  t.strictSame(await messages(hundred.map((n) => signUp(name, `${n}.${emailOf(name)}`))), {
    [`New User ${name} has been created successfully`]: 1,
    'Username already Exists': 99,
  });
  const email = emailOf(uniqueName());
  const byEmail = await messages(hundred.map(() => signUp(uniqueName(), email)));
  t.equal(byEmail['Email Already Exists'], 99);
});

t.test('a hundred uploads at once, numbered by fifty at once: one number each', async (t) => {
  const user = await newUser();
  await Promise.all(Array.from({ length: 100 }, (_, n) => user.createFile('same.txt', `${n}`, 'text/plain')));
  const listings = await Promise.all(Array.from({ length: 50 }, () => user.files()));
  const [first = {}] = listings;
  t.equal(Object.keys(first).length, 100);
  t.equal(new Set(Object.values(first).map(({ id }) => id)).size, 100);
  for (const listing of listings) if (JSON.stringify(listing) !== JSON.stringify(first)) t.fail('the listings differ');
  const { id = 0 } = first['same.txt'] ?? {};
  const deletions = await Promise.all(
    Array.from({ length: 20 }, () => http.request('GET', `/delete/file/?id=${id}&key=${user.key}`)),
  );
  t.strictSame(tally(deletions.map((reply) => `${reply.json<{ status: boolean }>().status}`)), { true: 1, false: 19 });
});

t.test('20 MiB as they come', async (t) => {
  const user = await newUser();
  const bytes = randomBytes(20 * 1024 * 1024);
  const { body, headers = {} } = fileForm('large.bin', bytes, user.key);
  const reply = await http.request('POST', '/create/file/', { body: Readable.from(slices(body as Buffer)), headers });
  t.match(reply.json(), { filename: 'large.bin', size: bytes.length });
  t.ok((await http.request('GET', (await user.files())['large.bin']?.url ?? '')).body.equals(bytes));
});

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

t.test('keys of other doors are none here; quota and suspension', async (t) => {
  const person = await newPerson(http);
  const { username } = person.account;
  const other = await new ImagesClient(http).logIn(username, PASSWORD);
  for (const key of [other, person.session.accessToken, person.session.refreshToken]) {
    says(
      t,
      await http.request('POST', '/get/files/', { json: { key } }),
      no('Invalid Key entered For this user. You can use /token/ endpoint to create a new key'),
    );
  }
  const user = new VertexClient(http);
  await user.logIn(username, PASSWORD);
  await user.createFile('a.txt', 'hello');
  t.match(await person.client.usage(), { usedBytes: 5, files: 1 });
  if (!stack.hasOperator) return;
  const { client } = await stack.operator();
  await client.updateAccount(person.account.id, { limitBytes: 10 });
  const full = {
    ...no("Could not create file : -'b.txt' - due to Not enough space in the account"),
    producer: PRODUCER,
  };
  for (const bytes of ['six...', Buffer.alloc(200_000)]) {
    says(t, await http.request('POST', '/create/file/', fileForm('b.txt', bytes, user.key)), full, 'the key last');
    const first = formOf([
      { part: 'key', bytes: user.key },
      { part: 'file', filename: 'b.txt', bytes },
    ]);
    says(t, await http.request('POST', '/create/file/', first), full, 'the key first');
  }
  t.match(await person.client.usage(), { usedBytes: 5, files: 1 });
  await client.updateAccount(person.account.id, { suspended: true });
  const shutOut = JSON.stringify(no('User credentail is not valid for this Operation'));
  const list = () => http.request('POST', '/get/files/', { json: { key: user.key } });
  t.ok(await eventually(async () => (await list()).text() === shutOut), 'suspended');
  says(t, await http.request('GET', `/delete/file/?id=1&key=${user.key}`), no('Invalid Token key'));
  says(t, await http.request('GET', `/delete/user/?key=${user.key}&password=x`), no('User details is invalid'));
  says(
    t,
    await http.request('POST', '/token/', { json: { username, password: PASSWORD } }),
    no('Invalid username or password!'),
  );
});

t.test('the document’s curl commands, as written but for host and file', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-curl-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const image = path.join(folder, 'image.jpg');
  writeFileSync(image, PNG);
  const name = uniqueName('testuser');
  const run = async (command: string): Promise<Record<string, unknown>> => {
    const line = command
      .replaceAll('http://127.0.0.1:8000', http.url)
      .replaceAll('/path/to/your/image.jpg', image)
      .replaceAll('testuser', name)
      .replaceAll('test@example.com', emailOf(name));
    const { stdout } = await promisify(execFile)('sh', ['-c', line.replace(/^curl /, 'curl -sS ')]);
    return JSON.parse(stdout);
  };
  t.match(
    await run(`curl -X POST http://127.0.0.1:8000/signup/ \\
-d "username=testuser" \\
-d "email=test@example.com" \\
-d "password=MySecurePass123"`),
    { status: true, message: `New User ${name} has been created successfully`, 'your session key': String },
  );
  const { session_key } = await run(`curl -X POST http://127.0.0.1:8000/login/ \\
-d "username=testuser" \\
-d "password=MySecurePass123"`);
  const key = String(session_key);
  t.strictSame(
    await run(
      `curl -X POST -F "file=@/path/to/your/image.jpg" \\
-F "key=your_session_key" \\
http://127.0.0.1:8000/create/file/`.replace('your_session_key', key),
    ),
    {
      status: true,
      message: 'File Created Successfully! and has been saved.',
      file_type: 'image/jpeg',
      filename: 'image.jpg',
      size: PNG.length,
    },
  );
  const { file } = await run(
    `curl -X POST http://127.0.0.1:8000/get/files/ \\
-d "key=your_session_key"`.replace('your_session_key', key),
  );
  const { 'image.jpg': listed } = file as Record<string, { id: number }>;
  t.match(listed, { id: Number, url: /^\/media\/.*\/image\.jpg$/, type: 'image/jpeg', size: PNG.length });
  const id = String(listed?.id);
  t.strictSame(
    await run(
      `curl -X GET "http://127.0.0.1:8000/delete/file/?id=1&key=your_session_key"`
        .replace('id=1', `id=${id}`)
        .replace('your_session_key', key),
    ),
    { status: true, message: `File with id : '${id}' has been deleted`, authorization: 'user-token' },
  );
});
