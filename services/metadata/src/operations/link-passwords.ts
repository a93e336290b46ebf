import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import type { LinkDoc, PasswordHash } from '../domain/links.ts';
import { Recent } from '../domain/recent.ts';
import type { LinkStore } from '../store/links.ts';

// 32 MiB and about 0.1 s each: twice what scrypt's author gives for a person who waits. Tries are few, and others wait too.
const LOG_N = 15;
const BLOCK = 8;
const PARALLEL = 1;
const HASH_BYTES = 32;

const WINDOW_MS = 15 * 60_000;
export const MAX_TRIES_PER_ADDRESS = 10;
/** Against many addresses at once. Generous, since it also keeps out those who know the password. */
export const MAX_TRIES_PER_LINK = 200;
const RIGHT_MS = 60_000;

/** Takes a tenth of a second of a thread that is not the event loop's. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, LOG_N);
  return { salt: salt.toString('base64url'), hash: hash.toString('base64url'), logN: LOG_N };
}

function derive(password: string, salt: Buffer, logN: number): Promise<Buffer> {
  const N = 2 ** logN;
  // Twice the need: Node's bound counts a little more than the algorithm's table.
  const options = { N, r: BLOCK, p: PARALLEL, maxmem: 2 * 128 * N * BLOCK };
  return new Promise((resolve, reject) => {
    // The same characters typed on another device may be other code points.
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Judges the passwords that people give for links. Wrong ones are counted in the database, so that they are for all instances. */
export class LinkPasswords {
  readonly #links: LinkStore;
  /** A page and everything it loads come with the same password within moments: looked at once. */
  readonly #right = new Recent<true>(RIGHT_MS);
  readonly #judging = new Map<string, Promise<boolean>>();

  constructor(links: LinkStore) {
    this.#links = links;
  }

  /**
   * Throws 401 `link_password_required` without one, 401 `invalid_credentials` for a wrong one, 429 `rate_limited` after
   * too many of them from the address, or on the link from all addresses.
   */
  async demand(link: LinkDoc, password: string | undefined, address: string): Promise<void> {
    if (link.password === undefined) return;
    if (password === undefined) throw appError('link_password_required', 'The link asks for a password');
    const right = createHash('sha256').update(`${link._id}\n${link.password.hash}\n${password}`).digest('base64url');
    if (this.#right.get(right)) return;
    const key = `${right}/${address}`;
    const judging = this.#judging.get(key) ?? this.#judge(link._id, link.password, password, address);
    this.#judging.set(key, judging);
    try {
      if (!(await judging)) throw appError('invalid_credentials', 'This is not the password of the link');
      this.#right.saw(right, true);
    } finally {
      if (this.#judging.get(key) === judging) this.#judging.delete(key);
    }
  }

  async #judge(linkId: string, known: PasswordHash, password: string, address: string): Promise<boolean> {
    const keys = [`${linkId}/${address}`, linkId];
    for (const [i, key] of keys.entries()) {
      const { count, resetAt } = await this.#links.countTry(key, WINDOW_MS);
      if (count <= (i === 0 ? MAX_TRIES_PER_ADDRESS : MAX_TRIES_PER_LINK)) continue;
      const seconds = Math.max(1, Math.ceil((resetAt.getTime() - Date.now()) / 1_000));
      throw appError('rate_limited', 'Too many wrong passwords; try again later', {
        headers: { 'retry-after': String(seconds) },
      });
    }
    const expected = Buffer.from(known.hash, 'base64url');
    const given = await derive(password, Buffer.from(known.salt, 'base64url'), known.logN);
    const isRight = given.length === expected.length && timingSafeEqual(given, expected);
    if (isRight) await this.#links.takeBackTries(keys);
    return isRight;
  }
}
