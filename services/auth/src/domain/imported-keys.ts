import type { Door } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { maxKeys } from './keys.ts';
import type { LogIn } from './log-in.ts';
import { type KeyRecord, type RequestContext, TakenError } from './model.ts';
import type { KeyStore } from './ports.ts';
import { sameSecret } from './refresh-token.ts';

export interface ImportedPair {
  door: Door;
  id: string;
  secret: string;
}

/** Visible ASCII; an id without `:`, which would end it too early in HTTP Basic (RFC 7617 2). */
const idShape = /^[!-9;-~]{1,128}$/;
const secretShape = /^[!-~]{1,256}$/;

/** The key record of a pair made elsewhere. Throws 400 `invalid_body` naming what is malformed below `path`. */
export function importedKey({ door, id, secret }: ImportedPair, createdAt: Date, path = ''): KeyRecord {
  const errors = [
    ...(idShape.test(id) ? [] : [{ path: `${path}/id`, message: 'must be visible ASCII without ":"' }]),
    ...(secretShape.test(secret) ? [] : [{ path: `${path}/secret`, message: 'must be visible ASCII' }]),
  ];
  if (errors.length > 0) throw appError('invalid_body', 'The key pair is malformed', { errors });
  return { id, name: door, access: 'full', secret, createdAt, expiresAt: null, door };
}

export type ImportedKeys = ReturnType<typeof createImportedKeys>;

/** The rules of key pairs that were made elsewhere: one per account and door, an id in one account only. */
export function createImportedKeys({ keys, logIn }: { keys: KeyStore; logIn: LogIn }) {
  async function held(accountId: string): Promise<KeyRecord[]> {
    const found = await keys.list(accountId);
    if (!found) throw appError('not_found', 'There is no such account');
    return found;
  }

  /**
   * 400 `invalid_body`; 401 `invalid_credentials`, 429 `rate_limited`, 403 `account_suspended` as for log-ins; 409 `key_taken` where another
   * account has the id, 409 `conflict` where this one holds another key of the door, or 100 keys.
   */
  async function add(
    input: ImportedPair & { login: string; password: string; address: string },
    o: RequestContext = {},
  ): Promise<{ accountId: string; key: KeyRecord }> {
    const key = importedKey(input, new Date());
    const { id: accountId } = await logIn.admit(input, o);
    try {
      if (await keys.addImported(accountId, key, { maxKeys })) return { accountId, key };
    } catch (error) {
      throw error instanceof TakenError ? appError('key_taken') : error;
    }
    const existing = await held(accountId);
    const own = existing.find(({ id, door }) => id === key.id && door === key.door);
    if (own && sameSecret(own.secret, key.secret)) return { accountId, key: own };
    if (existing.some(({ door }) => door === key.door))
      throw appError('conflict', 'The account holds another key of this door');
    if (existing.some(({ id }) => id === key.id)) throw appError('key_taken');
    if (existing.length >= maxKeys) throw appError('conflict', `An account has at most ${maxKeys} API keys`);
    throw appError('busy', 'The keys are being changed by another request');
  }

  /** 404 `not_found`. */
  async function get(accountId: string, door: Door): Promise<{ id: string; secret: string }> {
    const key = (await held(accountId)).find((one) => one.door === door);
    if (!key) throw appError('not_found', 'The account has no key of this door');
    return { id: key.id, secret: key.secret };
  }

  return { add, get };
}
