import { createServer, type Server, type Socket } from 'node:net';
import { ConnectionLost, SqlError } from './backend.ts';
import { bytesOfReply, Commands, hello, replyToError } from './commands.ts';
import { headOf } from './fields.ts';
import { Frames } from './frames.ts';
import type { Pool } from './pool.ts';
import { maxMessageBytes, opMsg, opReply, readMessage } from './wire.ts';

export interface DocumentServerOptions {
  pool: Pool;
  host: string;
  port: number;
  /** Gets a line for what no client is told. */
  log(line: string): void;
}

/**
 * MongoDB's door to a PostgreSQL with the DocumentDB extension. It listens only while PostgreSQL is there: drivers then see a server that is
 * down, and wait for it. An error of the listening is emitted by the server. Gives what ends it all.
 */
export function documentServer({ pool, host, port, log }: DocumentServerOptions): { server: Server; close(): void } {
  const commands = new Commands(pool);
  /** Each with whether a command is being answered. */
  const sockets = new Map<Socket, boolean>();
  let connections = 0;
  let requests = 0;

  /** Answers one message; undefined where there is nothing to answer. Throws where the connection has to end. */
  const answer = async (bytes: Buffer, connectionId: number): Promise<Buffer | undefined> => {
    const { requestId, legacy, silent, body, sequence } = readMessage(bytes);
    requests = (requests + 1) & 0x7fffffff;
    const id = requests;
    let reply: Buffer;
    try {
      const head = headOf(body);
      const isHello = head.name === 'hello' || head.name === 'ismaster' || head.name === 'isMaster';
      reply = bytesOfReply(isHello ? hello(connectionId) : await commands.run(head, body, sequence));
    } catch (error) {
      const known = replyToError(error);
      if (known === undefined) throw error;
      if (error instanceof SqlError && !/^(M|23|40|57014)/.test(error.sqlstate))
        log(`${error.sqlstate} ${error.message}`);
      reply = bytesOfReply(known);
    }
    if (silent) return undefined;
    return legacy ? opReply(id, requestId, reply) : opMsg(id, requestId, reply);
  };

  const server = createServer({ noDelay: true }, (socket) => {
    const connectionId = ++connections;
    const waiting: Buffer[] = [];
    let busy = false;
    sockets.set(socket, false);
    const work = async () => {
      busy = true;
      sockets.set(socket, true);
      for (let bytes = waiting.shift(); bytes !== undefined && !socket.destroyed; bytes = waiting.shift()) {
        const reply = await answer(bytes, connectionId);
        if (reply !== undefined) socket.write(reply);
      }
      busy = false;
      if (!socket.destroyed) sockets.set(socket, false);
    };
    const fail = (error: unknown) => {
      if (!(error instanceof ConnectionLost || error instanceof SqlError)) log(String(error));
      socket.destroy();
    };
    const frames = new Frames(0, 0, maxMessageBytes, 'LE', (bytes) => {
      waiting.push(bytes);
      if (!busy) work().catch(fail);
    });
    socket.on('data', (data) => {
      try {
        frames.push(data);
      } catch (error) {
        fail(error);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });

  const dropAll = () => {
    for (const socket of sockets.keys()) socket.destroy();
  };
  /**
   * First of all the connections over which drivers ask how the server is: a question that is asked while its connection is being closed
   * is one whose answer the official driver waits for until its connectTimeoutMS. And a lost command is what makes it ask.
   */
  const dropIdle = () => {
    for (const [socket, busy] of sockets) if (!busy) socket.destroy();
  };
  pool.onAvailable = () => {
    server.listen(port, host, () => log(`listening on ${host}:${port}`));
  };
  pool.onLost = () => {
    log('PostgreSQL is away');
    server.close();
    dropIdle();
    setTimeout(dropAll, 25);
  };
  pool.start();
  return {
    server,
    close: () => {
      server.close();
      dropAll();
      commands.close();
      pool.close();
    },
  };
}
