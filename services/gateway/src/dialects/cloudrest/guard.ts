import { createHmac, randomBytes } from 'node:crypto';
import type { Principal } from '@coffer/contracts';
import { isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { type Accounts, askerOf } from './accounts.ts';
import { bodies, Refused } from './replies.ts';

const COOKIE = 'session';
const DOOR = 'cloudrest';
/** A password that was changed or a session that ended shows at once, by the session's key; this bounds how long the pair goes unchecked. */
const REMEMBER_MS = 10_000;
/** Longer than a verified key is remembered anywhere. */
const FORGET_MS = 30_000;
const MAX_REMEMBERED = 5_000;
const MAX_BASIC_LENGTH = 4_096;

export type Guard = ReturnType<typeof createGuard>;

/** Who asks: by the cookie of a session, or by name and password as HTTP Basic (RFC 7617). */
export function createGuard({ sessionKeys }: Gateway, accounts: Accounts) {
  // What is remembered of a password is of no use outside this process.
  const secret = randomBytes(32);
  const known = new Map<string, { key: string; untilMs: number }>();
  const asking = new Map<string, Promise<string>>();
  const left = new Set<string>();

  /** Whose session was ended here a moment ago: the news of it may still be on its way round. */
  const present = (principal: Principal): Principal | undefined =>
    principal.sessionId !== undefined && left.has(principal.sessionId) ? undefined : principal;

  async function byCookie(request: FastifyRequest): Promise<Principal | undefined> {
    const key = cookieOf(request.headers.cookie);
    if (key === undefined) return undefined;
    try {
      return present(await sessionKeys.verify(key, DOOR));
    } catch (error) {
      if (isAppError(error, 'invalid_token') || isAppError(error, 'session_ended')) return undefined;
      throw error;
    }
  }

  /** A session is opened, and the password hashed, once for many requests. */
  async function byBasic(request: FastifyRequest): Promise<Principal | undefined> {
    const who = parseBasic(request.headers.authorization);
    if (who === undefined) return undefined;
    const digest = createHmac('sha256', secret).update(`${who.login}\0${who.password}`).digest('base64');
    const entry = known.get(digest);
    if (entry !== undefined && entry.untilMs > performance.now()) {
      try {
        const principal = present(await sessionKeys.verify(entry.key, DOOR));
        if (principal !== undefined) return principal;
        known.delete(digest);
      } catch (error) {
        if (!isAppError(error, 'invalid_token') && !isAppError(error, 'session_ended')) throw error;
        known.delete(digest);
      }
    }
    let answer = asking.get(digest);
    if (answer === undefined) {
      // Others wait for the same answer: no single one of them may call it off.
      const { signal: _, ...call } = request.call;
      answer = accounts
        .signIn({ ...askerOf(request), call }, who, { reuse: true })
        .finally(() => asking.delete(digest));
      asking.set(digest, answer);
    }
    const key = await answer.catch((error: unknown) => {
      // Without the sign-in that they belong to, these say no more than that nobody is logged in.
      const isWrong =
        error instanceof Refused &&
        (error.body === bodies.wrongPassword || error.body === bodies.unknownLogin(who.login));
      throw isWrong ? new Refused(bodies.unauthorised) : error;
    });
    const principal = await sessionKeys.verify(key, DOOR);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(digest, { key, untilMs: performance.now() + REMEMBER_MS });
    return principal;
  }

  return {
    byCookie,
    /** This session is over, and counts as that here from now on. */
    forget(sessionId: string): void {
      left.add(sessionId);
      setTimeout(() => left.delete(sessionId), FORGET_MS).unref();
    },
    /** Undefined for nobody. Throws `account_suspended`, `rate_limited`, and that the auth service is away. */
    async whoAsks(request: FastifyRequest): Promise<Principal | undefined> {
      return (await byCookie(request)) ?? (await byBasic(request));
    },
  };
}

/** The session's key, by RFC 6265, 5.4; a client sends a cookie of one name and path once. */
function cookieOf(header: string | undefined): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() !== COOKIE) continue;
    const value = part.slice(at + 1).trim();
    if (/^[A-Za-z0-9_-]{1,256}$/.test(value)) return value;
  }
  return undefined;
}

function parseBasic(header: string | undefined): { login: string; password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec((header ?? '').slice(0, MAX_BASIC_LENGTH));
  if (match === null) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 1 || colon === text.length - 1
    ? undefined
    : { login: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function setCookie(request: FastifyRequest, reply: FastifyReply, key: string): void {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  reply.header('set-cookie', `${COOKIE}=${key}; Path=/; HttpOnly; SameSite=Lax${secure}`);
}

export function clearCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
}
