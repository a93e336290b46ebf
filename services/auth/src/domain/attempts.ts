import type { Attempt } from './model.ts';
import type { LoginLimits, Passwords } from './ports.ts';

/**
 * Whether the password is right, as one counted attempt. It is counted before the password is looked at, so that racing guesses count too, but
 * only when its turn has come: else many right ones at once would use up each other's attempts. The check before spares the queue
 * what can only be refused. 429 `rate_limited`, 503 `unavailable`.
 */
export async function attemptPassword(
  { passwords, limits }: { passwords: Passwords; limits: LoginLimits },
  o: { attempt: Attempt; hash: string | undefined; password: string; signal?: AbortSignal | undefined },
): Promise<boolean> {
  await limits.check(o.attempt);
  return await passwords.inTurn(async () => {
    await limits.take(o.attempt);
    const right = await passwords.verify(o.hash, o.password);
    if (right) await limits.forgive(o.attempt);
    return right;
  }, o.signal);
}
