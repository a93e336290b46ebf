import { parseArgs } from 'node:util';

export interface Options {
  /** A running Coffer; absent: a stack of its own. */
  readonly url?: string;
  readonly rounds: number;
  /** Of each measure of small requests. */
  readonly seconds: number;
  readonly largeMebibytes: number;
  /** Files in the folders that are listed. */
  readonly pages: readonly number[];
  /** Files below the folders that are renamed. */
  readonly renames: readonly number[];
  readonly json?: string;
  /** Where the files are written. */
  readonly dir?: string;
}

export class UsageError extends Error {}

export const HELP = `npm run bench -- [options]

Measures Coffer and, in the same run and in turns, the machine's own limits and a bare Node server that only streams
files durably to a folder and back. Prints a table of medians over the rounds.

  --url URL          measure a running Coffer (RATE_LIMITS=off there); by default a stack is started for the bench.
                     ADMIN_USERNAME and ADMIN_PASSWORD, if set, are used to give its account enough space
  --rounds N         rounds, each of which measures everything once (3)
  --seconds N        seconds for each measure of small requests (5)
  --large-mib N      size of the large file in MiB (1024)
  --pages LIST       sizes of the folders that are listed (100,10000)
  --renames LIST     how many files lie below the folders that are renamed (10,10000)
  --full             the same as --pages 100,10000,100000 --renames 10,100000; filling them takes minutes
  --dir DIR          a folder on the disk to measure, for temporary files (the system's temporary folder)
  --json FILE        write every figure as JSON
  --help             print this
`;

/** The options of a command line, or undefined where help was asked for. Throws `UsageError`. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  if (values.url !== undefined && !URL.canParse(values.url)) throw new UsageError(`--url ${values.url} is no URL`);
  return {
    ...(values.url === undefined ? {} : { url: values.url }),
    rounds: whole('--rounds', values.rounds, 3),
    seconds: positive('--seconds', values.seconds, 5),
    largeMebibytes: whole('--large-mib', values['large-mib'], 1024),
    pages: list('--pages', values.pages, values.full ? [100, 10_000, 100_000] : [100, 10_000]),
    renames: list('--renames', values.renames, values.full ? [10, 100_000] : [10, 10_000]),
    ...(values.json === undefined ? {} : { json: values.json }),
    ...(values.dir === undefined ? {} : { dir: values.dir }),
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'large-mib': { type: 'string' },
        pages: { type: 'string' },
        renames: { type: 'string' },
        full: { type: 'boolean' },
        dir: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(name: string, text: string | undefined, byDefault: number): number {
  const value = text === undefined ? byDefault : Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new UsageError(`${name} ${text} is no number above 0`);
  return value;
}

function whole(name: string, text: string | undefined, byDefault: number): number {
  const value = positive(name, text, byDefault);
  if (!Number.isInteger(value)) throw new UsageError(`${name} ${text} is no whole number`);
  return value;
}

const list = (name: string, text: string | undefined, byDefault: number[]): number[] =>
  text === undefined ? byDefault : text.split(',').map((one) => whole(name, one.trim() === '' ? 'x' : one, 0));
