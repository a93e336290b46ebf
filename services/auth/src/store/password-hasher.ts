import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { createLane } from '../domain/lane.ts';
import { normalizePassword } from '../domain/passwords.ts';
import type { Passwords } from '../domain/ports.ts';

/** OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. 2 is the library's number for argon2id. */
const parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** At some 20 to 50 ms each, the last in the queue still gets its answer within a caller's 10 s. */
const maxWaiting = 256;

/**
 * Argon2id, hashed on libuv's threads. Half of the cores at most, so that a storm of log-ins leaves room for everybody else's requests.
 */
export function createPasswords(): Passwords & { waiting(): number } {
  const width = Math.min(8, Math.max(1, Math.floor(availableParallelism() / 2)));
  const lane = createLane({ width, maxWaiting });
  const dummy = hash('an unknown login costs as much as a wrong password', parameters);
  // Whoever verifies against it sees the failure; without this line an early one would end the process.
  dummy.catch(() => {});

  return {
    waiting: lane.waiting,
    inTurn: lane.run,

    async hash(password, signal, check) {
      return await lane.run(async () => {
        await check?.();
        return await hash(normalizePassword(password), parameters);
      }, signal);
    },

    async verify(stored, password) {
      const same = await verify(stored ?? (await dummy), normalizePassword(password));
      return same && stored !== undefined;
    },
  };
}
