import { events, type Link, NOBODY, type NodeRecord, type Principal } from '@coffer/contracts';
import { isAppError, newId } from '@coffer/service-kit';
import t from 'tap';
import { removeAccount } from '../src/operations/removal.ts';
import { bench, codeOf, content, Person, type Service, until } from './helpers.ts';

t.setTimeout(300_000);

type Settings = { password?: string; expiresAt?: string; maxDownloads?: number; note?: string };
const soon = (ms: number): string => new Date(Date.now() + ms).toISOString();

async function share(by: Person, nodeId: string, settings: Settings = {}, role: 'viewer' | 'dropbox' = 'viewer') {
  return await by.call('createLink', { params: { id: nodeId }, body: { role, ...settings } });
}

const open = (service: Service, token: string, password?: string, address = '192.0.2.1') =>
  service.client.call(
    'openLink',
    { body: { token, address, ...(password === undefined ? {} : { password }) } },
    { timeoutMs: 60_000 },
  );

/** Whoever came by that link, as the gateway names them. */
function comer(services: Service | Service[], { id: linkId, nodeId, role }: Link): Person {
  return new Person(services, { ...NOBODY, link: { linkId, nodeId, role } } satisfies Principal);
}

async function heard(service: Service): Promise<{ linkId: string; nodeId: string }[]> {
  const seen: { linkId: string; nodeId: string }[] = [];
  const { type } = events.linkRevoked;
  service.ctx.bus.consume({
    durable: `heard-${newId()}`,
    subject: type,
    handler: async ({ data }) => {
      seen.push(data as { linkId: string; nodeId: string }); // Published by this service under the type of this event.
    },
  });
  return seen;
}

