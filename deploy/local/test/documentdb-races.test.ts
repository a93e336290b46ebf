import { type Document, MongoBulkWriteError } from 'mongodb';
import t from 'tap';
import { documentdb, skip, tally } from './documentdb-fixture.ts';

interface Node extends Document {
  _id: string;
}

const liveNames = {
  key: { ownerId: 1, parentId: 1, sort: 1 },
  unique: true,
  partialFilterExpression: { live: true },
  name: 'live_names',
} as const;

t.test('many clients at once at the DocumentDB gateway', { skip }, async (t) => {
  const { client, db } = await documentdb(t);

  await t.test('the first writes of a new database make its collection once', async (t) => {
    const fresh = client.db('fresh');
    const { kept, errors } = await tally(
      Array.from({ length: 60 }, (_, i) => fresh.collection<Node>(`c${i % 3}`).insertOne({ _id: String(i) })),
    );
    t.equal(kept, 60, String(errors[0]));
    t.equal((await fresh.listCollections().toArray()).length, 3);
  });

  await t.test('instances that start together make the same indexes', async (t) => {
    const { kept, errors } = await tally(
      Array.from({ length: 12 }, async () => {
        await db.collection('nodes').createIndexes([liveNames, { key: { outboxAt: 1 }, sparse: true }]);
        await db.collection('accounts').createIndexes([{ key: { name: 1 }, unique: true }]);
      }),
    );
    t.equal(kept, 12, String(errors[0]));
    t.equal((await db.collection('nodes').indexes()).length, 3);
  });

  await t.test(
    'of 50 that create the same name one wins and 49 hear of a duplicate, in each of 20 rounds',
    async (t) => {
      const nodes = db.collection<Node>('nodes');
      for (let round = 0; round < 20; round++) {
        const node = { ownerId: 'o', parentId: 'p', sort: `name ${round}`, live: true };
        const { kept, errors } = await tally(
          Array.from({ length: 50 }, (_, i) => nodes.insertOne({ _id: `${round}-${i}`, ...node })),
        );
        t.equal(kept, 1);
        t.ok(errors.every((error) => Object(error).code === 11000 && Object(error).keyPattern?.sort === 1));
        t.equal(await nodes.countDocuments(node), 1);
      }
    },
  );

  await t.test('renames to one name: one wins, the others keep their names', async (t) => {
    const nodes = db.collection<Node>('nodes');
    await nodes.insertMany(
      Array.from({ length: 50 }, (_, i) => ({
        _id: `r${i}`,
        ownerId: 'r',
        parentId: 'p',
        sort: `old ${i}`,
        live: true,
        rev: 1,
      })),
    );
    const { kept, errors } = await tally(
      Array.from({ length: 50 }, (_, i) =>
        nodes.findOneAndUpdate({ _id: `r${i}`, rev: 1 }, { $set: { sort: 'new' }, $inc: { rev: 1 } }),
      ),
    );
    t.equal(kept, 1);
    t.ok(errors.every((error) => Object(error).code === 11000 && Object(error).keyPattern?.sort === 1));
    t.equal(await nodes.countDocuments({ ownerId: 'r', rev: 1 }), 49);
  });

  await t.test('unordered batches that meet: each name has one winner, and everything else goes in', async (t) => {
    const nodes = db.collection<Node>('nodes');
    for (let round = 0; round < 5; round++) {
      let inserted = 0;
      const failures: unknown[] = [];
      await Promise.all(
        Array.from({ length: 12 }, async (_, batch) => {
          // Shared names in another order in each batch, so that batches wait for each other in circles.
          const shared = Array.from({ length: 10 }, (_, i) => (i * (batch + 1)) % 11);
          const documents = [...shared, `own ${batch}`].map((name, i) => ({
            _id: `b${round}-${batch}-${i}`,
            ownerId: 'b',
            parentId: `p${round}`,
            sort: String(name),
            live: true,
          }));
          try {
            inserted += (await nodes.insertMany(documents, { ordered: false })).insertedCount;
          } catch (error) {
            if (!(error instanceof MongoBulkWriteError)) throw error;
            inserted += error.insertedCount;
            const errors = [error.writeErrors].flat();
            failures.push(...errors.filter(({ code }) => code !== 11000));
            if (new Set(errors.map(({ index }) => index)).size + error.insertedCount !== documents.length)
              failures.push('places');
          }
        }),
      );
      t.strictSame(failures, []);
      const names = await nodes.distinct('sort', { ownerId: 'b', parentId: `p${round}` });
      t.equal(names.length, 11 + 12);
      t.equal(await nodes.countDocuments({ ownerId: 'b', parentId: `p${round}` }), names.length);
      t.equal(inserted, names.length);
    }
  });

  await t.test('500 at once take from a limit: exactly what fits goes through', async (t) => {
    const usage = db.collection<Node>('usage');
    await usage.insertOne({ _id: 'account', used: 0, limit: 1_000 });
    const results = await Promise.all(
      Array.from({ length: 500 }, () =>
        usage.updateOne({ _id: 'account', $expr: { $lte: [{ $add: ['$used', 7] }, '$limit'] } }, { $inc: { used: 7 } }),
      ),
    );
    t.equal(
      results.reduce((sum, { modifiedCount }) => sum + modifiedCount, 0),
      142,
    );
    t.match(await usage.findOne({ _id: 'account' }), { used: 994 });
  });

  await t.test('of updates on one revision one goes through', async (t) => {
    const nodes = db.collection<Node>('nodes');
    await nodes.insertOne({ _id: 'rev', ownerId: 'v', parentId: 'p', sort: 'v', live: true, rev: 1 });
    for (let rev = 1; rev <= 10; rev++) {
      const won = await Promise.all(
        Array.from({ length: 40 }, () => nodes.findOneAndUpdate({ _id: 'rev', rev }, { $inc: { rev: 1 } })),
      );
      t.equal(won.filter((node) => node !== null).length, 1);
    }
  });

  await t.test('upserts of one key make one document', async (t) => {
    const counters = db.collection<Node>('counters');
    const { kept, errors } = await tally(
      Array.from({ length: 50 }, () => counters.updateOne({ _id: 'one' }, { $inc: { n: 1 } }, { upsert: true })),
    );
    t.ok(errors.every((error) => Object(error).code === 11000));
    t.match(await counters.findOne({ _id: 'one' }), { n: kept });
  });
});
