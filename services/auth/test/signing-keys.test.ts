import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import t from 'tap';
import { createSealing } from '../src/store/sealing.ts';
import { createSigningKeys } from '../src/store/signing-keys.ts';
import { ownSpace } from './service.ts';

// Two cores may be shared with much else.
t.setTimeout(120_000);

const dayMs = 24 * 3_600_000;
const logger = { info: () => {}, warn: () => {} };
const keyEncryptionKey = randomBytes(32);
const claims = {
  accountId: '01900000-0000-7000-8000-000000000001',
  sessionId: '01900000-0000-7000-8000-000000000002',
  role: 'user',
} as const;

t.test('keys are replaced in time, and verifiers meet none unprepared', async (t) => {
  const { mongo } = ownSpace(t);
  const instance = () =>
    createSigningKeys(mongo, createSealing(keyEncryptionKey), { tokenLifeMs: 600_000, longestLifeMs: 600_000, logger });
  const keys = instance();
  const start = new Date();
  const kids = async (now: Date) => {
    await keys.load(now);
    return (await keys.published(now)).map(({ kid }) => kid);
  };
  const signsWith = async (issuedAt: Date) =>
    decodeProtectedHeader((await keys.issue({ ...claims, issuedAt })).token).kid;

  const [first, ...none] = await kids(start);
  t.same(none, []);
  t.same(await kids(new Date(start.getTime() + 89 * dayMs)), [first]);

  const due = new Date(start.getTime() + 91 * dayMs);
  // Many instances notice at once; one next key comes of it.
  await Promise.all(Array.from({ length: 5 }, () => instance().load(due)));
  const both = await kids(due);
  t.equal(both.length, 2);
  t.equal(both[0], first);
  t.equal(await signsWith(due), first, 'the next key is published before it signs');
  const later = new Date(due.getTime() + 2 * 3_600_000);
  t.equal(await signsWith(later), both[1]);
  t.same(await kids(later), [both[1]], 'the old one goes when its last token has expired');
  t.equal(await mongo.signingKeys.countDocuments(), 2);
});

t.test('a stored key does not open with another key encryption key, and is not replaced by it', async (t) => {
  const { mongo } = ownSpace(t);
  const options = { tokenLifeMs: 600_000, longestLifeMs: 600_000, logger };
  await createSigningKeys(mongo, createSealing(keyEncryptionKey), options).load();
  await t.rejects(createSigningKeys(mongo, createSealing(randomBytes(32)), options).load());
  t.equal(await mongo.signingKeys.countDocuments(), 1);
});
