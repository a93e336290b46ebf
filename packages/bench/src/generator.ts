/** The load generator: a process that takes jobs over IPC, one at a time, and ends with its parent. */
import { randomBytes } from 'node:crypto';
import type { Job, Outcome, RequestsJob, StreamJob } from './jobs.ts';
import { percentile } from './statistics.ts';
import { Connection } from './wire.ts';

const CHUNK_BYTES = 1024 * 1024;

async function run(job: Job): Promise<Outcome> {
  const before = process.cpuUsage();
  const { latenciesMs, bytes, seconds } = job.kind === 'stream' ? await runStream(job) : await runRequests(job);
  const { user, system } = process.cpuUsage(before);
  latenciesMs.sort((a, b) => a - b);
  return {
    requests: latenciesMs.length,
    seconds,
    bytes,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    generatorCpuSeconds: (user + system) / 1e6,
  };
}

interface Raw {
  latenciesMs: number[];
  bytes: number;
  seconds: number;
}

async function runRequests(job: RequestsJob): Promise<Raw> {
  const { inFlight, count = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY } = job;
  const latenciesMs: number[] = [];
  let bytes = 0;
  let next = 0;
  let failure: unknown;
  const build = requestBuilder(job);
  const startedAt = performance.now();
  const deadline = startedAt + seconds * 1000;

  const work = async (): Promise<void> => {
    const connection = new Connection(job.url);
    try {
      while (next < count && failure === undefined) {
        const request = build(connection, next++);
        const sentAt = performance.now();
        if (sentAt >= deadline) return;
        const answer = await connection.request(request);
        latenciesMs.push(performance.now() - sentAt);
        bytes += (job.bodyBytes ?? 0) + answer.bodyBytes;
        if (!job.expect.includes(answer.status))
          throw new Error(`${job.method} ${job.paths[0]} answered ${answer.status}`);
      }
    } catch (error) {
      failure ??= error;
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  if (failure !== undefined) throw failure;
  return { latenciesMs, bytes, seconds: (performance.now() - startedAt) / 1000 };
}

function requestBuilder(job: RequestsJob): (connection: Connection, n: number) => Buffer {
  const { method, paths, headers, bodyBytes, bodyText } = job;
  const noise = randomBytes(bodyBytes ?? 0);
  const run = randomBytes(8);
  const pathOf = (n: number): string => {
    const path = paths.length === 1 ? paths[0] : paths[Math.floor(Math.random() * paths.length)];
    return (path ?? '/').replace('{n}', String(n));
  };
  return (connection, n) => {
    if (bodyText !== undefined) {
      const text = bodyText.replaceAll('{n}', String(n));
      const all = { ...headers, 'content-length': String(Buffer.byteLength(text)) };
      return Buffer.from(connection.head(method, pathOf(n), all) + text);
    }
    if (bodyBytes === undefined) return Buffer.from(connection.head(method, pathOf(n), headers), 'latin1');
    const head = Buffer.from(
      connection.head(method, pathOf(n), { ...headers, 'content-length': String(bodyBytes) }),
      'latin1',
    );
    const bytes = Buffer.concat([head, noise]);
    // No two bodies alike: a store that knows bytes by their digest would otherwise be spared the writing.
    if (bodyBytes >= 12) {
      run.copy(bytes, head.length);
      bytes.writeUInt32LE(n, head.length + 8);
    }
    return bytes;
  };
}

async function runStream({ url, method, path, headers, sizeBytes, expect }: StreamJob): Promise<Raw> {
  const connection = new Connection(url);
  const chunk = randomBytes(CHUNK_BYTES);
  const startedAt = performance.now();
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(connection.head('PUT', path, { ...headers, 'content-length': String(sizeBytes) }), 'latin1');
    for (let left = sizeBytes; left > 0; left -= CHUNK_BYTES)
      yield left < CHUNK_BYTES ? chunk.subarray(0, left) : chunk;
  };
  try {
    const request = method === 'PUT' ? pieces() : Buffer.from(connection.head('GET', path, headers), 'latin1');
    const { status, bodyBytes } = await connection.request(request);
    const ms = performance.now() - startedAt;
    if (!expect.includes(status)) throw new Error(`${method} ${path} answered ${status}`);
    if (method === 'GET' && bodyBytes !== sizeBytes)
      throw new Error(`${path} brought ${bodyBytes} bytes of ${sizeBytes}`);
    return { latenciesMs: [ms], bytes: sizeBytes, seconds: ms / 1000 };
  } finally {
    connection.close();
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (outcome) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
