import type { Door, Profile, Role } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { decodeIdCursor, encodeIdCursor, idShape } from './cursors.ts';
import { replayLifeMs, sameRequest } from './idempotency.ts';
import { importedKey } from './imported-keys.ts';
import type { AccountRecord, RequestContext, Taken } from './model.ts';
import { TakenError } from './model.ts';
import { accountNames, checkNames, foldName } from './names.ts';
import { checkNewPassword } from './passwords.ts';
import type { AccountStore, Events, Passwords } from './ports.ts';
import { checkProfile } from './profiles.ts';

export interface AccountsPorts {
  accounts: AccountStore;
  passwords: Passwords;
  events: Events;
}

export interface NewAccountInput {
  username: string;
  email: string | null;
  password: string;
  anyPassword?: boolean;
  profile?: Profile;
  importedKey?: { door: Door; id: string; secret: string };
  role?: Role;
  idempotency?: { key: string; fingerprint: string };
}

const takenCodes = { username: 'username_taken', email: 'email_taken', key: 'key_taken' } as const;
const maxRenameTries = 5;

function takenError(taken: Taken): Error {
  return taken === 'idempotency' ? appError('busy') : appError(takenCodes[taken]);
}

export type Accounts = ReturnType<typeof createAccounts>;

/** The rules of accounts: making, changing and suspending them. */
export function createAccounts(ports: AccountsPorts) {
  const { accounts, passwords, events } = ports;

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

  /** 409 `username_taken`, `email_taken`, `key_taken`; 400 `invalid_name`, `invalid_body`, `weak_password`; 422 `idempotency_key_reused`. */
  async function create(input: NewAccountInput, o: RequestContext = {}): Promise<AccountRecord> {
    checkNames(input);
    const names = accountNames(input);
    checkNewPassword(input.password, '/password', [names.username, names.email], input.anyPassword);
    if (input.profile) checkProfile(input.profile, '/profile');
    const createdAt = new Date();
    const key = input.importedKey && importedKey(input.importedKey, createdAt, '/importedKey');
    const earlier = await replayed(input.idempotency);
    if (earlier) return earlier;

    // Only spares the hashing of requests that cannot succeed; the unique indexes decide. Asked again when its turn to be hashed comes: of a
    // hundred that want one name at once, most learn it before theirs.
    const refuseTaken = async (): Promise<void> => {
      const taken = await accounts.isTaken({ ...names, keyId: key?.id });
      if (taken) throw new TakenError(taken);
    };
    try {
      await refuseTaken();
      const passwordHash = await passwords.hash(input.password, o.signal, refuseTaken);
      const id = newId();
      const created = events.makeEvent('accountCreated', { accountId: id }, o.traceparent);
      const account = await accounts.insert(
        {
          id,
          ...names,
          role: input.role ?? 'user',
          passwordHash,
          createdAt,
          profile: input.profile,
          importedKey: key,
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
    // Whether the names go together is judged on what was read, so the write holds only while that is still so.
    for (let attempt = 0; attempt < maxRenameTries; attempt++) {
      const from = await get(accountId);
      if (username === undefined && email === undefined) return from;
      const to = accountNames({ username: username ?? from.username, email: email ?? from.email });
      try {
        const account = await accounts.rename(accountId, { from, to, at: new Date() });
        if (account) return account;
      } catch (error) {
        throw error instanceof TakenError ? takenError(error.taken) : error;
      }
    }
    throw appError('busy', 'The names are being changed by other requests');
  }

  /** In the order of asking, undefined where there is none: an id, a user name or an e-mail address each. Suspended accounts are found too. */
  async function lookUp(logins: string[]): Promise<(AccountRecord | undefined)[]> {
    const keys = logins.map(foldName);
    const found = await accounts.lookUp({ ids: logins.filter((login) => idShape.test(login)), keys });
    const byId = new Map(found.map((account) => [account.id, account]));
    const byKey = new Map(
      found.flatMap((account) => [
        [account.usernameKey, account] as const,
        ...(account.emailKey === undefined ? [] : [[account.emailKey, account] as const]),
      ]),
    );
    return logins.map((login, at) => byId.get(login) ?? byKey.get(keys[at] ?? ''));
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
    const after = o.cursor === undefined ? undefined : decodeIdCursor(o.cursor);
    const found = await accounts.find({
      ...(o.query ? { fold: foldName(o.query), id: o.query } : {}),
      ...(after !== undefined && { after }),
      limit: limit + 1,
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, nextCursor: found.length > limit && last ? encodeIdCursor(last.id) : null };
  }

  return { create, get, rename, lookUp, setSuspended, find };
}
