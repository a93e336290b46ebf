import { readFileSync } from 'node:fs';
import { type Document, Long, MongoServerError } from 'mongodb';
import t from 'tap';
import { codeOf, unpackSqlstate } from '../documentdb/errors.ts';
import { documentdb, refusal, skip } from './documentdb-fixture.ts';

interface Item extends Document {
  _id: string | number;
}

t.test("every SQLSTATE of the extension has its MongoDB code, and PostgreSQL's packed form is read", async (t) => {
  const table: Record<string, string> = JSON.parse(
    readFileSync(new URL('../documentdb/errors.json', import.meta.url), 'utf8'),
  );
  t.ok(Object.keys(table).length > 500);
  for (const [sqlstate, text] of Object.entries(table)) {
    const { code, codeName } = codeOf(sqlstate);
    if (`${code} ${codeName}` !== text || !/^[0-9A-Z]{5}$/.test(sqlstate)) t.fail(sqlstate);
  }
  t.equal(unpackSqlstate(319_029_277), 'M001C');
  t.equal(unpackSqlstate(16_908_292), '40P01');
  t.same(codeOf('M001C'), { code: 11000, codeName: 'DuplicateKey' });
  t.same(codeOf('23505'), { code: 11000, codeName: 'DuplicateKey' });
  t.same(codeOf('XX000'), { code: 8, codeName: 'UnknownError' });
});

t.test('errors as MongoDB reports them', { skip }, async (t) => {
  const { db } = await documentdb(t);
  const items = db.collection<Item>('items');
  await items.createIndex({ n: 1 }, { unique: true, name: 'n_once' });
  await items.insertMany([
    { _id: 1, n: 1, text: 'a', list: [1] },
    { _id: 2, n: 2 },
  ]);

  const commands: [string, Document, number, string][] = [
    ['an unknown command', { nonsense: 1 }, 59, 'CommandNotFound'],
    ['an unknown operator in a filter', { find: 'items', filter: { n: { $nonsense: 1 } } }, 2, 'BadValue'],
    [
      'an unknown stage',
      { aggregate: 'items', pipeline: [{ $nonsense: {} }], cursor: {} },
      40324,
      'UnrecognizedCommand',
    ],
    ['a cursor that is not there', { getMore: Long.fromNumber(12_345), collection: 'items' }, 43, 'CursorNotFound'],
    ['an index that is not there', { dropIndexes: 'items', index: 'nonsense' }, 27, 'IndexNotFound'],
    [
      'an index of the same name with other keys',
      { createIndexes: 'items', indexes: [{ key: { other: 1 }, name: 'n_once' }] },
      86,
      'IndexKeySpecsConflict',
    ],
    [
      'an index with a bad key',
      { createIndexes: 'items', indexes: [{ key: { a: 'x' }, name: 'bad' }] },
      67,
      'CannotCreateIndex',
    ],
    ['a collection that is there', { create: 'items', viewOn: 'other', pipeline: [] }, 48, 'NamespaceExists'],
    ['a bad name of a collection', { create: 'a$b' }, 73, 'InvalidNamespace'],
    [
      'findAndModify with an update and remove',
      { findAndModify: 'items', query: {}, update: {}, remove: true },
      9,
      'FailedToParse',
    ],
    [
      'findAndModify on a taken key',
      { findAndModify: 'items', query: { _id: 1 }, update: { $set: { n: 2 } } },
      11000,
      'DuplicateKey',
    ],
    [
      'findAndModify on the id',
      { findAndModify: 'items', query: { _id: 1 }, update: { $set: { _id: 2 } } },
      66,
      'ImmutableField',
    ],
    [
      'a transaction',
      { find: 'items', autocommit: false, startTransaction: true, txnNumber: Long.fromNumber(1) },
      20,
      'IllegalOperation',
    ],
    ['a limit of time', { aggregate: 'items', pipeline: [slow()], cursor: {}, maxTimeMS: 50 }, 50, 'MaxTimeMSExpired'],
  ];
  for (const [what, command, code, codeName] of commands) {
    await t.test(`command: ${what}: ${code}`, async (t) => {
      const error = await refusal(db.command(command));
      t.equal(error.code, code, error.message);
      if (codeName !== '') t.equal(error.codeName, codeName);
      t.ok(error.message.length > 5);
    });
  }

  const writes: [string, () => Promise<unknown>, number][] = [
    ['a taken id', () => items.insertOne({ _id: 1 }), 11000],
    ['a taken key', () => items.insertOne({ _id: 9, n: 1 }), 11000],
    ['an update to a taken key', () => items.updateOne({ _id: 1 }, { $set: { n: 2 } }), 11000],
    ['an upsert with a taken key', () => items.updateOne({ _id: 9 }, { $set: { n: 2 } }, { upsert: true }), 11000],
    ['an unknown modifier', () => items.updateOne({ _id: 1 }, { $nonsense: { a: 1 } } as Document), 9],
    ['$inc of a text', () => items.updateOne({ _id: 1 }, { $inc: { text: 1 } }), 14],
    ['$push to a text', () => items.updateOne({ _id: 1 }, { $push: { text: 1 } } as Document), 2],
    ['a changed id', () => items.updateOne({ _id: 1 }, { $set: { _id: 7 } }), 66],
    ['two modifiers of one field', () => items.updateOne({ _id: 1 }, { $set: { a: 1 }, $inc: { a: 1 } }), 40],
    ['a path through a number', () => items.updateOne({ _id: 1 }, { $set: { 'n.x': 1 } }), 28],
  ];
  for (const [what, write, code] of writes) {
    await t.test(`write: ${what}: ${code}`, async (t) => {
      const error = await refusal(write());
      t.equal(error.code, code, error.message);
      if (code === 11000)
        t.match(error.message, /^E11000 duplicate key error collection: test\.items index: (_id_|n_once) dup key/);
    });
  }

  await t.test('a duplicate key names its index and pattern, however it came about', async (t) => {
    const errors = [
      await refusal(items.insertOne({ _id: 9, n: 1 })),
      await refusal(items.updateOne({ _id: 1 }, { $set: { n: 2 } })),
      await refusal(items.findOneAndUpdate({ _id: 1 }, { $set: { n: 2 } })),
    ];
    for (const error of errors) {
      t.ok(error instanceof MongoServerError);
      t.match(error.message, / index: n_once /);
      t.same(error.keyPattern, { n: 1 });
    }
    t.same((await refusal(items.insertOne({ _id: 1 }))).keyPattern, { _id: 1 });
  });

  t.same(await items.find().sort({ _id: 1 }).toArray(), [
    { _id: 1, n: 1, text: 'a', list: [1] },
    { _id: 2, n: 2 },
  ]);
});

/** A stage that takes seconds. */
function slow(): Document {
  const add = { $add: ['$$value', '$$this'] };
  return { $set: { sum: { $reduce: { input: { $range: [0, 3_000_000] }, initialValue: 0, in: add } } } };
}
