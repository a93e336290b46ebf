import { parseArgs } from 'node:util';
import { COMMANDS, type Command, type Input, type Option } from './commands.ts';
import { UsageError } from './errors.ts';

export interface Parsed {
  /** Absent where only help was asked for. */
  readonly command?: Command | SessionCommand;
  readonly help: boolean;
  readonly json: boolean;
  readonly all: boolean;
  readonly url?: string;
  readonly input: Input;
}

/** Those that ask nothing of `/v1/admin`. */
export interface SessionCommand {
  readonly words: readonly ['login' | 'logout'];
  readonly summary: string;
  readonly args: readonly [];
  readonly options: Readonly<Record<string, Option>>;
}

export const SESSION_COMMANDS: readonly SessionCommand[] = [
  {
    words: ['login'],
    summary: 'Log in once; later commands go on with the session',
    args: [],
    options: { username: { value: 'NAME', help: 'the operator (ADMIN_USERNAME, or admin)' } },
  },
  { words: ['logout'], summary: 'End that session', args: [], options: {} },
];

export const LIST_OPTIONS: Readonly<Record<string, Option>> = {
  limit: { value: 'NUMBER', help: 'how many on a page' },
  cursor: { value: 'CURSOR', help: 'the page that an answer before named' },
  all: { help: 'every page' },
};

export const COMMON_OPTIONS: Readonly<Record<string, Option>> = {
  url: { value: 'URL', help: 'the gateway (COFFER_URL, or where npm start says it runs)' },
  json: { help: 'the answer itself, as JSON' },
  help: { help: 'this' },
};

/** Everything that may stand on the command line, checked against the one command that it is for. Throws `UsageError`. */
export function parse(argv: readonly string[]): Parsed {
  const { values, positionals } = split(argv);
  const given = new Map(Object.entries(values));
  const command = find(positionals);
  const json = given.get('json') === true;
  const help = given.get('help') === true;
  const rest = positionals.slice(command?.words.length ?? 0);
  const input: Input = {
    arg: (name) => rest[command?.args.findIndex((one) => one.name === name) ?? -1],
    option: (name) => {
      const value = given.get(name);
      return typeof value === 'string' ? value : undefined;
    },
    flag: (name) => given.get(name) === true,
  };
  const url = input.option('url');
  const common = { help, json, all: input.flag('all'), input, ...(url === undefined ? {} : { url: base(url) }) };
  if (command === undefined) {
    if (positionals.length > 0 && !isBeginning(positionals)) throw new UsageError(`Unknown: ${positionals.join(' ')}`);
    if (!help) throw new UsageError(positionals.length > 0 ? `${positionals.join(' ')} what?` : 'Which command?');
    return common;
  }
  if (help) return { ...common, command };
  const allowed = { ...COMMON_OPTIONS, ...optionsOf(command) };
  for (const name of given.keys()) {
    if (!Object.hasOwn(allowed, name)) throw new UsageError(`${command.words.join(' ')} takes no --${name}`);
  }
  const least = command.args.filter((one) => one.isOptional !== true).length;
  const missing = command.args[rest.length];
  if (rest.length < least && missing !== undefined) throw new UsageError(`${missing.name} is needed`);
  const surplus = rest[command.args.length];
  if (surplus !== undefined) throw new UsageError(`One word too many: ${surplus}`);
  return { ...common, command };
}

export function optionsOf(command: Command | SessionCommand): Readonly<Record<string, Option>> {
  return 'columns' in command && command.isWhole !== true ? { ...command.options, ...LIST_OPTIONS } : command.options;
}

export const everyCommand: readonly (Command | SessionCommand)[] = [...SESSION_COMMANDS, ...COMMANDS];

function split(argv: readonly string[]): { values: Record<string, unknown>; positionals: string[] } {
  const known = Object.assign({}, COMMON_OPTIONS, ...everyCommand.map(optionsOf));
  const options = Object.fromEntries(
    Object.entries<Option>(known).map(([name, option]) => [
      name,
      { type: option.value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function find(positionals: readonly string[]): Command | SessionCommand | undefined {
  return everyCommand.find((command) => command.words.every((word, index) => positionals[index] === word));
}

/** `ledger`, of `ledger check`. */
function isBeginning(positionals: readonly string[]): boolean {
  return everyCommand.some((command) => positionals.every((word, index) => command.words[index] === word));
}

function base(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new UsageError(`Not an http or https URL: ${text}`);
  if (url.username !== '' || url.password !== '') throw new UsageError('The URL takes no password: use login');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
