import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from 'mongodb';
import t from 'tap';
import { documentdb, skip } from './documentdb-fixture.ts';
import { eventually } from './engines-clients.ts';

interface Item extends Document {
  _id: string;
}

t.test('PostgreSQL is killed again and again under 16 writers', { skip }, async (t) => {
  const { engines, client } = await documentdb(t);
  const items = client.db('test').collection<Item>('items', { writeConcern: { w: 'majority', journal: true } });
  await items.createIndex({ name: 1 }, { unique: true });
  const [engine] = engines.processes;
  if (engine === undefined) throw new Error('no engine');

  const acknowledged: string[] = [];
  let failures = 0;
  let odd: unknown;
  let lastError: unknown;
  let over = false;
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let i = 0; !over; i++) {
      const _id = `${writer}-${i}`;
      try {
        await items.insertOne({ _id, name: _id });
        acknowledged.push(_id);
      } catch (error) {
        failures++;
        lastError = error;
        // What a driver makes of a server that went away; anything else would tell clients a reason that is none.
        if (!/^Mongo(Network|ServerSelection|PoolCleared)/.test(Object(error).name)) odd ??= error;
        // The driver may refuse at once, again and again, without a turn of the event loop in between.
        await sleep(1);
      }
    }
  });
  const moreWrites = async () => {
    const before = acknowledged.length;
    await eventually(async () => {
      if (acknowledged.length < before + 100) throw new Error(`no writes go through: ${lastError}`);
    }, 20_000);
  };
  try {
    for (let round = 0; round < 4; round++) {
      await moreWrites();
      // PostgreSQL alone: the gateway stays and has to notice.
      const [postgres] = engine.pids();
      if (postgres === undefined) throw new Error('no process');
      process.kill(postgres, 'SIGKILL');
    }
    await moreWrites();
  } finally {
    over = true;
    await Promise.all(writers);
  }

  t.equal(odd, undefined);
  t.ok(failures > 0);
  const stored = new Set((await items.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id));
  t.strictSame(
    acknowledged.filter((_id) => !stored.has(_id)),
    [],
  );
  t.ok(stored.size <= acknowledged.length + failures);
});
