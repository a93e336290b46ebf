import type { Account } from '@coffer/contracts';
import { appError, type CallOptions, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { PAIR_FACT, type Pairs } from './pairs.ts';
import { bodies, Refused } from './replies.ts';
import type { Pair } from './s3-proof.ts';

const DOOR = 'cloudrest';
/** What the auth service takes; no account has a longer name. */
export const MAX_LOGIN = 254;
const MAX_PASSWORD = 1024;

/** A request, as far as it matters here. */
export interface Asker {
  readonly call: CallOptions;
  readonly address: string;
  readonly userAgent: string;
}

export const askerOf = ({ call, ip, headers }: FastifyRequest): Asker => ({
  call,
  address: ip,
  userAgent: (headers['user-agent'] ?? '').slice(0, 512),
});

export interface Credentials {
  readonly login: string;
  readonly password: string;
}

export type Accounts = ReturnType<typeof createAccounts>;

/** Signing up and in. Both answer a session's key, and throw `Refused` with the document's own refusals. */
export function createAccounts({ auth, ctx }: Gateway, pairs: Pairs) {
  async function signUp(asker: Asker, { login, password }: Credentials, pair: Pair): Promise<string> {
    const { call } = asker;
    if (!(await pairs.isCorrect(pair, call.signal))) throw new Refused(bodies.pairNotCorrect);
    try {
      const importedKey = { door: DOOR, ...pair } as const;
      const names = { username: login, email: null, password, anyPassword: true };
      const body = { ...names, profile: PAIR_FACT, importedKey, address: asker.address };
      await auth.call('createAccount', { body }, call);
    } catch (error) {
      if (!isTakenError(error)) throw asFieldRefusal(error);
      // Of name and key either may be found taken first, and the name says more.
      const account = await find(asker, login);
      if (account !== undefined) return await signUpAgain(asker, account, { login, password }, pair);
      throw new Refused(isAppError(error, 'key_taken') ? bodies.pairNotCorrect : bodies.loginBusy);
    }
    return (await open(asker, { login, password })).key;
  }

  /** Who lost the pair brings another one with the same password; the files stay. To anyone else the name is busy. */
  async function signUpAgain(asker: Asker, account: Account, who: Credentials, pair: Pair): Promise<string> {
    const { call } = asker;
    // Nobody is logged in yet: the question is put in the account's name, to look only.
    const asked = { accountId: account.id, role: account.role, readOnly: true };
    const standing = await pairs.standingOf(account, { ...call, principal: asked });
    if (standing.state !== 'revoked' && standing.state !== 'refused') throw new Refused(bodies.loginBusy);
    // Only now: else whoever tries taken names would use up the attempts of those who have them.
    const session = await open(asker, who).catch((error: unknown) => {
      throw isAppError(error, 'invalid_credentials') ? new Refused(bodies.loginBusy) : error;
    });
    try {
      if (standing.state === 'refused') {
        const params = { accountId: account.id, keyId: standing.keyId };
        await auth.call('deleteKey', { params }, { ...call, principal: principalOf(session) });
      }
      await auth.call('importKey', { body: { ...who, door: DOOR, ...pair, address: asker.address } }, call);
      return session.key;
    } catch (error) {
      await end(asker, session);
      if (isAppError(error, 'key_taken')) throw new Refused(bodies.pairNotCorrect);
      if (isAppError(error, 'conflict')) throw new Refused(bodies.loginBusy);
      throw error;
    }
  }

  /** `reuse`: for clients that bring name and password with every request, which are one session. */
  async function signIn(asker: Asker, who: Credentials, { reuse }: { reuse: boolean }): Promise<string> {
    if (who.login.length > MAX_LOGIN) throw new Refused(bodies.unknownLogin(who.login));
    let session: OpenedSession;
    try {
      if (who.password.length > MAX_PASSWORD) throw appError('invalid_credentials');
      session = await open(asker, who, reuse);
    } catch (error) {
      if (!isAppError(error, 'invalid_credentials')) throw error;
      const account = await find(asker, who.login);
      throw new Refused(account === undefined ? bodies.unknownLogin(who.login) : bodies.wrongPassword);
    }
    try {
      const { state } = await pairs.standingOf(session.account, { ...asker.call, principal: principalOf(session) });
      if (state === 'operator-refused') throw new Refused(bodies.operatorsPairNotValid);
      if (state === 'revoked' || state === 'refused') throw new Refused(bodies.pairNotValid);
      return session.key;
    } catch (error) {
      if (!session.reused) await end(asker, session);
      throw error;
    }
  }

  async function open(asker: Asker, { login, password }: Credentials, reuse = false) {
    const { address, userAgent } = asker;
    const body = { login, password, door: DOOR, reuse, address, userAgent } as const;
    return await auth.call('createSessionKey', { body }, asker.call);
  }

  /** A session that must not stay, whatever becomes of the request. */
  async function end(asker: Asker, session: OpenedSession): Promise<void> {
    const { signal: _, ...call } = asker.call;
    const params = { accountId: session.account.id, sessionId: session.sessionId };
    try {
      await auth.call('endSession', { params }, { ...call, principal: principalOf(session) });
    } catch (error) {
      // Nobody was given its key: what is left of it ends by itself, and the reason for ending it says more.
      ctx.logger.warn({ err: error }, 'a session that was refused could not be ended');
    }
  }

  async function find(asker: Asker, login: string): Promise<Account | undefined> {
    const { accounts } = await auth.call('lookUpAccounts', { body: { logins: [login] } }, asker.call);
    return accounts[0] ?? undefined;
  }

  return { signUp, signIn, find };
}

interface OpenedSession {
  readonly key: string;
  readonly sessionId: string;
  readonly reused: boolean;
  readonly account: Account;
}

const principalOf = ({ account, sessionId }: OpenedSession) => ({
  accountId: account.id,
  role: account.role,
  sessionId,
  readOnly: false,
});

const TAKEN = ['username_taken', 'email_taken', 'key_taken'] as const;
const isTakenError = (error: unknown): boolean => TAKEN.some((code) => isAppError(error, code));

/** A name or password that no account can have, in the shape that this dialect has for fields. */
function asFieldRefusal(error: unknown): unknown {
  if (!isAppError(error) || error.status !== 400) return error;
  const path = error.errors?.[0]?.path ?? '';
  if (path.endsWith('/username') || path.endsWith('/email'))
    return new Refused(JSON.stringify({ login: error.detail }));
  return path.endsWith('/password') ? new Refused(JSON.stringify({ password: error.detail })) : error;
}
