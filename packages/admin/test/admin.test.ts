/** The program itself, as a terminal runs it, against a whole installation. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, newPerson, PASSWORD, startTestStack, uniqueName } from '@coffer/testing';
import t from 'tap';

const main = path.resolve(import.meta.dirname, '../src/main.ts');
const folder = mkdtempSync(path.join(tmpdir(), 'coffer-admin-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const stack = await startTestStack();
t.teardown(() => stack.stop());
t.setTimeout(300_000);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Way {
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly url?: string | null;
}

/** Runs it with the operator's password in the environment, unless told otherwise. */
async function admin(words: readonly string[], way: Way = {}): Promise<Ended> {
  const { COFFER_ADMIN_TOKEN: _t, COFFER_URL: _u, ...inherited } = process.env;
  const url = way.url === undefined ? stack.url : way.url;
  const env = {
    ...inherited,
    COFFER_STATE_DIR: folder,
    ...(url === null ? {} : { COFFER_URL: url }),
    ...(way.env ?? { ADMIN_USERNAME: 'operator', ADMIN_PASSWORD: PASSWORD }),
  };
  const child: ChildProcess = spawn(process.execPath, [main, ...words], { env, stdio: 'pipe' });
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin?.end(way.input ?? '');
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

const items = (out: string): Record<string, unknown>[] => JSON.parse(out).items;

t.test('an account is found, shut out, let in and limited, by its name', async (t) => {
  const person = await newPerson(stack.http);
  const { id, username } = person.account;
  const found = await admin(['accounts', username]);
  t.equal(found.code, 0, found.err);
  const [head = '', row = '', ...rest] = found.out.trimEnd().split('\n');
  t.match(head, /^ID +USERNAME +EMAIL +ROLE +SUSPENDED +USED +LIMIT +FILES +CREATED AT$/);
  t.strictSame(row.split(/ {2,}/).slice(0, 2), [id, username]);
  t.equal(row.indexOf(username), head.indexOf('USERNAME'), 'aligned');
  t.strictSame(rest, []);
  t.notMatch(found.out, '\u001b', 'no colour where nobody looks');

  t.equal((await admin(['suspend', username])).code, 0);
  const [suspended] = items((await admin(['accounts', username, '--json'])).out);
  t.match(suspended, { id, suspended: true });
  t.equal((await admin(['resume', id])).code, 0);
  const limited = await admin(['limit', username.toUpperCase(), '3MiB', '--json']);
  t.match(JSON.parse(limited.out), { id, suspended: false, usage: { limitBytes: 3 * 1024 * 1024 } });
  t.match((await admin(['account', id])).out, /^usage\.limitBytes +3 MiB$/m);
});

t.test('lists page by page, and whole', async (t) => {
  const mark = uniqueName('pages');
  for (let n = 0; n < 3; n++) {
    const username = `${mark}-${n}`;
    await new Client(stack.http).createAccount({ username, email: `${username}@example.org`, password: PASSWORD });
  }
  const first = await admin(['accounts', mark, '--limit', '2']);
  const [, cursor = ''] = /--cursor (\S+)/.exec(first.err) ?? [];
  t.equal(first.out.trimEnd().split('\n').length, 3);
  const second = await admin(['accounts', mark, '--limit', '2', '--cursor', cursor, '--json']);
  t.equal(items(second.out).length, 1);
  const all = await admin(['accounts', mark, '--limit', '1', '--all', '--json']);
  t.strictSame(
    items(all.out)
      .map((one) => one.username)
      .sort(),
    [0, 1, 2].map((n) => `${mark}-${n}`),
  );
  t.match(await admin(['accounts', uniqueName('nobody')]), { code: 0, out: '', err: 'None\n' });
});

t.test('plans, payments, checks, queues and the audit log', async (t) => {
  const person = await newPerson(stack.http);
  const { id, username } = person.account;
  const plan = await admin(['plan', username, 'basic', '--until', '2099-01-31', '--json']);
  t.match(JSON.parse(plan.out), { status: 'active', plan: { id: 'basic' }, periodEnd: '2099-01-31T00:00:00.000Z' });
  t.match((await admin(['account', username])).out, /^subscription\.plan\.id +basic$/m);
  t.match(await admin(['plan', username, 'nonsense']), { code: 1, err: /not_found/ });

  const { reference } = await person.client.checkout('standard');
  const found = await admin(['payments', '--account', username, '--reference', reference]);
  const [head = '', row = ''] = found.out.split('\n');
  t.match(head, /^ID +REFERENCE +ACCOUNT ID +PROVIDER +PLAN ID +AMOUNT +STATUS /);
  t.match(row, ` ${reference}  ${id}  sandbox `);
  t.match(row, '5000.00 NGN  pending ');
  const [paymentId = ''] = row.split(' ');
  t.match(await admin(['reverse', paymentId, '--reason', 'never paid']), { code: 1, err: /conflict/ });
  t.match(await admin(['payments', '--account', username, '--status', 'success']), { code: 0, err: 'None\n' });

  t.match(await admin(['ledger', 'check']), { code: 0, out: /^isBalanced +yes$/m });
  t.match(await admin(['store', 'check', '--account', username]), { code: 0, out: /^checkedAccounts +1$/m });
  t.match(await admin(['store', 'check']), { code: 0, out: /^isSound +yes$/m });
  t.match(await admin(['usage']), { code: 0, out: /^store\.writable +yes$/m });

  t.match(await admin(['queues']), {
    code: 0,
    out: /^NAME +WAITING +ACTIVE +DELAYED +COMPLETED +FAILED\n(?:.*\n)*mail /,
  });
  t.match(await admin(['jobs', 'mail']), { code: 0 });
  t.match(await admin(['jobs', 'nonsense']), { code: 1, err: /not_found/ });
  for (const deed of ['retry', 'discard']) {
    t.match(await admin(['job', deed, 'mail', 'nothing']), { code: 1, err: /not_found/ }, deed);
  }

  t.match(await admin(['reset', username]), { code: 0, out: 'mailed  yes\n' });
  t.match(await admin(['delete', username, '--yes']), { code: 0, out: `Deleted ${username}\n` });
  t.match(await admin(['account', id]), { code: 1, err: /not_found/ });

  const book = items((await admin(['audit', '--target', id, '--json'])).out);
  t.strictSame(
    book.map(({ action, outcome }) => `${action} ${outcome}`),
    ['admin.deleteAccount ok', 'admin.resetAccount ok', 'admin.setPlan not_found', 'admin.setPlan ok'],
  );
});

t.test('a session of the terminal: kept, used, ended', async (t) => {
  const nothing = { env: {} };
  t.match(await admin(['usage'], nothing), { code: 2, err: /Not logged in/ });
  const login = await admin(['login', '--username', 'operator'], { env: {}, input: `${PASSWORD}\n` });
  t.equal(login.code, 0, login.err);
  const file = path.join(folder, 'operator-session.json');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal((await admin(['accounts', 'operator'], nothing)).code, 0);

  // As if ten minutes had passed; of several at once, one renews it.
  const stored = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...stored, expiresAt: new Date().toISOString() }));
  const together = await Promise.all([1, 2, 3].map(() => admin(['accounts', 'operator'], nothing)));
  t.strictSame(
    together.map(({ code }) => code),
    [0, 0, 0],
  );
  t.not(JSON.parse(readFileSync(file, 'utf8')).refreshToken, stored.refreshToken);

  t.match(await admin(['accounts'], { env: {}, url: 'http://127.0.0.1:9' }), { code: 2 }, 'no other address gets it');
  const { accessToken } = JSON.parse(readFileSync(file, 'utf8'));
  t.match(await admin(['logout'], nothing), { code: 0, err: /Logged out/ });
  t.notOk(existsSync(file));
  t.match(await admin(['usage'], { env: { COFFER_ADMIN_TOKEN: accessToken } }), { code: 1, err: /session_ended/ });
});

