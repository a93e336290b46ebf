import { createServer } from 'node:net';

const PORTS_TRIED = 200;

/**
 * The first port, counting up from `wanted`, that can be listened on at `host`. Nothing is reserved: another process
 * may take it before the caller does.
 */
export async function nextFreePort(wanted: number, host: string): Promise<number> {
  if (wanted === 0) return 0;
  for (let port = wanted; port < Math.min(wanted + PORTS_TRIED, 65_536); port++) {
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port on ${host} from ${wanted} on: set PORT to one that is free`);
}

function isFree(port: number, host: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
    else reject(error);
  });
  server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
