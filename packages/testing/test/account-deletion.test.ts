/** An account that is deleted, whichever way, is shut at once on every side, and all that was its own goes. */
import t, { type Test } from 'tap';
import {
  type Client,
  logIn,
  newPerson,
  PASSWORD,
  type Person,
  startTestStack,
  VertexClient,
  waitFor,
} from '../src/index.ts';
import { type Door, doorsOf, type Inside } from './dialects/doors.ts';
import { refused } from './refused.ts';

t.setTimeout(300_000);
const stack = await startTestStack();
t.teardown(() => stack.stop());
const doors = doorsOf(stack.http);

/** An access token, a key or a session of a deleted account is refused by every gateway within this time. */
const WITHIN_MS = 1_000;
/** For what is removed in the background, also after a crash. */
const EVENTUALLY_MS = 60_000;

const ways: Readonly<Record<string, (person: Person) => Promise<void>>> = {
  'by oneself': ({ client }) => client.deleteMe(PASSWORD),
  'through vertex': async ({ account }) => {
    const client = new VertexClient(stack.http);
    await client.logIn(account.username, PASSWORD);
    await client.deleteUser(PASSWORD);
  },
  'by an operator': async ({ account }) => (await stack.operator()).client.deleteAccount(account.id),
};

/** Somebody with something of everything, and what others have of theirs. */
async function somebody() {
  const person = await newPerson(stack.http);
  const friend = await newPerson(stack.http);
  const { client, account } = person;
  const folder = await client.createFolder('root', 'folder');
  const file = await client.putChild(folder.id, 'file.txt', 'bytes');
  await client.putChild(folder.id, 'file.txt', 'newer bytes');
  const trashed = await client.putFile('trashed.txt', 'old');
  await client.deleteNode(trashed.id);
  await client.grant(folder.id, friend.account.id, 'editor');
  const theirs = await friend.client.putChild(folder.id, 'by the friend.txt', 'theirs');
  const own = await friend.client.putFile('own.txt', 'own');
  await friend.client.grant(own.id, account.id, 'viewer');
  const { token } = await client.createLink(file.id, { role: 'viewer' });
  const key = await client.createKey({ name: 'k', access: 'full' });
  // A deployment may sell nothing.
  const payment = stack.local === undefined ? undefined : await client.checkout('basic');
  return {
    person,
    payment,
    friend: friend.client,
    others: [await logIn(stack.http, account, PASSWORD)],
    keyed: client.as(`Bearer ${key.id}.${key.secret}`),
    inside: await enterAll(person),
    folder,
    shared: [folder.id, file.id, theirs.id],
    own,
    token,
  };
}

const enter = async (door: Door, { account }: Person): Promise<Inside> =>
  await door.enter({
    login: door.name === 'cloudbox' ? (account.email ?? '') : account.username,
    password: PASSWORD,
  });
const enterAll = async (person: Person) =>
  await Promise.all(doors.map(async (door) => ({ door, inside: await enter(door, person) })));

const statusOf = async (client: Client, path: string): Promise<number> => (await client.request('GET', path)).status;
const gone = async (what: string, client: Client, path: string, statuses: readonly number[], timeoutMs: number) =>
  await waitFor(what, async () => statuses.includes(await statusOf(client, path)), { timeoutMs, everyMs: 20 });

/** Nothing opens it any more. */
async function isShut(t: Test, { person, others, keyed, inside }: Awaited<ReturnType<typeof somebody>>) {
  const { client, account, session } = person;
  const nobody = client.as(undefined);
  for (const login of [account.username, account.email ?? '']) {
    const json = { login, password: PASSWORD };
    refused(t, await nobody.request('POST', '/v1/sessions', { json }), 401, 'invalid_credentials', 'no log-in');
  }
  const renewal = { json: { refreshToken: session.refreshToken } };
  t.equal((await nobody.request('POST', '/v1/sessions/refresh', renewal)).status, 401, 'no renewal');
  for (const one of [client, keyed, ...others.map((other) => other.client)])
    t.ok(await gone('the credentials', one, '/v1/usage', [401], WITHIN_MS));
  t.ok(await gone('the key', keyed, '/v1/nodes/root', [401], WITHIN_MS));
  for (const { door, inside: held } of inside) {
    t.notOk(await lets(door, person), `${door.name} lets nobody in`);
    await waitFor(`the session of ${door.name}`, () => shows(held).then((isOpen) => !isOpen), { timeoutMs: WITHIN_MS });
  }
}

/** Some doors refuse a log-in by an answer, not by an error: what comes of it shows nothing then. */
async function lets(door: Door, person: Person): Promise<boolean> {
  const inside = await enter(door, person).catch(() => undefined);
  return inside !== undefined && (await shows(inside));
}