t.test('a link is made, listed, changed, opened and revoked by who may share', async (t) => {
  const place = await bench(t);
  const service = await place.start({ bus: 'nats' });
  const revoked = await heard(service);
  const [ann, bob, eve] = [new Person(service), new Person(service), new Person(service)];
  const folder = await ann.folder('root', 'd');
  const file = await ann.file(folder.id, 'f');
  const give = async (role: 'editor' | 'viewer') =>
    await ann.call('changeGrants', {
      params: { id: folder.id },
      body: { give: [{ accountId: bob.id, role }], take: [] },
    });
  await give('viewer');

  t.equal(await codeOf(share(eve, file.id)), 'not_found', 'not by a stranger');
  t.equal(await codeOf(share(bob, file.id)), 'forbidden', 'not by who may only look');
  t.equal(await codeOf(share(ann, 'root')), 'forbidden', 'not of a root');
  t.equal(await codeOf(share(ann, file.id, {}, 'dropbox')), 'not_a_folder');
  t.equal(await codeOf(share(new Person(service, { ...ann.principal, readOnly: true }), file.id)), 'read_only');
  t.equal(await codeOf(share(new Person(service, NOBODY), file.id)), 'not_found');
  for (const expiresAt of ['tomorrow', '2030-13-01T00:00:00Z', '2030-01-01', soon(-1_000)]) {
    t.equal(await codeOf(share(ann, file.id, { expiresAt })), 'invalid_body', expiresAt);
  }
  t.equal(await codeOf(share(ann, file.id, { maxDownloads: 0 })), 'invalid_body');

  const { link, token } = await share(ann, file.id, { note: 'for the press', maxDownloads: 3 });
  t.match(token, /^[A-Za-z0-9_-]{32}$/);
  t.same(link, {
    ...{ id: link.id, nodeId: file.id, role: 'viewer', hasPassword: false, expiresAt: null, maxDownloads: 3 },
    ...{ downloads: 0, note: 'for the press', createdBy: ann.id, createdAt: link.createdAt, revokedAt: null },
  });
  const stored = await service.database.links.findOne({ _id: link.id });
  t.notOk(JSON.stringify(stored).includes(token), 'the token is not stored');

  const opened = await open(service, token);
  t.same(opened.link, link);
  t.match(opened.node, { id: file.id, role: 'viewer' });
  t.equal(opened.node.grants, undefined);
  t.equal(await codeOf(open(service, `${token.slice(1)}A`)), 'not_found');

  await give('editor');
  const bobs = await share(bob, file.id);
  const { items } = await ann.call('listLinks', { params: { id: file.id } });
  t.same(
    items.map(({ id }) => id),
    [bobs.link.id, link.id],
    'the owner sees those of others too',
  );
  t.equal(await codeOf(eve.call('listLinks', { params: { id: file.id } })), 'not_found');
  t.equal(await codeOf(eve.call('revokeLink', { params: { linkId: link.id } })), 'not_found');
  t.equal(await codeOf(ann.call('revokeLink', { params: { linkId: newId() } })), 'not_found');

  const later = soon(3_600_000);
  const changed = await bob.call('updateLink', {
    params: { linkId: link.id },
    body: { expiresAt: later, maxDownloads: null, note: 'n' },
  });
  t.match(changed, { id: link.id, expiresAt: later, maxDownloads: null, note: 'n' });
  t.same(await ann.call('updateLink', { params: { linkId: link.id }, body: {} }), changed, 'nothing changes nothing');

  // An end that has come ends it, and one in the future lets it live again.
  await ann.call('updateLink', { params: { linkId: link.id }, body: { expiresAt: soon(-1) } });
  t.equal(await codeOf(open(service, token)), 'gone');
  t.equal(await codeOf(service.client.call('countDownload', { params: { linkId: link.id } })), 'gone');
  await until('its end is told', async () => revoked.length === 1);
  await ann.call('updateLink', { params: { linkId: link.id }, body: { expiresAt: null } });
  t.equal((await open(service, token)).link.expiresAt, null);

  await ann.call('revokeLink', { params: { linkId: link.id } });
  await ann.call('revokeLink', { params: { linkId: link.id } });
  t.equal(await codeOf(open(service, token)), 'gone');
  t.equal(await codeOf(ann.call('updateLink', { params: { linkId: link.id }, body: { note: 'x' } })), 'gone');
  const unknown = newId();
  const asked = await service.client.call('revokedLinks', { body: { linkIds: [link.id, bobs.link.id, unknown] } });
  t.same(asked.linkIds, [link.id, unknown], 'whoever missed the event may ask');
  await until('the revocation is told, once', async () => revoked.length === 2);
  t.same(revoked, Array(2).fill({ linkId: link.id, nodeId: file.id }));
  await until(
    'the outbox is empty',
    async () => (await service.database.links.countDocuments({ outboxAt: { $exists: true } })) === 0,
  );
  const after = await ann.call('listLinks', { params: { id: file.id } });
  t.ok(after.items.find(({ id }) => id === link.id)?.revokedAt, 'it is shown for a while');

  // A right that is taken back does not live on in a link.
  t.equal((await open(service, bobs.token)).link.createdBy, bob.id);
  await give('viewer');
  t.equal(await codeOf(open(service, bobs.token)), 'gone');
  await give('editor');
  t.equal((await open(service, bobs.token)).link.id, bobs.link.id);

  await ann.trash(folder.id);
  t.equal(await codeOf(open(service, bobs.token)), 'gone', 'nor does it open what is in the trash');
  await ann.trash(folder.id, true);
  await until('its document goes with the node', async () => (await service.database.links.countDocuments()) === 0);
  t.equal(await codeOf(open(service, bobs.token)), 'not_found');
});

t.test('an expiry is kept to the moment, a past one is shown for thirty days', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Person(service);
  const file = await ann.file('root', 'f');
  const { link, token } = await share(ann, file.id, { expiresAt: soon(600) });
  await open(service, token);
  await until('it expires', async () => (await codeOf(open(service, token))) === 'gone', 2_000);
  t.ok(Date.now() >= Date.parse(link.expiresAt ?? ''));
  const doc = await service.database.links.findOne({ _id: link.id });
  t.equal((doc?.purgeAt?.getTime() ?? 0) - Date.parse(link.expiresAt ?? ''), 30 * 24 * 3_600_000);
  await service.database.links.updateOne({ _id: link.id }, { $set: { purgeAt: new Date() } });
  await until('it is removed', async () => (await codeOf(open(service, token))) === 'not_found');
});

t.test('a node has at most a hundred living links', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Person(service);
  const file = await ann.file('root', 'f');
  const codes = await Promise.all(Array.from({ length: 120 }, () => codeOf(share(ann, file.id))));
  t.equal(codes.filter((code) => code === 'none').length, 100);
  t.equal(codes.filter((code) => code === 'conflict').length, 20);
});

