import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { newPerson, startTestStack, waitFor } from '../src/index.ts';

t.setTimeout(180_000);

const skip = process.env.COFFER_URL ? 'the mails of a deployment by URL are not ours to see' : false;

t.test('whoever is given something is told by mail, with a link to where the gateway listens', { skip }, async (t) => {
  const stack = await startTestStack({ env: { SMTP_URL: '' } });
  t.teardown(() => stack.stop());
  const { local } = stack;
  const mailDir = local?.mailDir;
  if (mailDir === undefined) throw new Error('the stack writes no mails');
  t.equal(path.dirname(mailDir), local?.stateDir);
  const [owner, friend] = await Promise.all([newPerson(stack.http), newPerson(stack.http)]);
  const folder = await owner.client.createFolder('root', 'Pläne');
  await owner.client.grant(folder.id, friend.account.id, 'viewer', { notify: true });
  const file = await waitFor('the mail', () => readdirSync(mailDir).find((name) => name.endsWith('.eml')), {
    timeoutMs: 30_000,
  });
  const mail = readFileSync(path.join(mailDir, file), 'utf8');
  t.match(mail, new RegExp(`^To: ${friend.account.email}\r$`, 'm'));
  // Soft line breaks of quoted-printable (RFC 2045, 6.7).
  t.ok(mail.replaceAll('=\r\n', '').includes(`${stack.url}/v1/nodes/${folder.id}`), 'the link');
  const node = await friend.client.node(folder.id);
  t.equal(node.name, 'Pläne', 'and it leads there');
});
