import { connect } from 'node:net';
import { deserialize, serialize } from 'bson';
import { OP_MSG, opMsg } from '../documentdb/wire.ts';

/** Connects, says something, and gives the first bytes of the answer; '' when nobody answers in time. */
function ask(port: number, words: Buffer | undefined, enough: (answer: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve) => {
    let answer: Buffer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' });
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, done);
    socket.on('error', done).on('close', done);
    socket.on('data', (data) => {
      answer = Buffer.concat([answer, data]);
      if (enough(answer)) done();
    });
    if (words !== undefined) socket.write(words);
  });
}

/** True when a MongoDB server answers `ping` on this port of 127.0.0.1. */
export async function mongodbReady(port: number): Promise<boolean> {
  const ping = Buffer.from(serialize({ ping: 1, $db: 'admin' }));
  const answer = await ask(
    port,
    opMsg(1, 0, ping),
    (bytes) => bytes.length >= 16 && bytes.length >= bytes.readInt32LE(0),
  );
  if (answer.length < 21 || answer.readInt32LE(12) !== OP_MSG) return false;
  return Number(deserialize(answer.subarray(21)).ok) === 1;
}

/** True when a NATS server with JetStream greets on this port. */
export async function natsReady(port: number): Promise<boolean> {
  const answer = await ask(port, undefined, (bytes) => bytes.includes('\r\n'));
  return answer.includes('"jetstream":true');
}

/** True when Redis answers, and has read its data (-LOADING before). */
export async function redisReady(port: number): Promise<boolean> {
  const answer = await ask(port, Buffer.from('PING\r\n'), (bytes) => bytes.includes('\r\n'));
  return answer.includes('+PONG');
}