t.test('a thousand racing downloads of a link of a hundred are a hundred', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()];
  const ann = new Person(services);
  const file = await ann.file('root', 'f');
  const { link, token } = await share(ann, file.id, { maxDownloads: 100 });
  const codes = await Promise.all(
    Array.from(
      { length: 1_000 },
      (_, i) => codeOf((services[i % 2] as Service).client.call('countDownload', { params: { linkId: link.id } })), // There are two.
    ),
  );
  t.equal(codes.filter((code) => code === 'none').length, 100);
  t.equal(codes.filter((code) => code === 'gone').length, 900);
  const [listed] = (await ann.call('listLinks', { params: { id: file.id } })).items;
  t.equal(listed?.downloads, 100);
  t.equal(await codeOf(open(services[0] as Service, token)), 'gone', 'used up');
  await ann.call('updateLink', { params: { linkId: link.id }, body: { maxDownloads: 101 } });
  t.equal((await open(services[0] as Service, token)).link.downloads, 100);
});

t.test('passwords: asked for, compared, and limited per address on all instances', async (t) => {
  const place = await bench(t);
  const services = [await place.start(), await place.start()] as const;
  const ann = new Person([...services]);
  const file = await ann.file('root', 'f');
  const { link, token } = await share(ann, file.id, { password: 'Schlüssel' });
  t.equal(link.hasPassword, true);
  const stored = await services[0].database.links.findOne({ _id: link.id });
  t.notOk(JSON.stringify(stored).includes('Schlüssel'));
  const [first, second] = services;
  t.equal(await codeOf(open(first, token)), 'link_password_required');
  t.equal(await codeOf(open(first, token, '')), 'invalid_credentials');
  t.equal((await open(first, token, 'Schlüssel')).node.id, file.id);
  t.equal((await open(second, token, 'Schlüssel'.normalize('NFD'))).node.id, file.id, 'however it was typed');

  // A page with many parts asks at once, and all are let in.
  const many = await Promise.all(
    Array.from({ length: 40 }, () => codeOf(open(second, token, 'Schlüssel', '192.0.2.7'))),
  );
  t.same([...new Set(many)], ['none']);

  const tries = await Promise.all(
    Array.from({ length: 30 }, (_, i) => codeOf(open(services[i % 2 === 0 ? 0 : 1], token, `guess ${i}`, '192.0.2.9'))),
  );
  t.equal(tries.filter((code) => code === 'invalid_credentials').length, 10, 'ten are looked at, however they race');
  t.same(
    tries.filter((code) => code !== 'invalid_credentials'),
    Array(20).fill('rate_limited'),
  );
  await open(second, token, 'another guess', '192.0.2.9').then(
    () => t.fail('too many'),
    (error: unknown) => {
      if (!isAppError(error, 'rate_limited')) throw error;
      const seconds = Number(error.headers?.['retry-after']);
      t.ok(seconds > 0 && seconds <= 900, `retry-after ${seconds}`);
    },
  );
  t.equal(await codeOf(open(first, token, 'Schlüssel', '192.0.2.10')), 'none', 'others go on');

  // All addresses together have a bound too.
  const { linkTries } = first.database;
  await linkTries.updateOne({ _id: link.id }, { $set: { count: 200 } });
  t.equal(await codeOf(open(first, token, 'x', '192.0.2.11')), 'rate_limited');
  await linkTries.updateMany({}, { $set: { resetAt: new Date(Date.now() - 1) } });
  t.equal(await codeOf(open(first, token, 'x', '192.0.2.9')), 'invalid_credentials', 'the window ends');

  await ann.call('updateLink', { params: { linkId: link.id }, body: { password: 'new' } });
  t.equal(await codeOf(open(first, token, 'Schlüssel')), 'invalid_credentials', 'the old one is no more remembered');
  t.equal(await codeOf(open(first, token, 'new')), 'none');
  const open_ = await ann.call('updateLink', { params: { linkId: link.id }, body: { password: null } });
  t.equal(open_.hasPassword, false);
  t.equal(await codeOf(open(first, token)), 'none');
});