t.test('who is refused', async (t) => {
  const person = await newPerson(stack.http);
  const as = (token: string): Way => ({ env: { COFFER_ADMIN_TOKEN: token } });
  const { username } = person.account;
  const refused: readonly [string, string[], Way, Partial<Record<keyof Ended, unknown>>][] = [
    ['a user', ['usage'], as(person.session.accessToken), { code: 1, err: /forbidden/ }],
    ['a bad token', ['usage'], as('nonsense'), { code: 1, err: /invalid_token/ }],
    [
      'a wrong password',
      ['usage'],
      { env: { ADMIN_USERNAME: 'operator', ADMIN_PASSWORD: 'wrong' } },
      { code: 1, err: /invalid_credentials/ },
    ],
    [
      'a user who logs in',
      ['usage'],
      { env: { ADMIN_USERNAME: username, ADMIN_PASSWORD: PASSWORD } },
      { code: 1, err: /not an operator/ },
    ],
    ['an unknown account', ['account', uniqueName('nobody')], {}, { code: 1, err: /not_found/ }],
    ['an unknown id', ['suspend', '0198c0de-0000-7000-8000-000000000001'], {}, { code: 1, err: /not_found/ }],
    ['a part of a name', ['suspend', username.slice(0, -1)], {}, { code: 1, err: /not_found/ }],
    ['a bad cursor', ['accounts', '--cursor', 'x'], {}, { code: 1, err: /invalid_cursor/ }],
    ['an unknown command', ['dance'], {}, { code: 2, err: /Unknown: dance/ }],
    ['a deletion that is not meant', ['delete', username], {}, { code: 2, err: /--yes/ }],
    ['nothing running', ['usage'], { url: null }, { code: 2, err: /npm start/ }],
    ['a closed port', ['usage'], { url: 'http://127.0.0.1:9' }, { code: 3, err: /cannot be reached/ }],
  ];
  for (const [name, words, way, expected] of refused) t.match(await admin(words, way), { out: '', ...expected }, name);
  const sessions = await person.client.sessions();
  t.equal(sessions.items.length, 1, 'a session that was made for nothing is ended');
});

t.test('help needs no server', async (t) => {
  t.match(await admin(['--help'], { url: null }), { code: 0, out: /^Usage: npm run admin/ });
  t.match(await admin(['limit', '--help'], { url: null }), { code: 0, out: /limit ACCOUNT BYTES\|plan/ });
});
