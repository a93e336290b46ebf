import type { Principal } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { errors, importJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import type { Revocations } from './revocations.ts';

export interface TokenVerifier {
  /** The principal of a token that was verified before and is still good, at no cost; undefined where it must be verified. */
  remembered(token: string): Principal | undefined;
  /** Throws `invalid_token`, `session_ended`, or what `loadKeys` threw. */
  verify(token: string): Promise<Principal>;
}

interface Verified {
  readonly principal: Principal;
  readonly sessionId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

const MAX_REMEMBERED = 20_000;
/** A token that names a key nobody knows must not have the key set fetched again and again. */
const RELOAD_MS = 2_000;
const ISSUER = 'coffer';

/**
 * Verifies access tokens (EdDSA, RFC 8037) by the published key set. Verifying costs a tenth of a millisecond, so what was verified is
 * remembered by the token's own text until it expires; revocations are looked up each time.
 */
export function createTokenVerifier(o: {
  loadKeys: () => Promise<readonly Record<string, unknown>[]>;
  revocations: Revocations;
}): TokenVerifier {
  const { revocations } = o;
  const verified = new Map<string, Verified>();
  let keys = new Map<string, Awaited<ReturnType<typeof importJWK>>>();
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    const fresh: typeof keys = new Map();
    for (const jwk of await o.loadKeys()) {
      if (typeof jwk.kid === 'string') fresh.set(jwk.kid, await importJWK(jwk as JWK, 'EdDSA'));
    }
    keys = fresh;
    loadedAtMs = performance.now();
  };
  const reload = (): Promise<void> => {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };

  const keyOf = async ({ kid }: { kid?: string }) => {
    if (kid === undefined) throw appError('invalid_token');
    if (!keys.has(kid) && performance.now() - loadedAtMs > RELOAD_MS) await reload();
    const key = keys.get(kid);
    if (key === undefined) throw appError('invalid_token');
    return key;
  };

  const remember = (token: string, entry: Verified): void => {
    if (verified.size >= MAX_REMEMBERED) {
      // Maps keep the order of insertion: the oldest goes.
      const [oldest] = verified.keys();
      if (oldest !== undefined) verified.delete(oldest);
    }
    verified.set(token, entry);
  };

  const isLive = (entry: Verified): boolean => entry.expiresAtMs > Date.now();
  const isRevoked = (entry: Verified): boolean =>
    revocations.isRevoked({
      accountId: entry.principal.accountId,
      sessionId: entry.sessionId,
      issuedAtMs: entry.issuedAtMs,
    });

  return {
    remembered(token) {
      const entry = verified.get(token);
      if (entry === undefined) return undefined;
      if (isLive(entry) && !isRevoked(entry)) return entry.principal;
      verified.delete(token);
      return undefined;
    },
    async verify(token) {
      const entry = await readToken(token, keyOf);
      if (isRevoked(entry)) throw appError('session_ended');
      remember(token, entry);
      return entry.principal;
    },
  };
}

async function readToken(
  token: string,
  keyOf: (header: { kid?: string }) => Promise<Awaited<ReturnType<typeof importJWK>>>,
): Promise<Verified> {
  try {
    const { payload } = await jwtVerify(token, keyOf, {
      issuer: ISSUER,
      algorithms: ['EdDSA', 'Ed25519'],
      requiredClaims: ['sub', 'iat', 'exp'],
    });
    return fromClaims(payload);
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw appError('invalid_token', error instanceof errors.JWTExpired ? 'The token has expired' : undefined, {
      cause: error,
    });
  }
}

function fromClaims({ sub, sid, role, iat, exp }: JWTPayload): Verified {
  if (typeof sub !== 'string' || typeof sid !== 'string' || (role !== 'user' && role !== 'operator'))
    throw appError('invalid_token');
  return {
    principal: Object.freeze({ accountId: sub, role, sessionId: sid, readOnly: false }),
    sessionId: sid,
    issuedAtMs: (iat ?? 0) * 1000,
    expiresAtMs: (exp ?? 0) * 1000,
  };
}
