/**
 * What Coffer is compared with: a plain Node server that streams files durably to a folder and back, and does nothing else. No accounts,
 * no tree, no digests, no second process. `node bare-server.ts FOLDER`: says where it listens over IPC, and ends with its parent.
 */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = ''] = process.argv.slice(2);
if (folder === '') throw new Error('usage: bare-server.ts FOLDER');
const temporary = path.join(folder, 'tmp');
const files = path.join(folder, 'files');
await mkdir(temporary, { recursive: true });
await mkdir(files, { recursive: true });
let writes = 0;

async function put(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
  const temp = path.join(temporary, String(++writes));
  try {
    const file = await open(temp, 'w');
    try {
      for await (const chunk of request) await file.write(chunk);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temp, path.join(files, name));
    const directory = await open(files, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  response.writeHead(201, { 'content-length': 0 }).end();
}

async function get(response: ServerResponse, name: string): Promise<void> {
  const file = await open(path.join(files, name), 'r');
  try {
    const { size } = await file.stat();
    response.writeHead(200, { 'content-length': size });
    await pipeline(file.createReadStream({ autoClose: false, highWaterMark: 1 << 18 }), response);
  } finally {
    await file.close();
  }
}

const server = createServer((request, response) => {
  const name = encodeURIComponent((request.url ?? '/').slice(1));
  const work = request.method === 'PUT' ? put(request, response, name) : get(response, name);
  work.catch((error: unknown) => {
    if (!response.headersSent) response.writeHead(500, { 'content-length': 0 }).end();
    else response.destroy();
    if (process.env.BARE_DEBUG !== undefined) console.error(error);
  });
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) process.send?.({ url: `http://127.0.0.1:${address.port}` });
});
process.on('disconnect', () => process.exit(0));
