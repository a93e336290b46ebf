import type { Principal } from '@coffer/contracts';
import type { Revocations } from './revocations.ts';

export interface CredentialMemory<C> {
  /** Whom these credentials were good for a moment ago; undefined where it must be asked. */
  remembered(credentials: C): Principal | undefined;
  /** Asks, and throws what `ask` threw. Questions about the same credentials that meet are one. */
  verify(credentials: C): Promise<Principal>;
}

/** Whoever takes a right away reaches every gateway by the bus at once; without the bus, within this time. */
const REMEMBER_MS = 5_000;
const MAX_REMEMBERED = 5_000;

interface Entry {
  readonly principal: Principal;
  readonly untilMs: number;
}

/** Asks the auth service about opaque credentials, and remembers a good answer for a few seconds, or until it is revoked. */
export function createCredentialMemory<C>(o: {
  /** The same text for the same credentials and for no others. */
  textOf: (credentials: C) => string;
  ask: (credentials: C) => Promise<{ principal: Principal; expiresAt: string | null }>;
  revocations: Revocations;
}): CredentialMemory<C> {
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<Principal>>();

  o.revocations.onAdd(({ kind, id }) => {
    for (const [text, { principal }] of entries) {
      const { accountId, sessionId, keyId } = principal;
      if (id === (kind === 'account' ? accountId : kind === 'session' ? sessionId : keyId)) entries.delete(text);
    }
  });

  const ask = async (credentials: C, text: string): Promise<Principal> => {
    const generation = o.revocations.generation();
    const askedAtMs = Date.now();
    const { principal, expiresAt } = await o.ask(credentials);
    const untilMs = Math.min(
      askedAtMs + REMEMBER_MS,
      expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    );
    // Revoked while the answer was on its way: the answer may be older than that.
    if (o.revocations.generation() === generation) {
      if (entries.size >= MAX_REMEMBERED) entries.clear();
      entries.set(text, { principal, untilMs });
    }
    return principal;
  };

  return {
    remembered(credentials) {
      const text = o.textOf(credentials);
      const entry = entries.get(text);
      if (entry === undefined) return undefined;
      if (entry.untilMs > Date.now()) return entry.principal;
      entries.delete(text);
      return undefined;
    },
    async verify(credentials) {
      const text = o.textOf(credentials);
      // Who comes after a revocation does not join a question from before it.
      const question = `${o.revocations.generation()} ${text}`;
      let answer = asking.get(question);
      if (answer === undefined) {
        answer = ask(credentials, text).finally(() => asking.delete(question));
        asking.set(question, answer);
      }
      return await answer;
    },
  };
}
