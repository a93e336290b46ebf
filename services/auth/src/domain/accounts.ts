import type { Role } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { attemptPassword } from './attempts.ts';
import { replayLifeMs, sameRequest } from './idempotency.ts';
import type { AccountRecord, AccountStore, Events, LoginLimits, Passwords, RequestContext, Taken } from './model.ts';
import { TakenError } from './model.ts';
import { checkNames, foldName } from './names.ts';
import { checkNewPassword } from './passwords.ts';
import type { Sessions } from './sessions.ts';

export interface AccountsPorts {
  accounts: AccountStore;
  passwords: Passwords;
  limits: LoginLimits;
  events: Events;
  sessions: Pick<Sessions, 'endOthers'>;
}

export interface NewAccountInput {
  username: string;
  email: string;
  password: string;
  role?: Role;
  idempotency?: { key: string; fingerprint: string };
}

const takenCodes = { username: 'username_taken', email: 'email_taken' } as const;

function takenError(taken: Taken): Error {
  return taken === 'idempotency' ? appError('busy') : appError(takenCodes[taken]);
}

export type Accounts = ReturnType<typeof createAccounts>;

/** The rules of accounts: making, changing and suspending them. */
export function createAccounts(ports: AccountsPorts) {
  const { accounts, passwords, events, sessions } = ports;

  /** The account made before by the same idempotency key, if any. Throws 422 where that was for another request. */
  async function replayed(idempotency: NewAccountInput['idempotency']): Promise<AccountRecord | undefined> {
    if (!idempotency) return undefined;
    const earlier = await accounts.findByIdempotencyKey(idempotency.key);
    if (!earlier) return undefined;
    if (earlier.mark.at.getTime() < Date.now() - replayLifeMs) {
      await accounts.dropIdempotencyKey(idempotency.key, new Date(Date.now() - replayLifeMs));
      return undefined;
    }
    sameRequest(earlier.mark, idempotency.fingerprint);
    return earlier.account;
  }

  /** What is taken may be taken by the twin of this very request, which came a moment earlier; the index that reports it is up to the database. */
  async function twinOr(taken: Taken, idempotency: NewAccountInput['idempotency']): Promise<AccountRecord> {
    const twin = await replayed(idempotency);
    if (twin) return twin;
    throw takenError(taken);
  }

  /** 409 `username_taken`, `email_taken`; 400 `invalid_name`, `invalid_body`, `weak_password`; 422 `idempotency_key_reused`. */
  async function create(input: NewAccountInput, o: RequestContext = {}): Promise<AccountRecord> {
    checkNames(input);
    checkNewPassword(input.password, '/password', [input.username, input.email]);
    const earlier = await replayed(input.idempotency);
    if (earlier) return earlier;

    const keys = { usernameKey: foldName(input.username), emailKey: foldName(input.email) };
    // Only spares the hashing of a request that cannot succeed; the unique indexes decide.
    const taken = await accounts.isTaken(keys);
    if (taken) return await twinOr(taken, input.idempotency);

    const passwordHash = await passwords.hash(input.password, o.signal);
    const id = newId();
    const createdAt = new Date();
    const created = events.makeEvent('accountCreated', { accountId: id }, o.traceparent);
    try {
      const account = await accounts.insert(
        {
          id,
          username: input.username,
          email: input.email,
          ...keys,
          role: input.role ?? 'user',
          passwordHash,
          createdAt,
          idempotency: input.idempotency && { ...input.idempotency, at: createdAt },
        },
        [created],
      );
      events.announce(id, [created]);
      return account;
    } catch (error) {
      if (!(error instanceof TakenError)) throw error;
      return await twinOr(error.taken, input.idempotency);
    }
  }

  /** 404 `not_found`. */
  async function get(accountId: string): Promise<AccountRecord> {
    const account = await accounts.get(accountId);
    if (!account) throw appError('not_found', 'There is no such account');
    return account;
  }

  async function rename(
    accountId: string,
    changes: { username?: string | undefined; email?: string | undefined },
  ): Promise<AccountRecord> {
    checkNames(changes);
    const { username, email } = changes;
    if (username === undefined && email === undefined) return await get(accountId);
    try {
      const account = await accounts.rename(
        accountId,
        {
          ...(username !== undefined && { username, usernameKey: foldName(username) }),
          ...(email !== undefined && { email, emailKey: foldName(email) }),
        },
        new Date(),
      );
      if (!account) throw appError('not_found', 'There is no such account');
      return account;
    } catch (error) {
      throw error instanceof TakenError ? takenError(error.taken) : error;
    }
  }

  /** 401 `invalid_credentials` on a wrong current password, 429 after too many of them, 409 `busy` if another change came first. */
  async function changePassword(
    accountId: string,
    input: {
      currentPassword: string;
      newPassword: string;
      keepSessionId?: string | undefined;
      address?: string | undefined;
    },
    o: RequestContext = {},
  ): Promise<void> {
    const current = await accounts.credentials({ field: '_id', key: accountId });
    if (!current) throw appError('not_found', 'There is no such account');
    checkNewPassword(input.newPassword, '/newPassword', [current.username, current.email]);
    const right = await attemptPassword(ports, {
      attempt: { account: accountId, address: input.address },
      hash: current.passwordHash,
      password: input.currentPassword,
      signal: o.signal,
    });
    if (!right) throw appError('invalid_credentials', 'The current password is wrong');
    const passwordHash = await passwords.hash(input.newPassword, o.signal);

    // Sessions end before the password changes: a crash in between costs a new log-in, while the other order could leave a thief's session
    // alive. The second pass ends those that began meanwhile with the old password; `credentialRev` keeps out whatever both passes miss.
    await sessions.endOthers(accountId, input.keepSessionId, o);
    const changed = await accounts.setPassword(accountId, {
      credentialRev: current.credentialRev,
      passwordHash,
      keptSessionId: input.keepSessionId,
      at: new Date(),
    });
    if (!changed) throw appError('busy', 'The password was changed by another request');
    await sessions.endOthers(accountId, input.keepSessionId, o);
  }

  /** Suspended accounts cannot log in, refresh or use keys; what they hold in their hands is revoked by the event. Doing it twice is no error. */
  async function setSuspended(accountId: string, suspended: boolean, o: RequestContext = {}): Promise<AccountRecord> {
    const at = new Date();
    const revoked = suspended
      ? [
          events.makeEvent(
            'revoked',
            { items: [{ kind: 'account', id: accountId, at: at.toISOString() }] },
            o.traceparent,
          ),
        ]
      : [];
    const account = await accounts.setSuspended(accountId, suspended, at, revoked);
    if (!account) return await get(accountId);
    events.announce(accountId, revoked);
    return account;
  }

  /** For operators. `query` is part of a user name or e-mail address (ignoring case), or an id. */
  async function find(o: {
    query?: string | undefined;
    cursor?: string | undefined;
    limit?: number | undefined;
  }): Promise<{ items: AccountRecord[]; nextCursor: string | null }> {
    const limit = o.limit ?? 100;
    const after = o.cursor === undefined ? undefined : decodeCursor(o.cursor);
    const found = await accounts.find({
      ...(o.query ? { fold: foldName(o.query), id: o.query } : {}),
      ...(after !== undefined && { after }),
      limit: limit + 1,
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, nextCursor: found.length > limit && last ? Buffer.from(last.id).toString('base64url') : null };
  }

  return { create, get, rename, changePassword, setSuspended, find };
}

function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!/^[0-9a-f-]{36}$/.test(id)) throw appError('invalid_cursor');
  return id;
}
