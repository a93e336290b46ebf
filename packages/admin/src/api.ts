import { Refused, Unreachable } from './errors.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

export interface ApiAnswer {
  /** As it came; empty where there is nothing to say. */
  readonly text: string;
  readonly value: unknown;
}

export type Send = (request: ApiRequest) => Promise<ApiAnswer>;

/** The slowest is a recount of an account with millions of files. */
const TIMEOUT_MS = 660_000;
/** A part of the server is away or late: worth another try. */
const AWAY = new Set([502, 503, 504]);

/** Asks the gateway at `url`; `token` as Bearer. Throws `Refused` and `Unreachable`. */
export async function send(url: string, token: string | undefined, request: ApiRequest): Promise<ApiAnswer> {
  const target = new URL(`${url}${request.path}`);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) target.searchParams.set(name, value);
  }
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  let text: string;
  try {
    response = await fetch(target, {
      method: request.method,
      headers,
      body: request.body === undefined ? null : JSON.stringify(request.body),
      // A token goes to the address that it was given for, and to no other.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new Unreachable(`${target.origin} cannot be reached: ${reasonOf(error)}`);
  }
  const value = parse(text);
  if (response.ok) {
    if (text !== '' && value === undefined) throw new Unreachable(`${target.origin} answers, but not as Coffer does`);
    return { text, value };
  }
  const problem = new Map<string, unknown>(Object.entries(typeof value === 'object' && value !== null ? value : {}));
  const detail = wordsOf(problem) ?? `HTTP ${response.status}`;
  if (AWAY.has(response.status)) throw new Unreachable(`${detail} (HTTP ${response.status})`);
  const code = problem.get('code');
  throw new Refused(
    response.status,
    typeof code === 'string' ? code : `http_${response.status}`,
    detail,
    response.headers.get('x-request-id'),
  );
}

function wordsOf(problem: ReadonlyMap<string, unknown>): string | undefined {
  const said = problem.get('detail') ?? problem.get('title');
  if (typeof said !== 'string') return undefined;
  const errors = problem.get('errors');
  const more = Array.isArray(errors) ? errors.map(fieldWords).filter((one) => one !== '') : [];
  return more.length === 0 ? said : `${said}: ${more.join('; ')}`;
}

function fieldWords(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('path' in error) || !('message' in error)) return '';
  return `${String(error.path)} ${String(error.message)}`.trim();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch` says no more than "fetch failed": why is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}