t.test('who came by a link sees what is below it and nothing else', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const ann = new Person(service);
  const folder = await ann.folder('root', 'd');
  const inner = await ann.folder(folder.id, 'e');
  const file = await ann.file(inner.id, 'f');
  const other = await ann.file('root', 'g');
  const { link } = await share(ann, folder.id);
  const guest = comer(service, link);
  t.match(await guest.get(file.id), { id: file.id, role: 'viewer' });
  t.match(await guest.get(folder.id), { role: 'viewer' });
  t.same(
    (await guest.children(folder.id)).map(({ name }) => name),
    ['e'],
  );
  const questions = [file.id, other.id].map((id) => ({
    accountId: NOBODY.accountId,
    ref: { id },
    ...(guest.principal.link && { link: guest.principal.link }),
  }));
  const { answers } = await guest.call('resolveMany', { body: { questions } });
  t.match(answers, [{ node: { id: file.id } }, { error: { code: 'not_found' } }], 'together as one by one');
  const access = await guest.call('getAccess', { params: { id: file.id } });
  t.same(access.grants, []);

  const target = { parent: { id: folder.id }, name: 'x', ifExists: 'rename' as const };
  const refused: [string, string, () => Promise<unknown>][] = [
    ['what is above', 'not_found', () => guest.get(ann.id)],
    ['what is beside', 'not_found', () => guest.get(other.id)],
    ['the own root', 'unauthorized', () => guest.get('root')],
    ['the own trash', 'unauthorized', () => guest.call('listTrash', { query: {} })],
    ['the own files', 'unauthorized', () => guest.call('listFiles', { query: {} })],
    ['what is shared', 'unauthorized', () => guest.call('listShared', { query: {} })],
    ['search', 'unauthorized', () => guest.call('search', { query: { q: 'f' } })],
    ['usage', 'unauthorized', () => guest.usage()],
    ['a path', 'unauthorized', () => guest.at(['d'])],
    ['to write', 'read_only', () => guest.file(folder.id, 'x')],
    ['to deposit', 'read_only', () => guest.call('commitWrite', { body: { target, content: content(1) } })],
    ['to make a folder', 'read_only', () => guest.folder(folder.id, 'x')],
    ['to rename', 'read_only', () => guest.call('updateNode', { params: { id: file.id }, body: { name: 'y' } })],
    ['to delete', 'read_only', () => guest.trash(file.id)],
    ['to share', 'read_only', () => share(guest, file.id)],
    ['its links', 'read_only', () => guest.call('listLinks', { params: { id: folder.id } })],
    ['its epoch', 'read_only', () => guest.call('raiseLinkEpoch', { params: { id: folder.id } })],
  ];
  for (const [what, code, call] of refused) t.equal(await codeOf(call()), code, what);
  // Moved out from below, it is out of reach.
  await ann.call('updateNode', { params: { id: file.id }, body: { parentId: 'root' } });
  t.equal(await codeOf(guest.get(file.id)), 'not_found');
});

