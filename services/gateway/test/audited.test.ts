/** What operators do is written down first: where that is not possible, nothing is done. */
import { createServer } from 'node:net';
import { authContract } from '@coffer/contracts';
import { createApp, createClient, createTestContext } from '@coffer/service-kit';
import t from 'tap';
import { audited } from '../src/routes/v1/admin/audited.ts';

async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 1;
}

t.test('a book that cannot be written into', async (t) => {
  const ctx = createTestContext('gateway', {});
  t.teardown(() => ctx.shutdown.run('test'));
  const auth = createClient(ctx, authContract, { address: `http://127.0.0.1:${await deadPort()}` });
  const app = createApp(ctx, { internal: false });
  t.teardown(() => app.close());
  let done = 0;
  app.addHook('onRequest', async (request) =>
    request.setPrincipal({ accountId: '01900000-0000-7000-8000-000000000000', role: 'operator', readOnly: false }),
  );
  app.post('/deed', { config: { op: 'admin.deed' } }, async (request) =>
    audited({ auth }, request, { targetId: null, details: {} }, async () => ++done),
  );
  const reply = await app.inject({ method: 'POST', url: '/deed' });
  t.equal(reply.statusCode, 503);
  t.match(reply.json(), { code: 'unavailable', detail: /nothing was done/ });
  t.ok(reply.headers['retry-after']);
  t.equal(done, 0);
});
