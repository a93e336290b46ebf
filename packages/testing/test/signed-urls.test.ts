/** Signed URLs: in the name of who signed, for one file and one purpose, for a while, and not after they were revoked. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { newPerson, type Reply, startTestStack } from '../src/index.ts';
import { refused } from './refused.ts';

t.setTimeout(120_000);
const stack = await startTestStack();
t.teardown(() => stack.stop());
const { client } = await newPerson(stack.http);
const nobody = client.as(undefined);

const tokenOf = (url: string): string => new URL(url).pathname.split('/')[3] ?? '';
const get = (url: string, headers: Record<string, string> = {}): Promise<Reply> =>
  nobody.request('GET', new URL(url).pathname, { headers });
const put = (token: string, body: string, headers: Record<string, string> = {}): Promise<Reply> =>
  nobody.request('PUT', `/v1/signed/${token}`, { body, headers });

t.test('a download', async (t) => {
  const file = await client.putFile('märchen.txt', 'once upon a time', { headers: { 'content-type': 'text/plain' } });
  const { url, method, expiresAt } = await client.signUrl(file.id, { expiresInSeconds: 60 });
  t.equal(method, 'GET');
  t.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 60_000) < 5_000);
  t.ok(url.startsWith(`${stack.url}/v1/signed/`) && url.endsWith('/m%C3%A4rchen.txt'));
  const reply = await get(url);
  t.equal(reply.text(), 'once upon a time');
  t.match(reply.headers, { etag: `"${file.etag}"`, 'referrer-policy': 'no-referrer', 'content-type': /^text\/plain/ });
  t.equal((await get(url, { range: 'bytes=0-3' })).text(), 'once');
  t.equal((await nobody.request('HEAD', new URL(url).pathname)).headers['content-length'], '16');
  t.equal((await nobody.request('GET', `/v1/signed/${tokenOf(url)}/any.name`)).status, 200, 'the name is for people');
  await client.replaceContent(file.id, 'new');
  t.equal((await get(url)).text(), 'new', 'it is the file that is signed, not a version');
  await client.updateNode(file.id, { name: 'renamed.txt' });
  t.match((await get(url)).headers['content-disposition'], /renamed\.txt/);
  await client.deleteNode(file.id);
  refused(t, await get(url), 404, 'not_found');
});

t.test('an upload', async (t) => {
  const file = await client.putFile('target.txt', 'old', { headers: { 'content-type': 'text/plain' } });
  const { url, method } = await client.signUrl(file.id, { scope: 'upload', expiresInSeconds: 60 });
  t.equal(method, 'PUT');
  const token = tokenOf(url);
  const reply = await put(token, 'new bytes', { 'content-type': 'text/plain' });
  t.strictSame(Object.keys(reply.json<object>()).sort(), ['etag', 'size'], 'and says no more than that');
  t.equal((await client.download(file.id)).text(), 'new bytes');
  t.equal((await client.versions(file.id)).length, 1);
  refused(t, await put(token, 'x', { 'if-match': '"other"' }), 412, 'precondition_failed');
  refused(
    t,
    await nobody.request('GET', `/v1/signed/${token}/x`),
    401,
    'invalid_token',
    'an upload link does not download',
  );
  const download = await client.signUrl(file.id, { method: 'GET', expiresInSeconds: 60 });
  refused(t, await put(tokenOf(download.url), 'x'), 401, 'invalid_token', 'a download link is never an upload link');
  t.equal((await client.download(file.id)).text(), 'new bytes');
});

t.test('no sign of it can be changed', async (t) => {
  const file = await client.putFile('exact.txt', 'x');
  const token = tokenOf((await client.signUrl(file.id, { expiresInSeconds: 60 })).url);
  for (let n = 0; n < token.length; n += 3) {
    const forged = `${token.slice(0, n)}${token[n] === 'A' ? 'B' : 'A'}${token.slice(n + 1)}`;
    const { status } = await nobody.request('GET', `/v1/signed/${forged}/x`);
    if (status !== 401) t.fail(`${status} for a change at ${n}`);
  }
  for (const bad of [token.slice(1), token.slice(0, -1), `${token}A`, `${token}=`])
    refused(t, await nobody.request('GET', `/v1/signed/${bad}/x`), 401, 'invalid_token');
});

t.test('it ends: by time, by revoking, and with the right of who signed', async (t) => {
  const file = await client.putFile('ends.txt', 'x');
  const soon = await client.signUrl(file.id, { expiresInSeconds: 1 });
  t.equal((await get(soon.url)).status, 200);
  await delay(1_100);
  refused(t, await get(soon.url), 401, 'invalid_token');

  const other = await client.putFile('other.txt', 'x');
  const [one, upload, elsewhere] = await Promise.all([
    client.signUrl(file.id, { expiresInSeconds: 600 }),
    client.signUrl(file.id, { scope: 'upload', expiresInSeconds: 600 }),
    client.signUrl(other.id, { expiresInSeconds: 600 }),
  ]);
  await client.revokeSignedUrls(file.id);
  refused(t, await get(one.url), 410, 'gone');
  refused(t, await put(tokenOf(upload.url), 'y'), 410, 'gone');
  t.equal((await client.download(file.id)).text(), 'x');
  t.equal((await get(elsewhere.url)).status, 200, 'those of other files go on');
  t.equal((await get((await client.signUrl(file.id, { expiresInSeconds: 600 })).url)).status, 200, 'new ones work');

  const { client: helper, account } = await newPerson(stack.http);
  await client.grant(file.id, account.id, 'editor');
  const theirs = await helper.signUrl(file.id, { expiresInSeconds: 600 });
  const theirUpload = await helper.signUrl(file.id, { scope: 'upload', expiresInSeconds: 600 });
  t.equal((await put(tokenOf(theirUpload.url), 'from them')).status, 200);
  await client.grant(file.id, account.id, 'viewer');
  refused(t, await put(tokenOf(theirUpload.url), 'again'), 403, 'forbidden');
  t.equal((await get(theirs.url)).text(), 'from them');
  await client.revoke(file.id, account.id);
  refused(t, await get(theirs.url), 404, 'not_found');
});

t.test('a read-only key signs nothing', async (t) => {
  const file = await client.putFile('key.txt', 'x');
  const key = await client.createKey({ name: 'reader', access: 'read-only' });
  const reader = client.as(`Bearer ${key.id}.${key.secret}`);
  const json = { scope: 'upload', expiresInSeconds: 60 };
  refused(t, await reader.request('POST', `/v1/nodes/${file.id}/signed-url`, { json }), 403, 'read_only');
});
