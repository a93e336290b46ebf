import type { Door, Principal } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import { errors } from 'jose';
import { createCredentialMemory } from '../../auth/credential-memory.ts';
import type { Revocations } from '../../auth/revocations.ts';

/** Opaque keys that stand for a session of one door. */
export interface SessionKeys {
  /** Throws `invalid_token`, `session_ended`, `account_suspended`, `rate_limited`, or that the auth service is away. */
  verify(key: string, door: Door): Promise<Principal>;
}

/** Longer than any key that is given out; what is longer is none, and need not be asked about. */
const MAX_KEY_LENGTH = 256;

/** A good answer is remembered for a few seconds, and forgotten at once when the session or its account ends. */
export function createSessionKeys(o: {
  ask: (key: string, door: Door) => Promise<{ principal: Principal; expiresAt: string }>;
  revocations: Revocations;
}): SessionKeys {
  const memory = createCredentialMemory<{ key: string; door: Door }>({
    textOf: ({ key, door }) => `${door} ${key}`,
    ask: ({ key, door }) => o.ask(key, door),
    revocations: o.revocations,
  });
  return {
    async verify(key, door) {
      if (key === '' || key.length > MAX_KEY_LENGTH) throw appError('invalid_token');
      return memory.remembered({ key, door }) ?? (await memory.verify({ key, door }));
    },
  };
}

/** Whether an access token was refused because its time is over, and for nothing else. */
export const isExpired = (error: unknown): boolean =>
  isAppError(error, 'invalid_token') && error.cause instanceof errors.JWTExpired;
