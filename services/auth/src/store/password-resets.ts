import type { PasswordResetStore } from '../domain/ports.ts';
import { type Mongo, run } from './mongo.ts';

/** An expired reset says no more than a missing one; it stays a little so that its event can still get out. */
const keepMs = 24 * 60 * 60 * 1000;

export function createPasswordResetStore({ passwordResets }: Mongo): PasswordResetStore {
  return {
    async insert(reset, events, { id, at }) {
      const purgeAt = new Date(at.getTime() + keepMs);
      if (!reset) {
        await run(() => passwordResets.insertOne({ _id: id, purgeAt }));
        return;
      }
      const { id: _id, ...facts } = reset;
      await run(() => passwordResets.insertOne({ _id, ...facts, purgeAt, outbox: events, outboxAt: at }));
    },

    async get(resetId) {
      const found = await run(() => passwordResets.findOne({ _id: resetId }));
      const { accountId, credentialRev, emailKey, expiresAt } = found ?? {};
      if (accountId === undefined || credentialRev === undefined || emailKey === undefined || !expiresAt)
        return undefined;
      return { id: resetId, accountId, credentialRev, emailKey, expiresAt };
    },
  };
}
