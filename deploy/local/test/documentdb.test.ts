import { Binary, type Document, Long, MongoBulkWriteError, ObjectId } from 'mongodb';
import t from 'tap';
import { documentdb, skip } from './documentdb-fixture.ts';

interface Item extends Document {
  _id: string | number;
}

t.test('the official driver through the DocumentDB gateway', { skip }, async (t) => {
  const { client, db } = await documentdb(t);

  await t.test('documents come back with the types that they were stored with', async (t) => {
    const types = db.collection<Item>('types');
    const item = {
      _id: 'one',
      double: 1.5,
      int: 2_147_483_647,
      big: Long.fromString('9007199254740993'),
      exact: 9_007_199_254_740_991,
      text: 'Ünïcödé 🎈\u0000x',
      date: new Date('2026-01-02T03:04:05.678Z'),
      bytes: new Binary(Buffer.from([0, 1, 255])),
      id: new ObjectId(),
      nothing: null,
      yes: true,
      list: [1, [2, { three: 3 }]],
      nested: { empty: {}, expression: /a.b/i },
    };
    await types.insertOne(item);
    const found = await types.findOne({ _id: 'one' }, { promoteLongs: false });
    t.match(found?.big, Long.fromString('9007199254740993'));
    const promoted = await types.findOne({ _id: 'one' }, { projection: { big: 0 } });
    const { big: _, ...rest } = item;
    t.strictSame(promoted, rest);
  });

  await t.test('insert, replace, update, delete, and the counts that they report', async (t) => {
    const items = db.collection<Item>('items');
    t.equal(
      (
        await items.insertMany([
          { _id: 1, n: 1 },
          { _id: 2, n: 2 },
          { _id: 3, n: 3 },
        ])
      ).insertedCount,
      3,
    );
    t.match(await items.updateMany({ n: { $gte: 2 } }, { $inc: { n: 10 } }), { matchedCount: 2, modifiedCount: 2 });
    t.match(await items.updateOne({ _id: 1 }, { $set: { n: 1 } }), { matchedCount: 1, modifiedCount: 0 });
    t.match(await items.updateOne({ _id: 9 }, { $set: { n: 9 } }, { upsert: true }), {
      upsertedId: 9,
      upsertedCount: 1,
    });
    t.match(await items.replaceOne({ _id: 9 }, { m: 1 }), { modifiedCount: 1 });
    t.strictSame(await items.findOne({ _id: 9 }), { _id: 9, m: 1 });
    t.match(await items.deleteOne({ _id: 9 }), { deletedCount: 1 });
    t.equal(await items.countDocuments({ n: { $gt: 1 } }), 2);
    t.equal(await items.estimatedDocumentCount(), 3);
    t.strictSame((await items.distinct('n')).sort(), [1, 12, 13]);
    t.match(await items.deleteMany({}), { deletedCount: 3 });
  });

  await t.test('findOneAndUpdate gives the document before or after, and null where nothing matched', async (t) => {
    const items = db.collection<Item>('modified');
    await items.insertOne({ _id: 'a', rev: 1 });
    t.strictSame(await items.findOneAndUpdate({ _id: 'a', rev: 1 }, { $inc: { rev: 1 } }), { _id: 'a', rev: 1 });
    t.strictSame(await items.findOneAndUpdate({ _id: 'a' }, { $inc: { rev: 1 } }, { returnDocument: 'after' }), {
      _id: 'a',
      rev: 3,
    });
    t.equal(await items.findOneAndUpdate({ _id: 'a', rev: 1 }, { $inc: { rev: 1 } }), null);
    t.strictSame(await items.findOneAndDelete({ _id: 'a' }, { projection: { _id: 0 } }), { rev: 3 });
  });

  await t.test('$push with $each, $slice and $position, $pull, and updates that are pipelines', async (t) => {
    const items = db.collection<Item>('arrays');
    await items.insertOne({ _id: 'a', versions: [1, 2, 3], size: 5 });
    await items.updateOne({ _id: 'a' }, { $push: { versions: { $each: [4], $position: 0, $slice: 3 } } } as Document);
    t.strictSame(await items.findOne({ _id: 'a' }), { _id: 'a', versions: [4, 1, 2], size: 5 });
    await items.updateOne({ _id: 'a' }, { $pull: { versions: { $in: [1, 2] } } } as Document);
    await items.updateOne({ _id: 'a' }, [
      { $set: { size: { $add: ['$size', { $size: '$versions' }] }, old: '$size' } },
    ]);
    t.strictSame(await items.findOne({ _id: 'a' }), { _id: 'a', versions: [4], size: 6, old: 5 });
  });

  await t.test(
    'an unordered batch does all that it can, and names the operations that failed by their place',
    async (t) => {
      const items = db.collection<Item>('bulk');
      await items.createIndex({ name: 1 }, { unique: true, name: 'names' });
      await items.insertOne({ _id: 'there', name: 'taken' });
      const error = await items
        .bulkWrite(
          [
            { insertOne: { document: { _id: 1, name: 'a' } } },
            { insertOne: { document: { _id: 1, name: 'b' } } },
            { insertOne: { document: { _id: 3, name: 'taken' } } },
            { insertOne: { document: { _id: 4, name: 'd' } } },
            { updateOne: { filter: { _id: 'new' }, update: { $set: { name: 'e' } }, upsert: true } },
            { updateOne: { filter: { _id: 4 }, update: { $set: { name: 'a' } } } },
            { updateOne: { filter: { _id: 4 }, update: { $set: { more: 1 } } } },
            { deleteOne: { filter: { _id: 'there' } } },
          ],
          { ordered: false },
        )
        .catch((reason: unknown) => reason);
      if (!(error instanceof MongoBulkWriteError)) throw error;
      const failures = [error.writeErrors].flat();
      t.strictSame(
        failures.map(({ index, code }) => [index, code]),
        [
          [1, 11000],
          [2, 11000],
          [5, 11000],
        ],
      );
      t.match(failures[0]?.errmsg, /index: _id_ /);
      t.match(failures[1]?.errmsg, /index: names /);
      t.match(error.result, { insertedCount: 2, modifiedCount: 1, deletedCount: 1, upsertedCount: 1 });
      t.equal(error.result.upsertedIds[4], 'new');
    },
  );

  await t.test('an ordered batch stops at the first failure', async (t) => {
    const items = db.collection<Item>('ordered');
    const error = await items.insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }]).catch((reason: unknown) => reason);
    if (!(error instanceof MongoBulkWriteError)) throw error;
    t.strictSame(
      [error.writeErrors].flat().map(({ index }) => index),
      [1],
    );
    t.equal(await items.countDocuments(), 1);
  });

  await t.test('indexes of every kind that the services use are made and listed as they were asked for', async (t) => {
    const items = db.collection<Item>('indexed');
    await items.createIndexes([
      {
        key: { owner: 1, parent: 1, sort: 1 },
        unique: true,
        partialFilterExpression: { live: true },
        name: 'live_names',
      },
      { key: { outboxAt: 1 }, sparse: true, name: 'outbox' },
      { key: { expiresAt: 1 }, expireAfterSeconds: 60, name: 'expiry' },
    ]);
    // Again, as each instance does when it starts.
    await items.createIndexes([{ key: { outboxAt: 1 }, sparse: true, name: 'outbox' }]);
    const indexes = await items.indexes();
    t.match(
      indexes.find(({ name }) => name === 'live_names'),
      { unique: true, key: { owner: 1, parent: 1, sort: 1 }, partialFilterExpression: { live: true } },
    );
    t.match(
      indexes.find(({ name }) => name === 'outbox'),
      { sparse: true },
    );
    t.match(
      indexes.find(({ name }) => name === 'expiry'),
      { expireAfterSeconds: 60 },
    );

    const name = { owner: 1, parent: 1, sort: 'a' };
    await items.insertOne({ _id: 'trashed', ...name, live: false });
    await items.insertOne({ _id: 'live', ...name, live: true });
    await t.rejects(items.insertOne({ _id: 'other', ...name, live: true }), {
      code: 11000,
      keyPattern: { owner: 1, parent: 1, sort: 1 },
    });
    await t.rejects(items.updateOne({ _id: 'trashed' }, { $set: { live: true } }), { code: 11000 });
    await items.dropIndex('live_names');
    await items.insertOne({ _id: 'other', ...name, live: true });
  });

  await t.test('names are listed in the order of their UTF-8 bytes', async (t) => {
    const names = ['a', 'B', 'é', 'z', '\u{1F388}', '\uFB01', 'a/', 'a0', 'a-'];
    const items = db.collection<Item>('order');
    await items.createIndex({ sort: 1 });
    await items.insertMany(names.map((sort, _id) => ({ _id, sort })));
    const listed = (await items.find().sort({ sort: 1 }).toArray()).map(({ sort }) => sort);
    t.strictSame(
      listed,
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
  });

  await t.test('$graphLookup walks up a chain of folders', async (t) => {
    const nodes = db.collection<Item>('nodes');
    await nodes.insertMany([
      { _id: 'root', parent: null },
      { _id: 'a', parent: 'root' },
      { _id: 'b', parent: 'a' },
      { _id: 'c', parent: 'b' },
    ]);
    const [found] = await nodes
      .aggregate([
        { $match: { _id: 'c' } },
        {
          $graphLookup: {
            from: 'nodes',
            startWith: '$parent',
            connectFromField: 'parent',
            connectToField: '_id',
            as: 'above',
            depthField: 'depth',
          },
        },
      ])
      .toArray();
    const above: { _id: string; depth: number }[] = found?.above ?? [];
    t.strictSame(
      above.sort((a, b) => Number(a.depth) - Number(b.depth)).map(({ _id }) => _id),
      ['b', 'a', 'root'],
    );
  });

  await t.test('a cursor over 3,000 documents gives each once; one that is closed early is gone', async (t) => {
    const many = db.collection<Item>('many');
    await many.insertMany(Array.from({ length: 3_000 }, (_, _id) => ({ _id, text: 'x'.repeat(100) })));
    const seen = new Set<unknown>();
    for await (const { _id } of many.find({}, { batchSize: 100 })) seen.add(_id);
    t.equal(seen.size, 3_000);
    const grouped = await many
      .aggregate([{ $sort: { text: 1, _id: -1 } }, { $project: { _id: 1 } }], { batchSize: 500 })
      .toArray();
    t.strictSame(
      grouped.map(({ _id }) => _id),
      Array.from({ length: 3_000 }, (_, i) => 2_999 - i),
    );
    const closed = many.find({}, { batchSize: 10 });
    await closed.next();
    const id = closed.id;
    await closed.close();
    await t.rejects(db.command({ getMore: id, collection: 'many' }), { code: 43, codeName: 'CursorNotFound' });
  });

  await t.test('sixty sorted cursors stay open side by side while their collection is written to', async (t) => {
    const items = db.collection<Item>('open');
    await items.insertMany(Array.from({ length: 1_000 }, (_, _id) => ({ _id, n: (_id * 7_919) % 1_000 })));
    const cursors = Array.from({ length: 60 }, () => items.find().sort({ n: 1 }).batchSize(50));
    const counts = await Promise.all(
      cursors.map(async (cursor, i) => {
        let count = 0;
        for await (const { _id } of cursor)
          if (count++ % 50 === 0) await items.updateOne({ _id }, { $inc: { [`c${i}`]: 1 } });
        return count;
      }),
    );
    t.strictSame(
      counts,
      counts.map(() => 1_000),
    );
  });

  await t.test('a document of 15 MB goes in and out, and so does a batch of 20 MB', async (t) => {
    const large = db.collection<Item>('large');
    const bytes = new Binary(Buffer.alloc(15_000_000, 7));
    await large.insertOne({ _id: 'large', bytes });
    const found = await large.findOne({ _id: 'large' });
    t.ok(found?.bytes instanceof Binary && Buffer.compare(found.bytes.buffer, bytes.buffer) === 0);
    await large.insertMany(
      Array.from({ length: 20 }, (_, _id) => ({ _id, bytes: new Binary(Buffer.alloc(1_000_000)) })),
    );
    t.equal(await large.countDocuments(), 21);
    // More operations than fit one message: the driver has to be told the engine's limit.
    const { insertedCount } = await db
      .collection<Item>('batch')
      .insertMany(Array.from({ length: 30_000 }, (_, _id) => ({ _id })));
    t.equal(insertedCount, 30_000);
  });

  await t.test('writes without an answer (w: 0) happen, and do not disturb those with one', async (t) => {
    const items = db.collection<Item>('silent');
    await Promise.all(
      Array.from({ length: 50 }, (_, _id) => items.insertOne({ _id }, { writeConcern: { w: _id % 2 } })),
    );
    for (let tries = 0; tries < 100 && (await items.countDocuments()) < 50; tries++)
      await new Promise((done) => setTimeout(done, 20));
    t.equal(await items.countDocuments(), 50);
  });

  await t.test('collections and databases are listed and dropped, and can be made again', async (t) => {
    const other = client.db('other');
    await other.createCollection('made');
    await other.collection('written').insertOne({});
    const names = (await other.listCollections().toArray()).map(({ name }) => name);
    t.strictSame(names.sort(), ['made', 'written']);
    t.ok((await client.db().admin().listDatabases()).databases.some(({ name }) => name === 'other'));
    t.equal(await other.dropCollection('made'), true);
    t.equal(await other.dropDatabase(), true);
    t.strictSame(await other.listCollections().toArray(), []);
    await other.collection('written').insertOne({});
    t.equal(await other.collection('written').countDocuments(), 1);
  });

  await t.test('a transaction is refused before it writes', async (t) => {
    const items = db.collection<Item>('transactions');
    const session = client.startSession();
    session.startTransaction();
    await t.rejects(items.insertOne({ _id: 1 }, { session }));
    await session.abortTransaction().catch(() => {});
    await session.endSession();
    t.equal(await items.countDocuments(), 0);
  });
});
