import { type EventEnvelope, events } from '@coffer/contracts';
import { newId } from '@coffer/service-kit';
import t from 'tap';
import { shown } from '../src/domain/compose.ts';
import { passwordChangedMail, passwordResetMail, sharedMail } from '../src/domain/mails.ts';
import { type MailCause, mailJobsFor } from '../src/events/mail-causes.ts';
import { mailJobId, priorityOf } from '../src/queues/mail.ts';

const eventOf = (cause: MailCause, data: unknown, schema = 1): EventEnvelope => ({
  id: newId(),
  type: events[cause].type,
  schema,
  at: '2026-11-21T12:34:56.789Z',
  data,
});
const sharedWith = (accountIds: string[], notify: boolean, by = newId()) => ({
  nodeId: newId(),
  ownerId: newId(),
  parentId: null,
  kind: 'folder',
  rev: 3,
  by,
  accountIds,
  role: 'viewer',
  notify,
});

t.test('an event asks for one mail per person, and names nobody', async (t) => {
  const reset = { accountId: newId(), resetId: newId() };
  const common = { version: 1, at: '2026-11-21T12:34:56.789Z', to: reset.accountId };
  t.same(mailJobsFor('passwordResetRequested', eventOf('passwordResetRequested', reset)), [
    { ...common, kind: 'password-reset', resetId: reset.resetId },
  ]);
  t.same(mailJobsFor('passwordReset', eventOf('passwordReset', reset)), [{ ...common, kind: 'password-changed' }]);
  const [a, b, by] = [newId(), newId(), newId()];
  const shared = sharedWith([a, b, a, by], true, by);
  t.same(mailJobsFor('nodeShared', eventOf('nodeShared', shared)), [
    { ...common, kind: 'shared', to: a, nodeId: shared.nodeId, by },
    { ...common, kind: 'shared', to: b, nodeId: shared.nodeId, by },
  ]);
  t.same(mailJobsFor('nodeShared', eventOf('nodeShared', sharedWith([a], false))), [], 'only where asked for');
  const traced = { ...eventOf('passwordReset', reset), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  t.equal(mailJobsFor('passwordReset', traced)?.[0]?.traceparent, traced.traceparent);
});

t.test('what is not as its schema says is told from what asks for nothing', async (t) => {
  t.equal(mailJobsFor('passwordReset', eventOf('passwordReset', { accountId: 'x', resetId: newId() })), undefined);
  t.equal(
    mailJobsFor('passwordReset', eventOf('passwordReset', { accountId: newId(), resetId: newId() }, 2)),
    undefined,
  );
  t.equal(mailJobsFor('nodeShared', eventOf('nodeShared', null)), undefined);
});

t.test('ids are the same for the same cause, and such as BullMQ and file systems take', async (t) => {
  const event = { id: newId() };
  const to = newId();
  t.equal(mailJobId(event, to), mailJobId({ ...event }, to));
  t.not(mailJobId(event, to), mailJobId(event, newId()));
  t.match(mailJobId(event, to), /^[0-9a-f-]+_[0-9a-f-]+$/);
});

t.test('people who wait come first', async (t) => {
  const common = { version: 1, at: '', to: newId() };
  // BullMQ takes jobs without a priority before all others, and then the lowest number.
  t.equal(priorityOf({ ...common, kind: 'password-reset', resetId: newId() }), undefined);
  const changed = priorityOf({ ...common, kind: 'password-changed' });
  const shared = priorityOf({ ...common, kind: 'shared', nodeId: newId(), by: newId() });
  t.ok(changed !== undefined && shared !== undefined && changed > 0 && changed < shared);
});

const names = {
  'line breaks': ['a\r\nBcc: x@example.org\r\n\r\nbody', 'a Bcc: x@example.org body'],
  'Unicode line breaks': ['a\u2028b\u0085c\u2029d', 'a b c d'],
  'NUL and escape': ['a\u0000\u001b[31mb', 'a [31mb'],
  'turned direction': ['invoice\u202efdp.exe\u2066x', 'invoicefdp.exex'],
  'half a surrogate pair': ['a\ud83d', 'a\ufffd'],
  'spaces around': ['  a  ', 'a'],
  'other scripts': ['Łódź 日本 🗂️', 'Łódź 日本 🗂️'],
} as const;
for (const [what, [name, line]] of Object.entries(names)) {
  t.test(`names with ${what} stay one line of a subject`, async (t) => {
    t.equal(shown(name), line);
    const node = { name, kind: 'file', role: 'viewer', nodeId: newId() } as const;
    const { subject } = sharedMail({ username: 'ada', by: name, ...node, publicUrl: 'https://c.example' });
    t.equal(subject, `${line} shared the file “${line}” with you`);
  });
}
t.test('long names are cut between letters', async (t) => {
  t.equal(shown('🗂'.repeat(300)), `${'🗂'.repeat(199)}…`);
  t.equal(shown('x'.repeat(200)), 'x'.repeat(200));
});

t.test('names are no markup', async (t) => {
  const name = `<img src=x onerror="alert('1')">&`;
  const { html, text } = sharedMail({
    username: name,
    by: name,
    name,
    kind: 'folder',
    role: 'editor',
    nodeId: newId(),
    publicUrl: 'https://c.example/',
  });
  t.notMatch(html, /<img/);
  t.match(html, '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;');
  t.match(text, name, 'and as they are in plain text');
});

t.test('mails say what happened, with links that begin as the installation is reached', async (t) => {
  const token = 'r1.abc+/=';
  const publicUrl = 'https://files.example/coffer/';
  const reset = passwordResetMail({ username: 'ada', publicUrl, token, expiresAt: new Date('2026-11-21T13:34:56Z') });
  const link = 'https://files.example/coffer/reset-password?token=r1.abc%2B%2F%3D';
  for (const part of [link, `\n${token}\n`, '2026-11-21 13:34 UTC', 'ada']) t.ok(reset.text.includes(part), part);
  t.ok(reset.html.includes(`<a href="${link}">`));
  const changed = passwordChangedMail({ username: 'ada', publicUrl, at: new Date('2026-11-21T12:34:56Z') });
  t.match(changed.text, '2026-11-21 12:34 UTC');
  const nodeId = newId();
  const node = { name: 'Plans', kind: 'folder', nodeId } as const;
  const asViewer = sharedMail({ username: 'ada', by: 'bob', ...node, role: 'viewer', publicUrl });
  t.match(asViewer.text, 'bob shared the folder “Plans” with you. You may look at it.\n');
  t.ok(asViewer.text.includes(`https://files.example/coffer/v1/nodes/${nodeId}\n`));
  t.match(sharedMail({ username: 'ada', by: 'bob', ...node, role: 'editor', publicUrl }).text, 'and change it');
});
