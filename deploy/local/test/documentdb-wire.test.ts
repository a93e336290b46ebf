import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deserialize, serialize } from 'bson';
import t from 'tap';
import { fieldsOf, headOf } from '../documentdb/fields.ts';
import { Frames } from '../documentdb/frames.ts';
import { OP_MSG, OP_QUERY, OP_REPLY, opMsg } from '../documentdb/wire.ts';
import { documentdb, skip } from './documentdb-fixture.ts';

t.test('messages are found in any cut of the stream', async (t) => {
  const messages = [4, 5, 16, 1_000, 70_000, 4].map((size, i) => {
    const message = Buffer.alloc(size, i);
    message.writeInt32LE(size, 0);
    return message;
  });
  const stream = Buffer.concat(messages);
  for (const step of [1, 3, 4, 7, 64, 4_096, 65_536, stream.length]) {
    const found: Buffer[] = [];
    const frames = new Frames(0, 0, 100_000, 'LE', (message) => found.push(Buffer.from(message)));
    for (let at = 0; at < stream.length; at += step) frames.push(stream.subarray(at, at + step));
    t.strictSame(found, messages, `in pieces of ${step}`);
  }
  for (const size of [-1, 0, 3, 100_001]) {
    const length = Buffer.alloc(8);
    length.writeInt32LE(size, 0);
    t.throws(() => new Frames(0, 0, 100_000, 'LE', () => {}).push(length), RangeError);
  }
});

t.test('a command is sorted by its first field, $db and autocommit, whatever else is in it', async (t) => {
  const body = Buffer.from(
    serialize({
      insert: 'nodes',
      a: /x/g,
      documents: [{ $db: 'no' }],
      txnNumber: 1,
      autocommit: false,
      $db: 'päth',
      z: null,
    }),
  );
  t.match(headOf(body), { name: 'insert', target: 'nodes', db: 'päth', transaction: true });
  t.match(headOf(Buffer.from(serialize({ ping: 1, autocommit: true, $db: 'admin' }))), {
    name: 'ping',
    target: '',
    transaction: false,
  });
  t.strictSame(
    [...fieldsOf(body)].map(({ name }) => name),
    ['insert', 'a', 'documents', 'txnNumber', 'autocommit', '$db', 'z'],
  );
  for (let at = 0; at < body.length; at++) {
    const broken = Buffer.from(body);
    broken[at] = 0xff;
    try {
      headOf(broken);
    } catch (error) {
      if (!(error instanceof RangeError)) t.fail(`byte ${at}: ${error}`);
    }
  }
});

t.test('the protocol itself', { skip }, async (t) => {
  const { port, db } = await documentdb(t);
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    const replies: Buffer[] = [];
    const waiting: (() => void)[] = [];
    const frames = new Frames(0, 0, 48_000_000, 'LE', (reply) => {
      replies.push(Buffer.from(reply));
      waiting.shift()?.();
    });
    socket.on('data', (data) => frames.push(data)).on('error', () => {});
    const next = async () => {
      if (replies.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      return replies.shift() ?? Buffer.alloc(0);
    };
    return { socket, next };
  };
  const command = (id: number, document: object) => opMsg(id, 0, Buffer.from(serialize({ ...document, $db: 'test' })));
  const bodyOf = (reply: Buffer) => deserialize(reply.subarray(21));

  await t.test('the first hello may be an OP_QUERY and is answered by an OP_REPLY: a standalone', async (t) => {
    const { socket, next } = await open();
    const body = Buffer.from(serialize({ ismaster: 1, helloOk: true }));
    const head = Buffer.alloc(20);
    head.writeInt32LE(7, 4);
    head.writeInt32LE(OP_QUERY, 12);
    const rest = Buffer.from('admin.$cmd\0\0\0\0\0\xff\xff\xff\xff', 'latin1');
    head.writeInt32LE(head.length + rest.length + body.length, 0);
    socket.write(Buffer.concat([head, rest, body]));
    const reply = await next();
    t.equal(reply.readInt32LE(8), 7);
    t.equal(reply.readInt32LE(12), OP_REPLY);
    const hello = deserialize(reply.subarray(36));
    t.match(hello, { ok: 1, ismaster: true, isWritablePrimary: true, maxWireVersion: 21 });
    t.equal(hello.setName, undefined);
  });

  await t.test('commands that are sent without waiting are answered in their order', async (t) => {
    const { socket, next } = await open();
    const inserts = Array.from({ length: 20 }, (_, i) => command(i + 1, { insert: 'order', documents: [{ _id: i }] }));
    socket.write(Buffer.concat([...inserts, command(99, { count: 'order' })]));
    for (let id = 1; id <= 20; id++) {
      const reply = await next();
      t.equal(reply.readInt32LE(8), id);
      t.equal(reply.readInt32LE(12), OP_MSG);
    }
    t.match(bodyOf(await next()), { n: 20, ok: 1 });
  });

  await t.test('documents beside the body are inserted; a message that wants no answer gets none', async (t) => {
    const { socket, next } = await open();
    const documents = Buffer.concat([serialize({ _id: 1 }), serialize({ _id: 2 })]);
    const section = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from('documents\0'), documents]);
    section.writeInt32LE(section.length - 1, 1);
    const message = Buffer.concat([command(1, { insert: 'beside' }), section]);
    message.writeInt32LE(message.length, 0);
    message.writeUInt32LE(2, 16); // moreToCome
    socket.write(Buffer.concat([message, command(2, { ping: 1 })]));
    const reply = await next();
    t.equal(reply.readInt32LE(8), 2);
    t.equal(await db.collection('beside').countDocuments(), 2);
  });

  const nonsense: [string, Buffer][] = [
    ['an impossible length', Buffer.from('ffffff7f0000000000000000dd070000', 'hex')],
    ['a negative length', Buffer.from('ffffffff0000000000000000dd070000', 'hex')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['an unknown operation', Buffer.from('15000000010000000000000001000000000000000000', 'hex')],
    [
      'a section that is longer than its message',
      Buffer.from('1a000000010000000000000dd07000000000000000ff000000'.padEnd(52, '0'), 'hex'),
    ],
  ];
  for (const [what, bytes] of nonsense) {
    await t.test(`${what} ends that connection alone`, async (t) => {
      const { socket } = await open();
      const closed = once(socket, 'close');
      socket.write(bytes);
      await closed;
      t.equal((await db.command({ ping: 1 })).ok, 1);
    });
  }

  await t.test('a body that is no BSON is refused', async (t) => {
    const { socket, next } = await open();
    const body = Buffer.from(serialize({ ping: 1, $db: 'test' }));
    body[4] = 0x77;
    socket.write(opMsg(1, 0, body));
    t.match(bodyOf(await next()), { ok: 0, code: 22, codeName: 'InvalidBSON' });
  });
});
