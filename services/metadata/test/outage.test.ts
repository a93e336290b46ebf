import { connect, createServer, type Socket } from 'node:net';
import { createTestContext, listen } from '@coffer/service-kit';
import t from 'tap';
import { buildApp } from '../src/app.ts';
import { bench, codeOf, hasty, Person, type Service, until } from './helpers.ts';

t.setTimeout(300_000);

/** A wire to the real engine that can be cut at any moment, also between a command and its answer. */
async function wire(url: string) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let open = true;
  const server = createServer((near) => {
    if (!open) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  const set = (to: boolean): void => {
    open = to;
    for (const socket of to ? [] : sockets) socket.destroy();
  };
  return {
    url: `mongodb://127.0.0.1:${address.port}/`,
    set,
    close: async () => {
      set(false);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function behindWire(t: Parameters<typeof bench>[0]) {
  const place = await bench(t);
  const healthy = await place.start({ patience: { ...hasty, abandonedAfterMs: 1_000 } });
  const line = await wire(process.env.MONGODB_URL ?? '');
  const ctx = createTestContext('metadata');
  const config = {
    MONGODB_URL: line.url,
    MONGODB_DATABASE: place.database,
    FREE_LIMIT_BYTES: 100_000_000,
    MAX_VERSIONS: 20,
  };
  return { healthy, line, ctx, config };
}

t.test('it starts without a database, says so, and works once there is one', async (t) => {
  const { healthy, line, ctx, config } = await behindWire(t);
  line.set(false);
  const built = buildApp(ctx, config, { patience: hasty });
  const { url } = await listen(built.app, ctx);
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    await line.close();
  });
  const ready = async () =>
    (await fetch(`${url}/readyz`, { headers: { 'x-coffer-secret': ctx.internalSecret } })).status;
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  t.equal(await ready(), 503);
  const { createClient } = await import('@coffer/service-kit');
  const { metadataContract } = await import('@coffer/contracts');
  const client = createClient(ctx, metadataContract, { address: url });
  const ann = new Person({ ...healthy, client });
  t.equal(await codeOf(ann.folder('root', 'd')), 'unavailable');
  line.set(true);
  await until('ready', async () => (await ready()) === 200);
  t.equal((await ann.folder('root', 'd')).name, 'd');
  line.set(false);
  t.equal(await codeOf(ann.folder('root', 'e')), 'unavailable');
  t.equal(await ready(), 503);
  line.set(true);
  await until('back', async () => (await codeOf(ann.folder('root', 'e'))) !== 'unavailable');
  await ann.recount(t);
});

t.test('a connection that breaks at any moment leaves nothing half done', async (t) => {
  const { healthy, line, ctx, config } = await behindWire(t);
  const built = buildApp(ctx, config, { patience: { ...hasty, abandonedAfterMs: 1_000 } });
  const { url } = await listen(built.app, ctx);
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    await line.close();
  });
  const { createClient } = await import('@coffer/service-kit');
  const { metadataContract } = await import('@coffer/contracts');
  const shaky: Service = { ...healthy, client: createClient(ctx, metadataContract, { address: url }) };
  const ann = new Person([shaky, shaky, healthy]);
  const acknowledged = new Map<string, number>();
  const failed = new Set<string>();
  const unexpected: string[] = [];
  let over = false;
  const writer = async (w: number): Promise<void> => {
    for (let i = 0; !over && i < 10_000; i++) {
      // Every third is an overwrite, so that replacements are hit as well.
      const name = `w${w}-${i - (i % 3 === 2 ? 1 : 0)}`;
      const code = await codeOf(ann.put(['dir', `d${w % 4}`, name], 10 + i));
      if (code === 'none') acknowledged.set(`d${w % 4}/${name}`, 10 + i);
      else if (code === 'unavailable') failed.add(`d${w % 4}/${name}`);
      else unexpected.push(code);
      if (i % 5 === 4) await codeOf(ann.at(['dir', `d${w % 4}`, name]).then(({ id }) => ann.trash(id, i % 2 === 0)));
      if (i % 5 === 4) failed.add(`d${w % 4}/${name}`);
    }
  };
  const writers = Promise.all(Array.from({ length: 12 }, (_, w) => writer(w)));
  for (let cuts = 0; cuts < 12; cuts++) {
    await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 300));
    line.set(false);
    line.set(true);
  }
  over = true;
  await writers;
  t.same(unexpected, []);
  const same = new Person(healthy, ann.principal);
  await until('the sweeper is through', async () => {
    const doc = await healthy.database.usage.findOne({ _id: ann.id });
    const work = await healthy.database.nodes.countDocuments({ workAt: { $exists: true } });
    return doc !== null && Object.keys(doc.pending).length === 0 && work === 0;
  });
  await same.recount(t);
  const found = await same.walk();
  t.ok(failed.size > 0, `${acknowledged.size} written, ${failed.size} cut or deleted`);
  for (const [path, size] of acknowledged) {
    if (failed.has(path)) continue;
    if (found.get(`dir/${path}`)?.content?.sizeBytes !== size) t.fail(`${path} was acknowledged and is not there`);
  }
});
