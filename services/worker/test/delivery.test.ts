import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EventEnvelope, events } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import { waitFor } from '@coffer/testing';
import PostalMime from 'postal-mime';
import t from 'tap';
import { as, password, startWorld, uniqueName } from './helpers.ts';

t.setTimeout(240_000);

const world = await startWorld(t);
const { post, auth, metadata, queue } = world;
const worker = await world.startWorker();
const LATE = { timeoutMs: 30_000 };

/** As auth publishes it when a password was set by a link. */
const passwordChanged = (accountId: string): EventEnvelope => ({
  id: newId(),
  type: events.passwordReset.type,
  schema: 1,
  at: '2026-11-21T12:34:56.789Z',
  data: { accountId, resetId: newId() },
});
const jobOf = async (event: EventEnvelope, to: string) => await queue.getJob(`${event.id}_${to}`);

t.test('a mail says what happened, to the right person, in a form that mail programs understand', async (t) => {
  const account = await world.register({
    username: `Łódź 日本 ${uniqueName()}`,
    email: `${uniqueName()}@example.org`,
  });
  const event = passwordChanged(account.id);
  await world.publish(event);
  const [mail] = await waitFor('the mail', () => post.mailsTo(String(account.email)).length > 0, LATE).then(() =>
    post.mailsTo(String(account.email)),
  );
  t.match(mail, {
    subject: 'Your password was changed',
    from: { name: 'Coffer', address: 'coffer@files.example' },
    to: [{ address: account.email }],
    sentTo: [account.email],
    messageId: `<${event.id}_${account.id}@files.example>`,
    date: '2026-11-21T12:34:56.000Z',
  });
  t.match(mail?.text, `Hello ${account.username},`);
  t.match(mail?.html, `<p>Hello ${account.username},</p>`);
  t.match(mail?.raw, /^Auto-Submitted: auto-generated\r$/m);
  t.notMatch(mail?.raw, /^X-Mailer/m);
  await waitFor('the job', async () => (await (await jobOf(event, account.id))?.getState()) === 'completed', LATE);
  t.equal((await jobOf(event, account.id))?.returnvalue, 'sent');
});

t.test('the link to set a new password works, and the change is told', async (t) => {
  const account = await world.register();
  const email = String(account.email);
  await auth.call('requestPasswordReset', { body: { email, address: '10.0.0.1' } });
  await waitFor('the mail', () => post.mailsTo(email).length === 1, LATE);
  const { subject, text = '', html = '' } = post.mailsTo(email)[0] ?? {};
  t.equal(subject, 'Set a new password');
  const token = decodeURIComponent(/https:\/\/files\.example\/reset-password\?token=(\S+)/.exec(text)?.[1] ?? '');
  t.ok(text.includes(`\n${token}\n`), 'by itself too, for programs');
  t.ok(html.includes(`<code>${token}</code>`));
  await auth.call('resetPassword', { body: { token, newPassword: 'another long password' } });
  const logIn = (secret: string) =>
    auth.call('createSession', {
      body: { login: account.username, password: secret, address: '10.0.0.1', userAgent: 'tests' },
    });
  t.ok(await logIn('another long password'));
  await t.rejects(logIn(password));
  await waitFor('the second mail', () => post.mailsTo(email).length === 2, LATE);
  t.equal(post.mailsTo(email)[1]?.subject, 'Your password was changed');

  // What was used up meanwhile is not mailed.
  const stale: EventEnvelope = {
    ...passwordChanged(account.id),
    type: events.passwordResetRequested.type,
    data: { accountId: account.id, resetId: newId() },
  };
  await world.publish(stale);
  await waitFor('the job', async () => (await jobOf(stale, account.id))?.returnvalue === 'obsolete', LATE);
  t.equal(post.mailsTo(email).length, 2);
});

t.test('people learn what was shared with them, once, and only where it was asked for', async (t) => {
  const [owner, friend, other, mute] = await Promise.all([
    world.register(),
    world.register(),
    world.register(),
    world.register({ email: null }),
  ]);
  const name = 'Pläne\r\nBcc: thief@example.org\r\n\r\n<b>日本';
  const { node } = await metadata.call('createFolder', { body: { parent: { id: 'root' }, name } }, as(owner));
  const give = (accountIds: string[], notify: boolean) =>
    metadata.call(
      'changeGrants',
      {
        params: { id: node.id },
        body: { give: accountIds.map((accountId) => ({ accountId, role: 'editor' })), take: [], notify },
      },
      as(owner),
    );
  await give([other.id], false);
  await give([friend.id, mute.id], true);
  const email = String(friend.email);
  await waitFor('the mail', () => post.mailsTo(email).length > 0, LATE);
  const mail = post.mailsTo(email)[0];
  t.same(mail?.sentTo, [email], 'a name makes no recipient');
  t.notOk(mail?.headers.some(({ key }) => key === 'bcc'));
  t.equal(mail?.subject, `${owner.username} shared the folder “Pläne Bcc: thief@example.org <b>日本” with you`);
  t.ok(mail?.text?.includes(`https://files.example/v1/nodes/${node.id}\n`));
  t.match(mail?.text, 'You may look at it and change it.');
  t.ok(mail?.html?.includes('&lt;b&gt;日本'));

  await give([friend.id], true);
  await waitFor('the job without an address', async () => {
    const jobs = await queue.getJobs(['completed']);
    return jobs.some((job) => job.data.to === mute.id && job.returnvalue === 'no-address');
  });
  await sleep(500);
  t.equal(post.mailsTo(email).length, 1, 'nothing new for who has it already');
  t.equal(post.mailsTo(String(other.email)).length, 0);
});

