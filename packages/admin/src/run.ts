import { runningAt } from '@coffer/deploy/local/state';
import type { ApiAnswer, ApiRequest, Send } from './api.ts';
import { type Parsed, parse } from './arguments.ts';
import type { Command, Input } from './commands.ts';
import type { AdminConfig } from './config.ts';
import { type Ask, authorised, dropSession, keepSession, type Target } from './credentials.ts';
import { EXIT, exitCodeOf, Refused, UsageError } from './errors.ts';
import { helpFor, overview } from './help.ts';
import { at, plain, record, table } from './table.ts';
import { countFrom, isId } from './values.ts';

export interface Surroundings {
  readonly config: AdminConfig;
  readonly ask: Ask;
  /** Whether the output is a terminal. */
  readonly isColoured: boolean;
  out(text: string): void;
  /** Beside the output: notes and errors. */
  note(text: string): void;
}

/** One command from its words to its exit code (see `EXIT`); says itself what went wrong. */
export async function run(argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await obey(parse(argv), around);
  } catch (error) {
    around.note(wordsFor(error));
    return exitCodeOf(error);
  }
}

async function obey(parsed: Parsed, around: Surroundings): Promise<number> {
  const { command, input } = parsed;
  if (command === undefined || parsed.help) {
    around.out(command === undefined ? overview() : helpFor(command));
    return EXIT.ok;
  }
  const { config } = around;
  if ('request' in command) {
    // Said before anybody is asked for a password.
    command.request(input);
    pageOf(parsed);
    const target = targetOf(parsed, config);
    return await authorised(config, target, around.ask, (send) => ask(command, parsed, send, around));
  }
  const target = targetOf(parsed, config);
  if (command.words[0] === 'login') {
    const username = input.option('username') ?? config.username;
    await keepSession(config, target, username, around.ask);
    around.note(`Logged in to ${target.url} as ${username}`);
  } else {
    around.note((await dropSession(config, target)) ? `Logged out of ${target.url}` : 'There was no session');
  }
  return EXIT.ok;
}

async function ask(command: Command, parsed: Parsed, send: Send, around: Surroundings): Promise<number> {
  const input = await resolved(command, parsed.input, send);
  const request = command.request(input);
  if (command.columns !== undefined) return await list(command.columns, request, parsed, send, around);
  const answer = command.join === undefined ? await send(request) : await whole(command.join, request, send, around);
  if (parsed.json) {
    if (answer.text !== '') around.out(answer.text);
  } else if (answer.text === '') around.out(plain(command.done?.(parsed.input) ?? 'Done'));
  else around.out(record(answer.value, around.isColoured));
  const isWrong = command.mustHold !== undefined && at(answer.value, command.mustHold) !== true;
  return isWrong ? EXIT.refused : EXIT.ok;
}

/** Asks on from where each part of an answer stopped. */
async function whole(
  join: (before: unknown, after: unknown) => unknown,
  request: ApiRequest,
  send: Send,
  around: Surroundings,
): Promise<ApiAnswer> {
  let answer = await send(request);
  for (let next = nextOf(answer); next !== undefined; next = nextOf(answer)) {
    around.note('Under way');
    const { value } = await send({ ...request, body: { ...request.body, cursor: next } });
    const joined = join(answer.value, value);
    answer = { value: joined, text: JSON.stringify(joined) };
  }
  return answer;
}

async function list(
  columns: readonly string[],
  request: ApiRequest,
  parsed: Parsed,
  send: Send,
  around: Surroundings,
): Promise<number> {
  const page = pageOf(parsed);
  const ask = (cursor: string | undefined): Promise<ApiAnswer> =>
    send({ ...request, query: { ...request.query, limit: page.limit, cursor } });
  let answer = await ask(page.cursor);
  const items: unknown[] = [...itemsOf(answer)];
  let next = nextOf(answer);
  while (parsed.all && next !== undefined) {
    answer = await ask(next);
    items.push(...itemsOf(answer));
    next = nextOf(answer);
  }
  if (parsed.json) around.out(parsed.all ? JSON.stringify({ items, nextCursor: null }) : answer.text);
  else if (items.length === 0) around.note('None');
  else around.out(table(items, columns, around.isColoured));
  if (next !== undefined && !parsed.json) around.note(`There is more: --all, or --cursor ${plain(next)}`);
  return EXIT.ok;
}

function pageOf({ input }: Parsed): { limit: string | undefined; cursor: string | undefined } {
  const limit = input.option('limit');
  return { limit: limit && String(countFrom(limit, '--limit')), cursor: input.option('cursor') };
}

/** The same input, with ids where people gave names. */
async function resolved(command: Command, input: Input, send: Send): Promise<Input> {
  const ids = new Map<string, string>();
  const names = [
    ...command.args.filter((one) => one.isAccount).map((one) => input.arg(one.name)),
    ...Object.entries(command.options)
      .filter(([, option]) => option.isAccount)
      .map(([name]) => input.option(name)),
  ];
  for (const name of names) {
    if (name !== undefined && !isId(name)) ids.set(name, await accountNamed(name, send));
  }
  const swap = (value: string | undefined, isAccount: boolean | undefined): string | undefined =>
    value !== undefined && isAccount ? (ids.get(value) ?? value) : value;
  return {
    arg: (name) => swap(input.arg(name), command.args.find((one) => one.name === name)?.isAccount),
    option: (name) => swap(input.option(name), command.options[name]?.isAccount),
    flag: input.flag,
  };
}

/** Only an exact name is taken: a part of one could be anybody's. */
async function accountNamed(name: string, send: Send): Promise<string> {
  const folded = fold(name);
  let cursor: string | undefined;
  do {
    const answer = await send({
      method: 'GET',
      path: '/v1/admin/accounts',
      query: { query: name, limit: '100', cursor },
    });
    for (const item of itemsOf(answer)) {
      const id = at(item, 'id');
      const names = [at(item, 'username'), at(item, 'email')];
      if (typeof id === 'string' && names.some((one) => typeof one === 'string' && fold(one) === folded)) return id;
    }
    cursor = nextOf(answer);
  } while (cursor !== undefined);
  throw new Refused(404, 'not_found', `No account is called ${name}`, null);
}

/** Names are unique in this form. */
const fold = (name: string): string => name.normalize('NFKC').toLowerCase();

function itemsOf({ value }: ApiAnswer): readonly unknown[] {
  const items = at(value, 'items');
  return Array.isArray(items) ? items : [];
}

function nextOf({ value }: ApiAnswer): string | undefined {
  const next = at(value, 'nextCursor');
  return typeof next === 'string' ? next : undefined;
}

function targetOf(parsed: Parsed, config: AdminConfig): Target {
  const given = parsed.url ?? config.url?.replace(/\/+$/, '');
  if (given !== undefined) return { url: given, name: given };
  const url = runningAt(config.stateDir);
  if (url !== undefined) return { url, name: 'local' };
  throw new UsageError(`No Coffer runs with ${config.stateDir}: start it with npm start, or say --url`);
}

function wordsFor(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n(npm run admin -- --help says what there is)`;
  if (error instanceof Refused) {
    const request = error.requestId === null ? '' : `, request ${error.requestId}`;
    return `Refused: ${plain(error.message)} (${plain(error.code)}${plain(request)})`;
  }
  return error instanceof Error ? plain(error.message) : String(error);
}
