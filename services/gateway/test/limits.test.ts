import { Client, newPerson, startTestStack, uniqueName } from '@coffer/testing';
import t from 'tap';

if (process.env.COFFER_URL) {
  t.pass('needs limits of its own, so a deployment that runs already is left alone');
} else {
  const stack = await startTestStack({
    env: {
      RATE_LIMITS: 'on',
      RATE_LIMIT_PER_ACCOUNT: '12',
      RATE_LIMIT_PER_ADDRESS: '60',
      RATE_LIMIT_NEW_ACCOUNTS: '4',
      TRUST_PROXY: '127.0.0.1',
      DIALECTS: 'none',
      CORS_ORIGINS: 'https://app.example, https://other.example',
    },
  });
  t.teardown(() => stack.stop());
  const nobody = new Client(stack.http);
  // Each test comes from an address of its own, as behind a proxy.
  const from = (address: string) => ({ 'x-forwarded-for': address });

  t.test('without the older APIs', async (t) => {
    const get = (path: string) => nobody.request('GET', path, { headers: from('10.9.0.1') });
    t.match((await get('/')).json(), { name: 'Coffer', docs: '/docs' });
    for (const path of ['/api/me', '/get/files/', '/api/v1/auth/profile', '/api/files_keys', '/data/user_file']) {
      t.equal((await get(path)).problem().code, 'not_found', path);
    }
  });

  t.test('of one account', async (t) => {
    const { client } = await newPerson(stack.http);
    const other = await newPerson(stack.http);
    const get = (who: Client, address: string) => who.request('GET', '/v1/me', { headers: from(address) });
    for (let i = 0; i < 12; i += 1) t.equal((await get(client, `10.0.0.${i}`)).status, 200);
    const refused = await get(client, '10.0.0.99');
    t.same([refused.status, refused.problem().code], [429, 'rate_limited'], 'whatever the address');
    t.ok(Number(refused.headers['retry-after']) >= 1);
    t.equal((await get(other.client, '10.0.0.99')).status, 200, 'others go on');
  });

  t.test('of one address', async (t) => {
    const get = (address: string) => nobody.request('GET', '/', { headers: from(address) });
    const statuses = await Promise.all(Array.from({ length: 70 }, async () => (await get('10.1.0.1')).status));
    t.equal(statuses.filter((status) => status === 200).length, 60);
    t.equal(statuses.filter((status) => status === 429).length, 10);
    t.equal((await get('10.1.0.2')).status, 200);
  });

  t.test('of new accounts', async (t) => {
    const make = (address: string) => {
      const username = uniqueName();
      const json = { username, email: `${username}@example.org`, password: 'a good password' };
      return nobody.request('POST', '/v1/accounts', { json, headers: from(address) });
    };
    for (let i = 0; i < 4; i += 1) t.equal((await make('10.2.0.1')).status, 201);
    t.equal((await make('10.2.0.1')).problem().code, 'rate_limited');
    t.equal((await make('10.2.0.2')).status, 201);
  });

  t.test('pages of other origins', async (t) => {
    const ask = (origin: string, method = 'GET') =>
      nobody.request(method, '/v1/me', {
        headers: { origin, ...from('10.3.0.1'), 'access-control-request-method': 'PUT' },
      });
    const preflight = await ask('https://app.example', 'OPTIONS');
    t.equal(preflight.status, 204);
    t.equal(preflight.headers['access-control-allow-origin'], 'https://app.example');
    t.match(preflight.headers['access-control-allow-methods'], /PUT/);
    const known = await ask('https://other.example');
    t.equal(known.status, 401, 'without credentials nobody gets in from there either');
    t.equal(known.headers['access-control-allow-origin'], 'https://other.example');
    t.match(known.headers['access-control-expose-headers'], /ETag/);
    t.notOk((await ask('https://evil.example')).headers['access-control-allow-origin']);
  });
}
