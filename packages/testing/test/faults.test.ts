/**
 * Writers at work while services and engines are killed at random. Afterwards: what was acknowledged reads back whole, what was not is
 * whole or not there, and usage is what a full recount says. FAULT_SECONDS sets how long (25).
 */
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  type Client,
  eachOf,
  everyItem,
  logIn,
  newPerson,
  PASSWORD,
  type Person,
  type Reply,
  sha256,
  someBytes,
  startTestStack,
  waitFor,
  walk,
} from '../src/index.ts';

const seconds = Number(process.env.FAULT_SECONDS ?? 25);
const WRITERS = 32;
const ACCOUNTS = 4;
const VICTIMS = ['gateway', 'auth', 'metadata', 'blob', 'payment', 'worker', 'mongodb', 'nats', 'redis'] as const;
const EVERY_MS = 3_000;
const RECOVERY_MS = 90_000;
const RENEW_EVERY_MS = 120_000;
/** Beyond it an answer counts as failed. */
const PATIENCE_MS = 20_000;

/** What the writer of one file knows of it. What was sent and not answered may take effect at any later time, or never. */
interface Written {
  /** Hash of what was acknowledged last; undefined before the first and after an acknowledged deletion. */
  acknowledged?: string;
  /** Hashes of what was sent without an answer. */
  readonly unanswered: Set<string>;
  perhapsDeleted: boolean;
  /** Acknowledged, and yet not there when it was to be deleted. */
  lost: boolean;
}

const skip = process.env.COFFER_URL ? 'a deployment by URL is not ours to kill' : false;

t.test('writes under kills', { skip, timeout: (seconds + 300) * 1000 }, async (t) => {
  const stack = await startTestStack({ ownEngines: true });
  t.teardown(() => stack.stop());
  const { local } = stack;
  if (local === undefined) throw new Error('the stack is not ours');
  let people = await Promise.all(Array.from({ length: ACCOUNTS }, () => newPerson(stack.http)));
  const books = people.map(() => new Map<string, Written>());

  const stop = new AbortController();
  const counts = { acknowledged: 0, failed: 0, kills: 0 };
  const clientOf = (writer: number): Client => people[writer % ACCOUNTS]?.client ?? ((): never => fail('no account'))();
  const write = async (writer: number): Promise<void> => {
    const book = books[writer % ACCOUNTS] ?? fail('no book');
    for (let n = 0; !stop.signal.aborted; n++) {
      const client = clientOf(writer);
      // Each writer has its files to itself: what it knows of them is not blurred by another's. Some are written again and again.
      const isRemoval = n % 11 === 10;
      const file = isRemoval ? n - 1 : n;
      const name = `w${writer}/f${file % 5 === 0 ? 'again' : file}`;
      const written = book.get(name) ?? { unanswered: new Set(), perhapsDeleted: false, lost: false };
      book.set(name, written);
      if (await (isRemoval ? remove(client, name, written) : put(client, name, written))) counts.acknowledged++;
      else {
        counts.failed++;
        await delay(50);
      }
    }
  };

  // Access tokens live for minutes, a long run longer.
  const renewing = (async () => {
    while (!stop.signal.aborted) {
      await delay(RENEW_EVERY_MS, undefined, { signal: stop.signal }).catch(() => {});
      const renewed = await Promise.allSettled(people.map(({ account }) => logIn(stack.http, account, PASSWORD)));
      people = people.map((person, index) => {
        const one = renewed[index];
        return one?.status === 'fulfilled' ? one.value : person;
      });
    }
  })();
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
  const until = performance.now() + seconds * 1000;
  const killed: string[] = [];
  for (let n = 0; performance.now() < until; n++) {
    await delay(EVERY_MS * (0.5 + Math.random()));
    // Every one of them once, then by chance.
    const victim =
      VICTIMS[n < VICTIMS.length ? (n * 4 + 4) % VICTIMS.length : Math.floor(Math.random() * VICTIMS.length)];
    if (victim === undefined) continue;
    killed.push(victim);
    counts.kills += local.kill(victim, 'SIGKILL').length > 0 ? 1 : 0;
  }
  stop.abort();
  await Promise.all([...writers, renewing]);
  t.comment(`${counts.acknowledged} acknowledged, ${counts.failed} failed, killed: ${killed.join(', ')}`);
  t.ok(counts.kills >= Math.min(5, seconds / 6), `${counts.kills} kills hit a process`);
  t.ok(counts.acknowledged > 100, `${counts.acknowledged} acknowledged`);

  await waitFor('the product to be well', () => isWell(people[0]), { timeoutMs: RECOVERY_MS, everyMs: 500 });
  people = await Promise.all(people.map(({ account }) => logIn(stack.http, account, PASSWORD)));
  for (const [index, { client }] of people.entries()) await judge(t, client, books[index] ?? fail('no book'));
  for (const { client } of people) await judgeUsage(t, client);
});

function fail(message: string): never {
  throw new Error(message);
}

