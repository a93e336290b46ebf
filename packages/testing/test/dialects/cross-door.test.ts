import t, { type Test } from 'tap';
import { Client, newPerson, startTestStack } from '../../src/index.ts';
import { type Door, doorsOf, type Inside, newPicture } from './doors.ts';

t.setTimeout(300_000);

const stack = await startTestStack();
t.teardown(() => stack.stop());
const doors = doorsOf(stack.http);
/** They put files at the top, where the pictures' door does not look. */
const NOT_AMONG_PICTURES = new Set(['vertex', 'minobject']);

const has = async (inside: Inside, bytes: Buffer): Promise<boolean> =>
  (await inside.contents()).some((content) => content.equals(bytes));

/** Uploads by one, and looks, and deletes, by the other. */
async function passThrough(t: Test, from: [Door, Inside], to: [Door, Inside]): Promise<void> {
  const [[door, here], [other, there]] = [from, to];
  const bytes = newPicture();
  const reply = await here.tryUpload(`from-${door.name}-to-${other.name}.png`, bytes);
  t.ok(door.uploaded(reply), `uploaded by ${door.name}: ${reply.status} ${reply.text().slice(0, 200)}`);
  t.ok(await has(here, bytes), `${door.name} lists what it took`);
  const isListed = !(other.name === 'images' && NOT_AMONG_PICTURES.has(door.name));
  t.equal(await has(there, bytes), isListed, `${other.name} ${isListed ? 'finds' : 'has no place for'} it`);
  if (there.remove !== undefined && isListed) await there.remove(bytes);
  else await here.remove?.(bytes);
  const isGone = there.remove !== undefined || here.remove !== undefined;
  t.equal(await has(here, bytes), !isGone, `gone for ${door.name}`);
  t.equal(await has(there, bytes), !isGone, `gone for ${other.name}`);
}

for (const first of doors) {
  for (const second of doors) {
    if (first === second) continue;
    t.test(`an account made at ${first.name} is one at ${second.name}`, async (t) => {
      const credentials = await first.register();
      const [here, there] = await Promise.all([first.enter(credentials), second.enter(credentials)]);
      t.strictSame(await there.contents(), [], 'nothing in it yet');
      await passThrough(t, [first, here], [second, there]);
      await passThrough(t, [second, there], [first, here]);
    });
  }
}

t.test('a wrong password opens none of the doors', async (t) => {
  const { account } = await newPerson(stack.http);
  for (const door of doors) {
    const entered = await door.enter({ login: account.username, password: 'not the one' }).then(
      async (inside) => door.uploaded(await inside.tryUpload('x.png', newPicture())),
      () => false,
    );
    t.notOk(entered, door.name);
  }
});

t.test('a name taken at one door is taken at all', async (t) => {
  const { http } = stack;
  const { account } = await newPerson(http);
  const { username: login, email } = account;
  if (email === null) throw new Error('who was made natively has an address');
  const password = 'another one';
  const pair = { access_key_id: 'AKIAEXAMPLEONE', secret_access_key: 'secret' };
  const post = (path: string, json: unknown) => http.request('POST', path, { json });
  const native = new Client(http);
  t.equal(
    (
      await native.request('POST', '/v1/accounts', { json: { username: login, email: 'x@example.org', password } })
    ).problem().code,
    'username_taken',
  );
  t.strictSame((await post('/api/sign_up', { login, password, ...pair })).json(), { login: 'Login busy' });
  t.match((await post('/api/registration', { login, email: 'y@example.org', password })).json(), {
    status_code: 409,
    message: `Login ${login} already exists`,
  });
  t.match((await post('/api/registration', { login: `${login}x`, email, password })).json(), {
    status_code: 409,
    message: `Email ${email} already exists`,
  });
  t.strictSame((await post('/signup/', { username: login, email: 'z@example.org', password })).json(), {
    status: false,
    message: 'Username already Exists',
  });
  t.strictSame((await post('/signup/', { username: `${login}x`, email, password })).json(), {
    status: false,
    message: 'Email Already Exists',
  });
  t.strictSame((await post('/users/register', { username: login, password })).json(), { error: 'User exists' });
  const cloudbox = await post('/api/v1/auth/register', { first_name: 'A', last_name: 'B', email, password });
  t.ok(cloudbox.status >= 400 && cloudbox.status < 500, cloudbox.text());
});

t.test(
  'all doors use up one quota, and each says so in its own words',
  { skip: stack.hasOperator ? false : 'no operator is known here' },
  async (t) => {
    const operator = await stack.operator();
    const person = await newPerson(stack.http);
    const credentials = { login: person.account.username, password: person.password };
    await operator.client.updateAccount(person.account.id, { limitBytes: 60_000 });
    let usedBytes = 0;
    for (const door of doors) {
      const inside = await door.enter(credentials);
      const bytes = newPicture(5_000);
      t.ok(door.uploaded(await inside.tryUpload(`by-${door.name}.png`, bytes)), door.name);
      usedBytes += bytes.length;
      t.equal((await person.client.usage()).usedBytes, usedBytes);
    }
    const refusals: Record<string, unknown> = {
      native: { code: 'quota_exceeded' },
      cloudrest: { status_code: 507 },
      images: { status_code: 507 },
      vertex: { status: false },
      cloudbox: { error: "You're do not have enough space to upload this asset" },
      minobject: { error: String },
    };
    for (const door of doors) {
      const inside = await door.enter(credentials);
      const reply = await inside.tryUpload(`too-large-by-${door.name}.png`, newPicture(50_000));
      t.notOk(door.uploaded(reply), `${door.name} refuses`);
      t.match(reply.json(), refusals[door.name] ?? {}, reply.text());
    }
    t.equal((await person.client.usage()).usedBytes, usedBytes, 'nothing is left of what was refused');
  },
);
