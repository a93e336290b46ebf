import type { Profile } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { ProfileStore } from './ports.ts';

const maxFacts = 32;
const maxTries = 10;
const nameShape = /^[^\p{C}]{1,64}$/u;

/** Throws 400 `invalid_body` where there are too many facts, or one whose name or value is none. */
export function checkProfile(profile: Readonly<Record<string, string | null>>, path = ''): void {
  const entries = Object.entries(profile);
  if (entries.length > maxFacts) throw invalid(path, `must hold at most ${maxFacts} facts`);
  for (const [name, value] of entries) {
    if (!nameShape.test(name)) throw invalid(path, 'must have names of 1 to 64 printable characters');
    if (value !== null && !value.isWellFormed()) throw invalid(path, 'must hold well-formed Unicode');
  }
}

function invalid(path: string, message: string): Error {
  return appError('invalid_body', `The profile ${message}`, { errors: [{ path, message }] });
}

export type Profiles = ReturnType<typeof createProfiles>;

/** The rules of what an account holds about its person. */
export function createProfiles({ profiles }: { profiles: ProfileStore }) {
  /** 404 `not_found`. */
  async function get(accountId: string): Promise<Profile> {
    return (await read(accountId)).profile;
  }

  async function read(accountId: string) {
    const found = await profiles.read(accountId);
    if (!found) throw appError('not_found', 'There is no such account');
    return found;
  }

  /** Null removes a fact, others stay. 400 `invalid_body`, 404 `not_found`, 409 `busy` where others write all the time. */
  async function update(accountId: string, changes: Readonly<Record<string, string | null>>): Promise<Profile> {
    checkProfile(changes);
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const { profile, version } = await read(accountId);
      const facts = new Map(Object.entries(profile));
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) facts.delete(name);
        else facts.set(name, value);
      }
      const next = Object.fromEntries(facts);
      checkProfile(next);
      if (await profiles.write(accountId, next, version)) return next;
    }
    throw appError('busy', 'The profile is being changed by other requests');
  }

  return { get, update };
}