async function shows(inside: Inside): Promise<boolean> {
  try {
    return (await inside.contents()).length > 0;
  } catch {
    // Each door says in its own way that it is shut; what counts is that it shows nothing.
    return false;
  }
}

/** Nothing of it is left to anyone. */
async function isCleared(t: Test, { friend, shared, own, token, person }: Awaited<ReturnType<typeof somebody>>) {
  for (const id of shared)
    for (const path of [`/v1/nodes/${id}`, `/v1/nodes/${id}/content`])
      t.ok(await gone(`${path} for a friend`, friend, path, [404], EVENTUALLY_MS));
  t.ok(await gone('the link', friend.as(undefined), `/v1/links/${token}`, [404, 410], EVENTUALLY_MS));
  t.same((await friend.shared()).items, [], 'nothing is shared with the friend any more');
  t.equal((await friend.download(own.id)).text(), 'own', 'what is the friend’s own stays');
  const access = await friend.access(own.id);
  t.notOk(access.grants.some(({ account }) => account.username === person.account.username));

  const { account } = person;
  const body = { username: account.username, email: account.email ?? '', password: PASSWORD };
  const heir = await friend.as(undefined).createAccount(body);
  t.not(heir.id, account.id, 'the names are free');
  const { client } = await logIn(stack.http, heir, PASSWORD);
  t.equal((await client.usage()).usedBytes, 0);
  t.same((await client.children('root')).items, []);
}

/** What operators see: no account, and payments of nobody. */
async function isForgotten(t: Test, { person, payment }: Awaited<ReturnType<typeof somebody>>) {
  const { client: operator } = await stack.operator();
  const { id } = person.account;
  refused(t, await operator.request('GET', `/v1/admin/accounts/${id}`), 404, 'not_found');
  t.same((await operator.findAccounts(id)).items, []);
  if (payment === undefined) return;
  type Payments = { items: { id: string; accountId: string | null; amountMinor: number }[] };
  const found = async (query: string) =>
    (await operator.request('GET', `/v1/admin/payments?${query}`)).json<Payments>().items;
  await waitFor('the payment to be nobody’s', async () => (await found(`accountId=${id}`)).length === 0);
  const { amountMinor } = payment;
  t.match(await found(`reference=${payment.reference}`), [{ id: payment.id, accountId: null, amountMinor }]);
}

for (const [name, remove] of Object.entries(ways)) {
  const skip = stack.hasOperator || name !== 'by an operator' ? false : 'no operator is known';
  t.test(`deleted ${name}`, { skip }, async (t) => {
    const scene = await somebody();
    for (const { door, inside } of scene.inside)
      if (door.name !== 'images') t.ok(await shows(inside), `${door.name} shows something before`);
    await remove(scene.person);
    await isShut(t, scene);
    await isCleared(t, scene);
    if (stack.hasOperator) await isForgotten(t, scene);
  });
}

t.test('who may not', async (t) => {
  const { client, account } = await newPerson(stack.http);
  const key = await client.createKey({ name: 'k', access: 'full' });
  const wrong = { json: { password: 'not the password' } };
  refused(t, await client.request('DELETE', '/v1/me', wrong), 401, 'invalid_credentials');
  refused(t, await client.request('DELETE', '/v1/me'), 400, 'invalid_body');
  const keyed = client.as(`Bearer ${key.id}.${key.secret}`);
  refused(t, await keyed.request('DELETE', '/v1/me', { json: { password: PASSWORD } }), 403, 'forbidden');
  const nobody = client.as(undefined);
  refused(t, await nobody.request('DELETE', '/v1/me', { json: { password: PASSWORD } }), 401, 'unauthorized');
  if (stack.hasOperator) {
    const { client: operator, password } = await stack.operator();
    refused(t, await operator.request('DELETE', '/v1/me', { json: { password } }), 403, 'forbidden');
  }
  t.equal((await client.me()).id, account.id, 'it is still there');
});

t.test('services killed in between', { skip: stack.local ? false : 'not ours to kill' }, async (t) => {
  const { local } = stack;
  for (const remove of Object.values(ways)) {
    const scene = await somebody();
    const kill = (name: string) => local?.kill(name, 'SIGKILL') ?? [];
    // The tree's service hears nothing of it, and the accounts' has no time to tell.
    t.ok(kill('metadata').length > 0);
    await remove(scene.person);
    t.ok(kill('auth').length > 0);
    t.ok(kill('payment').length > 0);
    // Where it has come back already, once more.
    kill('metadata');
    await waitFor('auth to be back', async () => (await statusOf(scene.friend, '/v1/me')) === 200, {
      timeoutMs: EVENTUALLY_MS,
    });
    await isShut(t, scene);
    await isCleared(t, scene);
  }
});
