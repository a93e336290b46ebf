/** cloudrest where an S3 server proves the pairs: whose word counts, and for what. */
import t from 'tap';
import { CloudrestClient, PASSWORD, type Reply, startOwnStack, uniqueName } from '../../src/index.ts';
import { signatureOf, startS3Server } from './s3-server.ts';

const REGION = 'eu-test-1';
const IN = '{"status_code": 200, "message": "You have successfully logged in"}';
const NOT_CORRECT = '{"access_or_secret_key": "Not correct"}';
const NOT_VALID = '{"access_or_secret_key": "Not valid anymore, you can register again"}';
const CHANGE_CONFIG = '{"access_or_secret_key": "Not valid, you need change keys in config"}';
const NOT_NOW = /^\{"status_code": 503, "message": "[^"]+"\}$/;

t.test('the verification itself, by the vectors of AWS', async (t) => {
  // "Examples: Signature Calculations" of the Amazon S3 API Reference.
  const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
  const headers = {
    host: 'examplebucket.s3.amazonaws.com',
    range: 'bytes=0-9',
    'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'x-amz-date': '20130524T000000Z',
  };
  const names = 'host;x-amz-content-sha256;x-amz-date';
  const of = (url: string, signed = names) =>
    signatureOf({ method: 'GET', url, headers }, { secret, region: 'us-east-1', names: signed });
  const object = of('/test.txt', `host;range;${names.slice(5)}`);
  t.equal(object, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41', 'GET Object');
  t.equal(of('/?lifecycle'), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543', 'GET Lifecycle');
  const list = of('/?prefix=J&max-keys=2');
  t.equal(list, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7', 'List Objects');
});

t.test('pairs', async (t) => {
  let s3 = await startS3Server(REGION);
  const operators = { id: 'OPERATORKEY', secret: 'operator/secret' };
  const stack = await startOwnStack({
    env: {
      CLOUDREST_S3_ENDPOINT: s3.url,
      CLOUDREST_S3_REGION: REGION,
      CLOUDREST_ADMIN_KEY_ID: operators.id,
      CLOUDREST_ADMIN_SECRET_KEY: operators.secret,
    },
  });
  t.teardown(async () => {
    await stack.stop();
    await s3.stop();
  });
  const client = () => new CloudrestClient(stack.http);
  const is = (reply: Reply, body: string, message?: string) => {
    t.strictSame([reply.status, reply.text()], [200, body], message ?? body);
  };
  const away = (reply: Reply, message: string) => {
    t.equal(reply.status, 503, message);
    t.match(reply.text(), NOT_NOW, message);
    t.equal(reply.headers['set-cookie'], undefined, 'and nobody is logged in');
  };
  const newPair = () => {
    const pair = { access_key_id: uniqueName('AK'), secret_access_key: uniqueName('s/+=') };
    s3.keys.set(pair.access_key_id, pair.secret_access_key);
    return pair;
  };

  const login = uniqueName();
  const pair = newPair();
  is(await client().signUp(login, 'p', { ...pair, secret_access_key: 'wrong' }), NOT_CORRECT, 'a wrong secret');
  is(await client().signUp(login, 'p', { ...pair, access_key_id: 'unknown' }), NOT_CORRECT, 'an unknown id');
  is(await client().signIn(login, 'p'), `{"login":"'${login}' is not found"}`, 'and no account was made');
  const asked = s3.requests;
  is(await client().signUp(login, 'p', { ...pair, access_key_id: 'A B' }), NOT_CORRECT, 'a malformed id');
  t.equal(s3.requests, asked, 'which the server is not asked about');
  const member = client();
  is(await member.signUp(login, 'p', pair), IN);
  await member.put('kept', 'bytes');
  is(await client().signIn(login, 'p'), IN);

  s3.failWith = 500;
  away(await client().signIn(login, 'p'), 'a server that fails');
  s3.failWith = 404;
  away(await client().signUp(uniqueName(), 'p', newPair()), 'a server that is no S3');
  s3.failWith = 401;
  is(await client().signIn(login, 'p'), NOT_VALID, 'a server that says 401');
  s3.failWith = undefined;

  s3.keys.delete(pair.access_key_id);
  is(await client().signIn(login, 'p'), NOT_VALID, 'a pair that is refused by now');
  const basic = { authorization: `Basic ${Buffer.from(`${login}:p`).toString('base64')}` };
  is(await stack.http.request('GET', '/api/files_keys', { headers: basic }), NOT_VALID, 'by Basic too');
  is(await client().signUp(login, 'p', pair), NOT_CORRECT, 'the same again');
  is(await client().signUp(login, 'other', newPair()), '{"login":"Login busy"}', 'with another password');
  const again = client();
  is(await again.signUp(login, 'p', newPair()), IN, 'with a new pair');
  t.strictSame(await again.keys(), ['kept'], 'the files stay');
  is(await client().signIn(login, 'p'), IN);
  is(await client().signUp(login, 'p', newPair()), '{"login":"Login busy"}', 'while the pair is good');

  is(await client().signIn('operator', PASSWORD), CHANGE_CONFIG, "the operator's pair is not known there");
  is(await client().signIn('operator', 'wrong'), '{"password":"Password is not correct"}');
  s3.keys.set(operators.id, operators.secret);
  is(await client().signIn('operator', PASSWORD), IN);

  const { port } = new URL(s3.url);
  await s3.stop();
  away(await client().signIn(login, 'p'), 'a server that is away');
  away(await client().signUp(uniqueName(), 'p', pair), 'and nothing is made');
  t.strictSame(await again.keys(), ['kept'], 'sessions go on');
  const { keys } = s3;
  s3 = await startS3Server(REGION, Number(port));
  for (const [id, secret] of keys) s3.keys.set(id, secret);
  is(await client().signIn(login, 'p'), IN, 'when it is back');
});

t.test('an operator without a pair', async (t) => {
  const s3 = await startS3Server(REGION);
  const stack = await startOwnStack({ env: { CLOUDREST_S3_ENDPOINT: s3.url, CLOUDREST_S3_REGION: REGION } });
  t.teardown(async () => {
    await stack.stop();
    await s3.stop();
  });
  const reply = await new CloudrestClient(stack.http).signIn('operator', PASSWORD);
  t.strictSame([reply.status, reply.text()], [200, CHANGE_CONFIG]);
});