/** The answer, if one came. */
async function attempt(work: () => Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

async function put(client: Client, name: string, written: Written): Promise<boolean> {
  const bytes = someBytes(Math.random() < 0.1 ? 200_000 : 2_000);
  const hash = sha256(bytes);
  written.unanswered.add(hash);
  const reply = await attempt(() =>
    client.request('PUT', `/v1/files/${name}`, { body: bytes, timeoutMs: PATIENCE_MS }),
  );
  if (reply?.status !== 200 && reply?.status !== 201) return false;
  written.acknowledged = hash;
  written.unanswered.delete(hash);
  return true;
}

async function remove(client: Client, name: string, written: Written): Promise<boolean> {
  const query = Math.random() < 0.5 ? { permanent: true } : {};
  const reply = await attempt(() => client.request('DELETE', `/v1/files/${name}`, { query, timeoutMs: PATIENCE_MS }));
  const { acknowledged, perhapsDeleted } = written;
  if (reply?.status === 404 && acknowledged !== undefined && !perhapsDeleted) written.lost = true;
  if (reply?.status !== 204 && reply?.status !== 404) {
    written.perhapsDeleted = true;
    return false;
  }
  delete written.acknowledged;
  return true;
}

async function isWell(person: Person | undefined): Promise<boolean> {
  if (person === undefined) return false;
  const ready = await person.client.request('GET', '/readyz', { timeoutMs: 3_000 });
  if (ready.status !== 200) return false;
  const again = await logIn(person.client.http, person.account, PASSWORD);
  await again.client.putFile('well', someBytes(10));
  return (await again.client.getFile('well')).body.length === 10;
}

/** Every file of the book against what is stored, and everything stored against the book. */
async function judge(t: Test, client: Client, book: Map<string, Written>): Promise<void> {
  const wrong: string[] = [];
  await eachOf([...book], 16, async ([name, { acknowledged, unanswered, perhapsDeleted, lost }]) => {
    if (lost) wrong.push(`${name} was acknowledged and could not be deleted: it was gone`);
    const reply = await client.request('GET', `/v1/files/${name}`);
    if (reply.status === 404) {
      if (acknowledged !== undefined && !perhapsDeleted) wrong.push(`${name} was acknowledged and is gone`);
      return;
    }
    const hash = sha256(reply.body);
    if (reply.status !== 200) wrong.push(`${name} answers ${reply.status} ${reply.text().slice(0, 200)}`);
    else if (hash !== acknowledged && !unanswered.has(hash))
      wrong.push(`${name} has other bytes than were acknowledged`);
    else if (reply.headers.etag !== `"${hash.slice(0, 32)}"`) wrong.push(`${name} has another ETag than its bytes`);
  });
  t.strictSame(wrong, [], `${book.size} files are whole, as acknowledged, or were never`);
  const strangers = [];
  for await (const { node, path } of walk(client)) {
    if (node.kind === 'file' && path !== '/well' && !book.has(path.slice(1))) strangers.push(path);
  }
  t.strictSame(strangers, [], 'nothing is there that nobody wrote');
}

/** Usage against a sum over everything that can be seen. What is in the trash is taken out first: there its versions cannot be seen. */
async function judgeUsage(t: Test, client: Client): Promise<void> {
  const { trashBytes } = await client.usage();
  let seenBytes = 0;
  const trashed: string[] = [];
  for await (const node of everyItem((cursor) => client.trash(cursor === undefined ? {} : { cursor }))) {
    seenBytes += node.size ?? 0;
    trashed.push(node.id);
  }
  t.ok(trashBytes >= seenBytes, `${trashBytes} bytes in the trash, ${seenBytes} of them seen`);
  await eachOf(trashed, 16, (id) => client.restore(id));
  // A write that a kill cut off is settled in the background, and a permanent deletion gives back there.
  await waitFor(
    'usage to be what is there',
    async () => (await client.usage()).usedBytes === (await recount(client)).usedBytes,
    {
      timeoutMs: RECOVERY_MS,
      everyMs: 2_000,
    },
  ).catch((error: Error) => t.comment(error.message));
  const { usedBytes, files, versionBytes, trashBytes: left } = await client.usage();
  t.strictSame(
    { usedBytes, versionBytes, files, trashBytes: left },
    { ...(await recount(client)), trashBytes: 0 },
    'usage is what a full recount says',
  );
}

async function recount(client: Client): Promise<{ usedBytes: number; versionBytes: number; files: number }> {
  const files: string[] = [];
  let liveBytes = 0;
  for await (const { node } of walk(client)) {
    if (node.kind !== 'file') continue;
    files.push(node.id);
    liveBytes += node.size ?? 0;
  }
  const sizes = await eachOf(files, 16, async (id) => (await client.versions(id)).map(({ size }) => size));
  const versionBytes = sizes.flat().reduce((sum, size) => sum + size, 0);
  return { usedBytes: liveBytes + versionBytes, versionBytes, files: files.length };
}
