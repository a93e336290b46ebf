import { randomBytes } from 'node:crypto';
import type { ApiKey, Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { replayLifeMs, sameRequest } from './idempotency.ts';
import type { KeyRecord, RequestContext } from './model.ts';
import type { Events, KeyStore } from './ports.ts';
import { sameSecret } from './refresh-token.ts';

export interface NewKeyInput {
  name: string;
  access: ApiKey['access'];
  expiresAt: string | null;
  idempotency?: { key: string; fingerprint: string };
}

export const maxKeys = 100;

export type Keys = ReturnType<typeof createKeys>;

/** The rules of API keys. */
export function createKeys({ keys, events }: { keys: KeyStore; events: Events }) {
  /** 404 `not_found` if there is no such account. */
  async function list(accountId: string): Promise<KeyRecord[]> {
    const found = await keys.list(accountId);
    if (!found) throw appError('not_found', 'There is no such account');
    return found;
  }

  /** 400 on a bad name or time, 409 `conflict` when the account has its 100 keys, 422 `idempotency_key_reused`. */
  async function create(accountId: string, input: NewKeyInput): Promise<KeyRecord> {
    const now = new Date();
    const key: KeyRecord = {
      id: `ck_${randomBytes(12).toString('hex')}`,
      name: keyName(input.name),
      access: input.access,
      secret: randomBytes(32).toString('base64url'),
      createdAt: now,
      expiresAt: keyExpiry(input.expiresAt, now),
      idempotency: input.idempotency && { ...input.idempotency, at: now },
    };
    const replaysSince = new Date(now.getTime() - replayLifeMs);
    if (await keys.add(accountId, key, { maxKeys, replaysSince })) return key;
    const existing = await list(accountId);
    const twin = existing.find(
      ({ idempotency: mark }) => mark && mark.key === input.idempotency?.key && mark.at > replaysSince,
    );
    if (!twin?.idempotency || !input.idempotency)
      throw appError('conflict', `An account has at most ${maxKeys} API keys`);
    sameRequest(twin.idempotency, input.idempotency.fingerprint);
    return twin;
  }

  /** 404 `not_found`. */
  async function remove(accountId: string, keyId: string, o: RequestContext = {}): Promise<void> {
    const at = new Date();
    const items = [{ kind: 'key' as const, id: keyId, at: at.toISOString() }];
    const revoked = [events.makeEvent('revoked', { items }, o.traceparent)];
    if (!(await keys.remove(accountId, keyId, at, revoked))) throw appError('not_found', 'There is no such API key');
    events.announce(accountId, revoked);
  }

  /** 401 `invalid_token` for unknown, wrong and expired alike; 403 `account_suspended`, told only to who holds the secret. */
  async function verify(keyId: string, secret: string): Promise<{ principal: Principal; expiresAt: string | null }> {
    const found = await keys.find(keyId);
    if (!found || !sameSecret(found.key.secret, secret)) throw appError('invalid_token');
    const { key, account } = found;
    if (key.expiresAt && key.expiresAt <= new Date()) throw appError('invalid_token', 'The API key has expired');
    if (account.suspended) throw appError('account_suspended');
    return {
      principal: { accountId: account.id, role: account.role, keyId: key.id, readOnly: key.access === 'read-only' },
      expiresAt: key.expiresAt?.toISOString() ?? null,
    };
  }

  return { list, create, remove, verify };
}

function keyName(given: string): string {
  const name = given.trim();
  if (name.length > 0 && name.isWellFormed() && !/\p{Cc}/u.test(name)) return name;
  const message = 'must hold a visible character and no control characters';
  throw appError('invalid_name', `The name ${message}`, { errors: [{ path: '/name', message }] });
}

/** RFC 3339 with a time zone; anything that `Date` reads otherwise would mean different moments on different machines. */
const timeShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function keyExpiry(given: string | null, now: Date): Date | null {
  if (given === null) return null;
  const time = timeShape.test(given) ? new Date(given) : undefined;
  if (time && !Number.isNaN(time.getTime()) && time > now) return time;
  const message = 'must be an RFC 3339 time in the future';
  throw appError('invalid_body', `expiresAt ${message}`, { errors: [{ path: '/expiresAt', message }] });
}

export function publicKey(key: KeyRecord): ApiKey {
  return {
    id: key.id,
    name: key.name,
    access: key.access,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    ...(key.door && { door: key.door }),
  };
}