t.test('what is no longer theirs to see is not told', async (t) => {
  const [owner, friend] = await Promise.all([world.register(), world.register()]);
  const shared: EventEnvelope = {
    ...passwordChanged(friend.id),
    type: events.nodeShared.type,
    data: {
      nodeId: newId(),
      ownerId: owner.id,
      parentId: null,
      kind: 'file',
      rev: 1,
      by: owner.id,
      accountIds: [friend.id],
      role: 'viewer',
      notify: true,
    },
  };
  await world.publish(shared);
  await waitFor('the job', async () => (await jobOf(shared, friend.id))?.returnvalue === 'obsolete', LATE);
  t.equal(post.mailsTo(String(friend.email)).length, 0);
});

t.test('one mail per cause, however often the event comes, before and after it was sent', async (t) => {
  const account = await world.register();
  const email = String(account.email);
  const event = passwordChanged(account.id);
  // Another worker has not seen the event before, as this one may have forgotten it.
  const second = await world.startWorker();
  await Promise.all(Array.from({ length: 10 }, () => world.publish(event)));
  await waitFor('the mail', () => post.mailsTo(email).length > 0, LATE);
  await waitFor('the job', async () => (await jobOf(event, account.id))?.returnvalue === 'sent', LATE);
  await second.stop();
  const third = await world.startWorker();
  for (let i = 0; i < 10; i++) await world.publish(event);
  const last = passwordChanged(account.id);
  await world.publish(last);
  await waitFor('a later job', async () => (await jobOf(last, account.id))?.returnvalue === 'sent', LATE);
  await third.stop();
  t.equal(post.mailsTo(email).length, 2);
});

t.test('a server that is busy is asked again', async (t) => {
  const account = await world.register();
  const email = String(account.email);
  let refusals = 2;
  post.refuse = (address) => (address === email && refusals-- > 0 ? 451 : undefined);
  await world.publish(passwordChanged(account.id));
  await waitFor('the mail', () => post.mailsTo(email).length > 0, LATE);
  t.equal(post.asked.filter((one) => one === email).length, 3);
  t.equal(post.mailsTo(email).length, 1);
});

t.test('a refusal for good is not asked again, and what failed can be added anew', async (t) => {
  const account = await world.register();
  const email = String(account.email);
  post.refuse = (address) => (address === email ? 550 : undefined);
  const event = passwordChanged(account.id);
  await world.publish(event);
  await waitFor('the job', async () => (await (await jobOf(event, account.id))?.getState()) === 'failed', LATE);
  const job = await jobOf(event, account.id);
  t.equal(job?.attemptsMade, 1);
  t.match(job?.failedReason, /^The mail was not taken: 550 .*EENVELOPE RCPT TO$/);
  await sleep(3_000);
  t.equal(post.asked.filter((one) => one === email).length, 1);
  t.notOk(worker.log().includes(email), 'nor does the log name the person');

  post.refuse = () => undefined;
  const fresh = await world.startWorker();
  await worker.stop();
  t.match(worker.log(), 'a job failed for good');
  await world.publish(event);
  await waitFor('the mail', () => post.mailsTo(email).length === 1, LATE);
  await fresh.stop();
});

t.test('a mail server that does not know us is about the configuration: the mail waits for its repair', async (t) => {
  const account = await world.register();
  const locked = await world.startWorker({ SMTP_URL: post.url.replace('p%40ss', 'wrong') });
  const event = passwordChanged(account.id);
  await world.publish(event);
  await waitFor('an attempt', async () => Number((await jobOf(event, account.id))?.attemptsMade) > 0, LATE);
  const job = await jobOf(event, account.id);
  t.match(job?.failedReason, /^The mail was not taken: 535 .*EAUTH/);
  t.equal(await job?.isFailed(), false);
  await locked.stop();
  const right = await world.startWorker();
  await waitFor('the mail', () => post.mailsTo(String(account.email)).length === 1, LATE);
  await right.stop();
});

t.test('addresses, names and tokens are neither in Redis nor in logs', async (t) => {
  const jobs = await queue.getJobs(['completed', 'failed']);
  t.ok(jobs.length > 5);
  const kept = JSON.stringify(jobs.map((job) => job.toJSON()));
  t.notMatch(kept, /example\.org|Pläne|token/);
  t.notMatch(worker.log(), /example\.org|Pläne|token=/);
});

t.test('without a mail server mails become files, each whole, one per cause', async (t) => {
  const files = await world.startWorker({ SMTP_URL: '' });
  const account = await world.register();
  const event = passwordChanged(account.id);
  await world.publish(event);
  const folder = String(world.env.MAIL_DIR);
  const file = path.join(folder, `${event.id}_${account.id}.eml`);
  await waitFor('the job', async () => (await jobOf(event, account.id))?.returnvalue === 'sent', LATE);
  t.same(readdirSync(folder), [path.basename(file)], 'and nothing half written');
  const mail = await PostalMime.parse(readFileSync(file));
  t.match(mail, { subject: 'Your password was changed', to: [{ address: account.email }] });
  t.equal(statSync(file).mode & 0o777, 0o600, 'it may hold what sets a new password');
  t.equal(statSync(folder).mode & 0o777, 0o700);
  await files.stop();
  t.ok(files.log().includes(file), 'its place is logged');
});
