import type { Principal } from '@coffer/contracts';
import type { Revocations } from './revocations.ts';

export interface ApiKeyVerifier {
  remembered(keyId: string, secret: string): Principal | undefined;
  verify(keyId: string, secret: string): Promise<Principal>;
}

/** Whoever takes a key away reaches every gateway by the bus at once; without the bus, within this time. */
const REMEMBER_MS = 5_000;
const MAX_REMEMBERED = 5_000;

interface Entry {
  readonly keyId: string;
  readonly secret: string;
  readonly principal: Principal;
  readonly untilMs: number;
}

/** Asks the auth service about API keys, and remembers a good answer for a few seconds. Questions about one key that meet are one. */
export function createApiKeyVerifier(o: {
  ask: (keyId: string, secret: string) => Promise<{ principal: Principal; expiresAt: string | null }>;
  revocations: Revocations;
}): ApiKeyVerifier {
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<Principal>>();

  o.revocations.onAdd(({ kind, id }) => {
    if (kind === 'key') entries.delete(id);
    if (kind !== 'account') return;
    for (const entry of entries.values()) if (entry.principal.accountId === id) entries.delete(entry.keyId);
  });

  const ask = async (keyId: string, secret: string): Promise<Principal> => {
    const generation = o.revocations.generation();
    const askedAtMs = Date.now();
    const { principal, expiresAt } = await o.ask(keyId, secret);
    const untilMs = Math.min(
      askedAtMs + REMEMBER_MS,
      expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    );
    // Revoked while the answer was on its way: the answer may be older than that.
    if (o.revocations.generation() === generation) {
      if (entries.size >= MAX_REMEMBERED) entries.clear();
      entries.set(keyId, { keyId, secret, principal, untilMs });
    }
    return principal;
  };

  return {
    remembered(keyId, secret) {
      const entry = entries.get(keyId);
      if (entry === undefined) return undefined;
      if (entry.untilMs <= Date.now()) {
        entries.delete(keyId);
        return undefined;
      }
      // The time that this comparison takes tells nothing that helps: a wrong secret goes on to the auth service either way.
      return entry.secret === secret ? entry.principal : undefined;
    },
    async verify(keyId, secret) {
      const question = `${keyId}.${secret}`;
      let answer = asking.get(question);
      if (answer === undefined) {
        answer = ask(keyId, secret).finally(() => asking.delete(question));
        asking.set(question, answer);
      }
      return await answer;
    },
  };
}
