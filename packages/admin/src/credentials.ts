/** Who asks: a token that was given, the session of `login`, a password that was given, or one asked for. */
import { type OperatorSession, withOperatorSession } from '@coffer/deploy/local/state';
import { type ApiRequest, type Send, send } from './api.ts';
import type { AdminConfig } from './config.ts';
import { Refused, Unreachable, UsageError } from './errors.ts';
import { at } from './table.ts';

export interface Target {
  readonly url: string;
  /** The URL that was given, or `local`. */
  readonly name: string;
}

export interface Ask {
  readonly isTerminal: boolean;
  /** A line of the standard input, without an echo where it is a terminal. */
  secret(question: string): Promise<string>;
}

/** An access token that is about to expire might do so on its way. */
const MARGIN_MS = 30_000;

/** Runs `work` with a way to ask the gateway; a session made for this alone is ended behind it. */
export async function authorised<T>(
  config: AdminConfig,
  target: Target,
  ask: Ask,
  work: (send: Send) => Promise<T>,
): Promise<T> {
  const as =
    (token: string): Send =>
    (request) =>
      send(target.url, token, request);
  if (config.token !== undefined) return await work(as(config.token));
  const stored = await storedToken(config, target);
  if (stored !== undefined) return await work(as(stored));
  if (config.password === undefined && !ask.isTerminal) {
    throw new UsageError('Not logged in: use `npm run admin -- login`, or set COFFER_ADMIN_TOKEN');
  }
  const password = config.password ?? (await ask.secret(`Password of ${config.username}: `));
  const session = await logIn(target, config.username, password);
  try {
    return await work(as(session.accessToken));
  } finally {
    await end(target, session);
  }
}

export async function keepSession(config: AdminConfig, target: Target, username: string, ask: Ask): Promise<void> {
  const password = config.password ?? (await ask.secret(`Password of ${username}: `));
  const session = await logIn(target, username, password);
  await withOperatorSession(config.stateDir, async (before) => {
    if (before?.target === target.name) await end(target, before);
    return session;
  });
}

/** Whether there was one. It is forgotten here even where the gateway cannot be told. */
export async function dropSession(config: AdminConfig, target: Target): Promise<boolean> {
  let had = false;
  await withOperatorSession(config.stateDir, async (stored) => {
    if (stored?.target !== target.name) return stored;
    had = true;
    try {
      const session = await current(target, stored);
      if (session !== undefined) await end(target, session);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
    return undefined;
  });
  return had;
}

/** The stored session's access token, renewed when it is due; undefined where there is none any more. */
async function storedToken(config: AdminConfig, target: Target): Promise<string | undefined> {
  let token: string | undefined;
  await withOperatorSession(config.stateDir, async (stored) => {
    if (stored?.target !== target.name) return stored;
    const session = await current(target, stored);
    token = session?.accessToken;
    return session;
  });
  return token;
}

/** The session with an access token that lasts for a command, or undefined where it has ended. */
async function current(target: Target, stored: OperatorSession): Promise<OperatorSession | undefined> {
  if (Date.parse(stored.expiresAt) - Date.now() > MARGIN_MS) return stored;
  const { refreshToken } = stored;
  try {
    return await begin(target, { method: 'POST', path: '/v1/sessions/refresh', body: { refreshToken } });
  } catch (error) {
    // Ended, here or elsewhere: the next log-in makes another. Anything else may pass.
    if (error instanceof Refused && [401, 403].includes(error.status)) return undefined;
    throw error;
  }
}

async function logIn(target: Target, login: string, password: string): Promise<OperatorSession> {
  const session = await begin(target, { method: 'POST', path: '/v1/sessions', body: { login, password } });
  const me = await send(target.url, session.accessToken, { method: 'GET', path: '/v1/me' });
  if (at(me.value, 'role') === 'operator') return session;
  await end(target, session);
  throw new Refused(403, 'forbidden', `${login} is not an operator`, null);
}

async function begin(target: Target, request: ApiRequest): Promise<OperatorSession> {
  const { value } = await send(target.url, undefined, request);
  const text = (name: string): string => {
    const field = at(value, name);
    if (typeof field === 'string') return field;
    throw new Unreachable(`${target.url} answers, but not as Coffer does`);
  };
  return {
    target: target.name,
    sessionId: text('sessionId'),
    accessToken: text('accessToken'),
    expiresAt: text('expiresAt'),
    refreshToken: text('refreshToken'),
  };
}

/** A session that cannot be ended now ends by itself, unused; the command's own outcome counts. */
async function end(target: Target, { sessionId, accessToken }: OperatorSession): Promise<void> {
  try {
    await send(target.url, accessToken, { method: 'DELETE', path: `/v1/sessions/${sessionId}` });
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  }
}
