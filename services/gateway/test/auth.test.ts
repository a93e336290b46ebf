import type { Principal, Revocation } from '@coffer/contracts';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import t from 'tap';
import { createApiKeyVerifier } from '../src/auth/api-keys.ts';
import { challengeFor, parseCredentials } from '../src/auth/credentials.ts';
import { createRevocations } from '../src/auth/revocations.ts';
import { createTokenVerifier } from '../src/auth/tokens.ts';

const ACCOUNT = '01900000-0000-7000-8000-000000000001';
const SESSION = '01900000-0000-7000-8000-000000000002';

async function signer(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA');
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' };
  const sign = (claims: JWTPayload = {}, header: { kid?: string; alg?: string } = {}) =>
    new SignJWT({ sid: SESSION, role: 'user', sub: ACCOUNT, iss: 'coffer', ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid, ...header })
      .setIssuedAt(claims.iat)
      .setExpirationTime(claims.exp ?? '10m')
      .sign(privateKey);
  return { jwk, sign };
}

const revoked = (kind: Revocation['kind'], id: string, at = new Date().toISOString()): Revocation => ({ kind, id, at });

t.test('tokens', async (t) => {
  const one = await signer('k1');
  const two = await signer('k2');
  const keys = [one.jwk];
  let loads = 0;
  const revocations = createRevocations();
  const tokens = createTokenVerifier({
    revocations,
    loadKeys: async () => {
      loads += 1;
      return keys;
    },
  });
  const code = (expected: string) => ({ code: expected });

  const token = await one.sign();
  t.equal(tokens.remembered(token), undefined);
  t.same(await tokens.verify(token), { accountId: ACCOUNT, role: 'user', sessionId: SESSION, readOnly: false });
  t.ok(tokens.remembered(token), 'not verified twice');
  await Promise.all([tokens.verify(token), tokens.verify(await one.sign({ iat: 1_700_000_000, exp: 4_000_000_000 }))]);
  t.equal(loads, 1, 'the key set is read once');

  for (const [what, bad] of [
    ['expired', await one.sign({ iat: 1, exp: 2 })],
    ['another issuer', await one.sign({ iss: 'other' })],
    ['no session', await one.sign({ sid: undefined })],
    ['a role that is none', await one.sign({ role: 'god' })],
    ["another's key under this name", await two.sign({}, { kid: 'k1' })],
    ['a key nobody knows', await two.sign()],
    ['no token', 'x.y.z'],
  ] as const) {
    await t.rejects(tokens.verify(bad), code('invalid_token'), what);
  }
  t.ok(loads <= 2, 'unknown keys do not have the key set read again and again');

  const short = await one.sign({ exp: Math.floor(Date.now() / 1000) + 3 });
  await tokens.verify(short);
  await new Promise((resolve) => setTimeout(resolve, 3_100));
  t.equal(tokens.remembered(short), undefined, 'what is remembered expires too');

  revocations.add([revoked('session', SESSION)]);
  t.equal(tokens.remembered(token), undefined, 'an ended session is forgotten at once');
  await t.rejects(tokens.verify(token), code('session_ended'));
});

t.test('a suspension ends the tokens before it, and none that were given after it was lifted', (t) => {
  const revocations = createRevocations();
  const issuedAtMs = 1_000_000;
  const token = { accountId: ACCOUNT, sessionId: SESSION, issuedAtMs };
  revocations.add([revoked('account', ACCOUNT, new Date(issuedAtMs + 500).toISOString())]);
  t.equal(revocations.isRevoked(token), true);
  t.equal(revocations.isRevoked({ ...token, issuedAtMs: issuedAtMs + 1000 }), false);
  revocations.add([revoked('account', ACCOUNT, new Date(issuedAtMs - 5000).toISOString())]);
  t.equal(revocations.isRevoked(token), true, 'an older word does not undo a newer one');
  t.end();
});

t.test('revocations are forgotten when no token can be alive', (t) => {
  let now = Date.now();
  const revocations = createRevocations(() => now);
  const token = { accountId: ACCOUNT, sessionId: SESSION, issuedAtMs: 0 };
  revocations.add([revoked('session', SESSION)]);
  now += 23 * 3_600_000;
  revocations.add([]);
  t.equal(revocations.isRevoked(token), true);
  now += 4 * 3_600_000;
  revocations.add([]);
  t.equal(revocations.isRevoked(token), false);
  t.end();
});

t.test('API keys', async (t) => {
  const principal: Principal = { accountId: ACCOUNT, role: 'user', keyId: 'ck_1', readOnly: false };
  const revocations = createRevocations();
  let asked = 0;
  let answer = Promise.resolve({ principal, expiresAt: null as string | null });
  const apiKeys = createApiKeyVerifier({
    revocations,
    ask: () => {
      asked += 1;
      return answer;
    },
  });
  await Promise.all([apiKeys.verify('ck_1', 's'), apiKeys.verify('ck_1', 's')]);
  t.equal(asked, 1, 'questions that meet are one');
  t.same(apiKeys.remembered('ck_1', 's'), principal);
  t.equal(apiKeys.remembered('ck_1', 'other'), undefined);
  revocations.add([revoked('key', 'ck_1')]);
  t.equal(apiKeys.remembered('ck_1', 's'), undefined, 'a key taken away is forgotten at once');

  await apiKeys.verify('ck_1', 's');
  revocations.add([revoked('account', ACCOUNT)]);
  t.equal(apiKeys.remembered('ck_1', 's'), undefined, 'and so are those of a suspended account');

  const late = Promise.withResolvers<{ principal: Principal; expiresAt: string | null }>();
  answer = late.promise;
  const verifying = apiKeys.verify('ck_1', 's');
  revocations.add([revoked('key', 'ck_1')]);
  late.resolve({ principal, expiresAt: null });
  await verifying;
  t.equal(apiKeys.remembered('ck_1', 's'), undefined, 'an answer that a revocation overtook is not kept');

  answer = Promise.resolve({ principal, expiresAt: new Date(Date.now() + 50).toISOString() });
  await apiKeys.verify('ck_1', 's');
  await new Promise((resolve) => setTimeout(resolve, 80));
  t.equal(apiKeys.remembered('ck_1', 's'), undefined, 'not longer than the key lives');
});

t.test('credentials', (t) => {
  t.same(parseCredentials('Bearer abc.def'), { kind: 'token', token: 'abc.def' });
  t.same(parseCredentials('bEARER ck_a-b_c.se:cr.et'), {
    kind: 'key',
    keyId: 'ck_a-b_c',
    secret: 'se:cr.et',
    scheme: 'Bearer',
  });
  const basic = `Basic ${Buffer.from('ck_a:s.e').toString('base64')}`;
  t.same(parseCredentials(basic), { kind: 'key', keyId: 'ck_a', secret: 's.e', scheme: 'Basic' });
  for (const bad of ['Bearer', 'Bearer a b', 'Basic !!!', `Basic ${Buffer.from('ada:password').toString('base64')}`]) {
    t.throws(() => parseCredentials(bad), { code: 'invalid_token' }, bad);
  }
  for (const bad of [undefined, '', 'Digest x', 'Bearerx'])
    t.throws(() => parseCredentials(bad), { code: 'unauthorized' }, `${bad}`);
  t.equal(challengeFor(undefined), 'Bearer realm="coffer"');
  t.match(challengeFor('Bearer x'), /error="invalid_token"/);
  t.match(challengeFor('Basic x'), /^Basic /);
  t.end();
});