t.test('a drop box takes new files and shows nothing', async (t) => {
  const place = await bench(t);
  const service = await place.start({ freeLimitBytes: 1_000 });
  const ann = new Person(service);
  const folder = await ann.folder('root', 'in');
  const inner = await ann.folder(folder.id, 'e');
  const file = await ann.file(folder.id, 'f', 10);
  const { link, token } = await share(ann, folder.id, {}, 'dropbox');
  t.match((await open(service, token)).node, { id: folder.id, role: 'viewer' });
  const guest = comer(service, link);
  const drop = (name: string, sizeBytes: number, parent = folder.id, who = guest) =>
    who.call('commitWrite', {
      body: { target: { parent: { id: parent }, name, ifExists: 'rename' }, content: content(sizeBytes) },
    });
  const target = { parent: { id: folder.id }, name: 'f', ifExists: 'rename' as const };
  t.same(await guest.call('prepareWrite', { body: { target, sizeBytes: 5 } }), { availableBytes: 990 });
  const { node, created } = await drop('f', 20);
  t.ok(created);
  t.match(node, { name: 'f (1)', parentId: folder.id, ownerId: ann.id });
  t.match(
    await ann.get(node.id),
    { role: 'owner', content: { sizeBytes: 20, by: NOBODY.accountId } },
    'its owner pays',
  );
  t.equal((await ann.usage()).usedBytes, 30);

  const write = (ifExists: 'fail' | 'replace', name = 'f') =>
    guest.call('commitWrite', {
      body: { target: { parent: { id: folder.id }, name, ifExists }, content: content(1) },
    });
  const prepare = (t_: { parent: { id: string }; name: string; ifExists: 'fail' | 'replace' | 'rename' }) =>
    guest.call('prepareWrite', { body: { target: t_ } });
  const refused: [string, string, () => Promise<unknown>][] = [
    ['to read what is in it', 'not_found', () => guest.get(file.id)],
    ['to read what it put there', 'not_found', () => guest.get(node.id)],
    ['to look at the folder', 'not_found', () => guest.get(folder.id)],
    ['to list', 'not_found', () => guest.children(folder.id)],
    ['to replace', 'not_found', () => write('replace')],
    ['to find out whether a name is taken', 'not_found', () => write('fail')],
    ['the same of a free one', 'not_found', () => write('fail', 'free')],
    ['to prepare that', 'not_found', () => prepare({ ...target, ifExists: 'fail' })],
    [
      'to replace by id',
      'not_found',
      () => guest.call('commitWrite', { body: { target: { node: { id: file.id } }, content: content(1) } }),
    ],
    ['to put into a folder below', 'not_found', () => drop('x', 1, inner.id)],
    ['to put beside', 'not_found', () => drop('x', 1, ann.id)],
    ['to put into a root of its own', 'unauthorized', () => drop('x', 1, 'root')],
    ['to make a folder', 'not_found', () => guest.folder(folder.id, 'x')],
    [
      'to publish',
      'forbidden',
      () => guest.call('commitWrite', { body: { target, content: content(1), publish: true } }),
    ],
    [
      'to name it for all',
      'forbidden',
      () => guest.call('commitWrite', { body: { target, content: content(1), identifier: 'mine' } }),
    ],
    ['to take more than there is', 'quota_exceeded', () => drop('big', 971)],
    ['to prepare more', 'quota_exceeded', () => guest.call('prepareWrite', { body: { target, sizeBytes: 971 } })],
    ['a link elsewhere', 'not_found', () => drop('x', 1, folder.id, comer(service, { ...link, nodeId: inner.id }))],
  ];
  for (const [what, code, call] of refused) t.equal(await codeOf(call()), code, what);

  const idempotency = { key: 'k', fingerprint: 'f' };
  const again = { body: { target, content: content(1), idempotency } };
  const once = await guest.call('commitWrite', again);
  t.equal((await guest.call('commitWrite', again)).node.id, once.node.id, 'a repeated request is one');
  const others = await share(ann, folder.id, {}, 'dropbox');
  const stranger = comer(service, others.link);
  t.not((await stranger.call('commitWrite', again)).node.id, once.node.id, 'the key of another link is another key');

  const names = (await ann.children(folder.id)).map(({ name }) => name).sort();
  t.same(names, ['e', 'f', 'f (1)', 'f (2)', 'f (3)']);
  const racing = await Promise.all(Array.from({ length: 60 }, () => codeOf(drop('race', 10))));
  t.equal(racing.filter((code) => code === 'none').length, 60, 'each gets a name of its own');
  await ann.recount(t);
  await ann.call('deleteNode', { body: { ref: { id: folder.id }, permanent: false } });
  t.equal(await codeOf(drop('x', 1)), 'not_found', 'nor into the trash');
});

t.test('the epoch of a node’s signed URLs rises with each call', async (t) => {
  const place = await bench(t);
  const service = await place.start();
  const [ann, eve] = [new Person(service), new Person(service)];
  const file: NodeRecord = await ann.file('root', 'f');
  t.equal(file.linkEpoch, undefined);
  const raised = await Promise.all(
    Array.from({ length: 10 }, () => ann.call('raiseLinkEpoch', { params: { id: file.id } })),
  );
  t.same(
    raised.map(({ linkEpoch }) => linkEpoch ?? 0).sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  t.equal((await ann.get(file.id)).linkEpoch, 10);
  t.equal((await ann.file('root', 'f')).linkEpoch, 10, 'new content leaves it');
  t.equal(await codeOf(eve.call('raiseLinkEpoch', { params: { id: file.id } })), 'not_found');
  t.equal((await ann.call('raiseLinkEpoch', { params: { id: 'root' } })).linkEpoch, 1);
});

t.test('links of and into a deleted account end at once', async (t) => {
  const place = await bench(t);
  const service = await place.start({ bus: 'nats' });
  const revoked = await heard(service);
  const [ann, bob] = [new Person(service), new Person(service)];
  const folder = await ann.folder('root', 'd');
  await ann.call('changeGrants', {
    params: { id: folder.id },
    body: { give: [{ accountId: bob.id, role: 'editor' }], take: [] },
  });
  const [anns, bobs] = [await share(ann, folder.id), await share(bob, folder.id)];
  await removeAccount(service.tree, bob.id);
  t.not(await codeOf(open(service, bobs.token)), 'none', 'the maker is gone');
  t.equal(await codeOf(open(service, anns.token)), 'none');
  await removeAccount(service.tree, ann.id);
  t.not(await codeOf(open(service, anns.token)), 'none', 'the tree is gone');
  await until('both are told', async () => revoked.length === 2);
  await until('nothing of them is left', async () => (await service.database.links.countDocuments()) === 0);
});
