import { createServer, type Server, type Socket } from 'node:net';
import { ConnectionLost, SqlError } from './backend.ts';
import { bytesOfReply, Commands, hello, replyToError } from './commands.ts';
import { headOf } from './fields.ts';
import { Frames } from './frames.ts';
import type { Pool } from './pool.ts';
import { maxMessageBytes, opMsg, opReply, readMessage } from './wire.ts';

export interface DocumentServer {
  /** Not listening yet. */
  server: Server;
  /** Ends the listening and all connections. */
  close(): void;
}

/** MongoDB's door to a PostgreSQL with the DocumentDB extension. `log` gets a line for what no client is told. */
export function documentServer(pool: Pool, log: (line: string) => void): DocumentServer {
  const commands = new Commands(pool);
  const sockets = new Set<Socket>();
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
    // As a server that is not there: drivers then wait for it, instead of sending what would only fail.
    if (!pool.available) {
      socket.destroy();
      return;
    }
    const connectionId = ++connections;
    const waiting: Buffer[] = [];
    let busy = false;
    sockets.add(socket);
    const work = async () => {
      busy = true;
      for (let bytes = waiting.shift(); bytes !== undefined && !socket.destroyed; bytes = waiting.shift()) {
        const reply = await answer(bytes, connectionId);
        if (reply !== undefined) socket.write(reply);
      }
      busy = false;
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

  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  pool.onLost = drop;
  return {
    server,
    close: () => {
      server.close();
      drop();
      commands.close();
      pool.close();
    },
  };
}
