import type { Profile } from '@coffer/contracts';
import type { ProfileStore } from '../domain/ports.ts';
import { living } from './documents.ts';
import { type Mongo, run } from './mongo.ts';
import type { Sealing } from './sealing.ts';

const purpose = (accountId: string): string => `profile:${accountId}`;

/** As it stands in the account's document. */
export function sealProfile(sealing: Sealing, accountId: string, profile: Profile): string {
  return sealing.seal(Buffer.from(JSON.stringify(profile)), purpose(accountId));
}

function openProfile(sealing: Sealing, accountId: string, sealed: string): Profile {
  const facts: unknown = JSON.parse(sealing.open(sealed, purpose(accountId)).toString());
  if (typeof facts !== 'object' || facts === null) throw new Error('The stored profile is damaged');
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, String(value)]));
}

export function createProfileStore({ accounts }: Mongo, sealing: Sealing): ProfileStore {
  return {
    async read(accountId) {
      const found = await run(() => accounts.findOne({ _id: accountId, ...living }, { projection: { profile: 1 } }));
      if (!found) return undefined;
      const { profile: version } = found;
      return { profile: version === undefined ? {} : openProfile(sealing, accountId, version), version };
    },

    async write(accountId, profile, version) {
      // Sealing gives another text each time, so the text itself tells whether somebody else has written.
      const unchanged = { profile: version ?? { $exists: false } };
      const sealed = sealProfile(sealing, accountId, profile);
      const result = await run(() =>
        accounts.updateOne({ _id: accountId, ...living, ...unchanged }, { $set: { profile: sealed } }),
      );
      return result.matchedCount === 1;
    },
  };
}
