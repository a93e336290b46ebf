import type { Revocation } from '@coffer/contracts';

/** Ended sessions, revoked keys and suspended accounts, as far as a token that is not expired could still speak for them. */
export interface Revocations {
  add(items: readonly Revocation[]): void;
  /** Whether a token issued at `issuedAtMs` for this account and session must not be honoured any more. */
  isRevoked(token: { accountId: string; sessionId: string; issuedAtMs: number }): boolean;
  /** Rises whenever something is revoked: an answer that was asked for before is not worth keeping. */
  generation(): number;
  /** Called for each revocation, new or not. */
  onAdd(listener: (item: Revocation) => void): void;
}

/** Longer than any access token lives (24 h at most): a list that is forgotten too early would bring ended sessions back to life. */
const KEEP_MS = 26 * 3600_000;
const SWEEP_MS = 3600_000;

export function createRevocations(now: () => number = Date.now): Revocations {
  const sessions = new Map<string, number>();
  const accounts = new Map<string, number>();
  const listeners: ((item: Revocation) => void)[] = [];
  let generation = 0;
  let sweepAt = now() + SWEEP_MS;

  const sweep = (): void => {
    if (now() < sweepAt) return;
    sweepAt = now() + SWEEP_MS;
    for (const map of [sessions, accounts]) for (const [id, atMs] of map) if (atMs < now() - KEEP_MS) map.delete(id);
  };

  return {
    add(items) {
      sweep();
      for (const item of items) {
        const atMs = Date.parse(item.at);
        const map = item.kind === 'session' ? sessions : item.kind === 'account' ? accounts : undefined;
        if (map !== undefined) map.set(item.id, Math.max(atMs, map.get(item.id) ?? 0));
        generation += 1;
        for (const listener of listeners) listener(item);
      }
    },
    isRevoked({ accountId, sessionId, issuedAtMs }) {
      if (sessions.has(sessionId)) return true;
      const accountAtMs = accounts.get(accountId);
      // A suspension may be lifted: tokens issued afterwards are good. Tokens know whole seconds only.
      return accountAtMs !== undefined && issuedAtMs <= accountAtMs;
    },
    generation: () => generation,
    onAdd: (listener) => {
      listeners.push(listener);
    },
  };
}
