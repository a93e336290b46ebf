import type { Principal } from '@coffer/contracts';
import { createCredentialMemory } from './credential-memory.ts';
import type { Revocations } from './revocations.ts';

export interface ApiKeyVerifier {
  remembered(keyId: string, secret: string): Principal | undefined;
  verify(keyId: string, secret: string): Promise<Principal>;
}

/** API keys, by asking the auth service; a good answer is remembered for a few seconds. */
export function createApiKeyVerifier(o: {
  ask: (keyId: string, secret: string) => Promise<{ principal: Principal; expiresAt: string | null }>;
  revocations: Revocations;
}): ApiKeyVerifier {
  const memory = createCredentialMemory<{ keyId: string; secret: string }>({
    // The id of a key holds no dot.
    textOf: ({ keyId, secret }) => `${keyId}.${secret}`,
    ask: ({ keyId, secret }) => o.ask(keyId, secret),
    revocations: o.revocations,
  });
  return {
    remembered: (keyId, secret) => memory.remembered({ keyId, secret }),
    verify: (keyId, secret) => memory.verify({ keyId, secret }),
  };
}
