import type { BareServer, Generator } from './children.ts';
import type { Outcome } from './jobs.ts';
import type { Options } from './options.ts';
import type { Target } from './target.ts';

/** One line of the table: the same work done by Coffer and, where it can do it, by the bare server. */
export interface Row {
  readonly name: string;
  readonly unit: '/s' | 'MB/s';
  /** The least ratio to the bare server that Coffer is meant to reach. */
  readonly leastRatio?: number;
  coffer(round: number): Promise<Outcome>;
  bare?(round: number): Promise<Outcome>;
}

const SMALL_BYTES = 4096;
const MIB = 1024 * 1024;

/** All rows; makes the folders that they need. */
export async function prepareRows(
  { generator, bare, target, options }: { generator: Generator; bare: BareServer; target: Target; options: Options },
  progress: (line: string) => void,
): Promise<Row[]> {
  const { seconds } = options;
  const octets = { 'content-type': 'application/octet-stream' };
  const files = { '/v1/files/bench/': target.url, '/': bare.url };
  type Base = keyof typeof files;

  const put = async (
    base: Base,
    inFlight: number,
    name: string,
    limit: { seconds?: number; count?: number } = { seconds },
  ) =>
    await generator.run({
      kind: 'requests',
      url: files[base],
      inFlight,
      ...limit,
      method: 'PUT',
      paths: [`${base}${name}-{n}`],
      headers: base === '/' ? octets : { ...octets, ...(await target.headers()) },
      bodyBytes: SMALL_BYTES,
      expect: [201],
    });
  const get = async (base: Base, inFlight: number, paths: readonly string[]) =>
    await generator.run({
      kind: 'requests',
      url: files[base],
      inFlight,
      seconds,
      method: 'GET',
      paths: paths.map((path) => `${base}${path}`),
      headers: base === '/' ? {} : await target.headers(),
      expect: [200],
    });
  const stream = async (base: Base, method: 'PUT' | 'GET', name: string) =>
    await generator.run({
      kind: 'stream',
      url: files[base],
      method,
      path: `${base}${name}`,
      headers: base === '/' ? octets : { ...octets, ...(await target.headers()) },
      sizeBytes: options.largeMebibytes * MIB,
      expect: [200, 201],
    });

  progress('Warming up');
  const READ_FILES = 1000;
  const readable = Array.from({ length: READ_FILES }, (_, n) => `read-${n}`);
  for (const base of ['/', '/v1/files/bench/'] as const) {
    await put(base, 32, 'read', { count: READ_FILES });
    // Code that is not compiled yet costs several times as much, and would be measured in the first round alone.
    await put(base, 32, 'warm-up');
    await get(base, 32, readable);
    await stream(base, 'PUT', 'warm-up-large');
    await stream(base, 'GET', 'warm-up-large');
  }

  const rows: Row[] = [];
  const both = (
    row: Pick<Row, 'name' | 'unit' | 'leastRatio'>,
    work: (base: Base, round: number) => Promise<Outcome>,
  ): void => {
    rows.push({ ...row, coffer: (round) => work('/v1/files/bench/', round), bare: (round) => work('/', round) });
  };
  both({ name: '4 KiB PUT, 32 in flight', unit: '/s', leastRatio: 0.5 }, (base, round) =>
    put(base, 32, `put32-${round}`),
  );
  both({ name: '4 KiB PUT, 1 in flight', unit: '/s', leastRatio: 0.4 }, (base, round) => put(base, 1, `put1-${round}`));
  both({ name: '4 KiB GET, 32 in flight', unit: '/s', leastRatio: 0.4 }, (base) => get(base, 32, readable));
  const large = `${options.largeMebibytes} MiB`;
  both({ name: `${large} PUT`, unit: 'MB/s', leastRatio: 0.8 }, (base, round) => stream(base, 'PUT', `large-${round}`));
  both({ name: `${large} GET`, unit: 'MB/s', leastRatio: 0.7 }, (base, round) => stream(base, 'GET', `large-${round}`));

  for (const size of options.pages) {
    progress(`Filling a folder with ${size} files`);
    const paths = await target.makeListed(generator, size);
    if (paths.length === 0) continue;
    const work = async () =>
      await generator.run({
        kind: 'requests',
        url: target.url,
        inFlight: 1,
        seconds,
        method: 'GET',
        paths,
        headers: await target.headers(),
        expect: [200],
      });
    rows.push({ name: `page of 100 in a folder of ${size}`, unit: '/s', coffer: work });
  }
  for (const size of options.renames) {
    progress(`Making a folder with ${size} files below it`);
    const id = await target.makeRenamed(generator, size);
    rows.push({
      name: `rename of a folder with ${size} below`,
      unit: '/s',
      coffer: async (round) =>
        await generator.run({
          kind: 'requests',
          url: target.url,
          inFlight: 1,
          seconds,
          method: 'PATCH',
          paths: [`/v1/nodes/${id}`],
          headers: { ...(await target.headers()), 'content-type': 'application/json' },
          bodyText: JSON.stringify({ name: `renamed-${size}-${round}-{n}` }),
          expect: [200],
        }),
    });
  }
  return rows;
}

/** What a row counts: requests or megabytes in a second. */
export function rateOf({ unit }: Row, { requests, bytes, seconds }: Outcome): number {
  return (unit === '/s' ? requests : bytes / 1e6) / seconds;
}
