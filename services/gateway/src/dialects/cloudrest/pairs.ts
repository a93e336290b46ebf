import type { Account } from '@coffer/contracts';
import { type CallOptions, isAppError } from '@coffer/service-kit';
import type { Gateway } from '../../gateway.ts';
import { isTaken, type Pair } from './s3-proof.ts';

/** What an account's pair is worth. `absent`: it never had one, since it was made through another door. */
export type Standing =
  | { readonly state: 'good' | 'absent' | 'revoked' | 'operator-refused' }
  | { readonly state: 'refused'; readonly keyId: string };

/** In the profile of every account that was made with a pair: tells one whose pair was revoked from one that never had any. */
export const PAIR_FACT = { cloudrest_pair: 'registered' };
const [FACT] = Object.keys(PAIR_FACT);

/** Visible ASCII; an id without `:`, which is what a colon ends in HTTP Basic. */
const ID = /^[!-9;-~]{3,128}$/;
const SECRET = /^[!-~]{1,256}$/;

export const isWellFormed = ({ id, secret }: Pair): boolean => ID.test(id) && SECRET.test(secret);

export type Pairs = ReturnType<typeof createPairs>;

export function createPairs({ auth, config, ctx }: Gateway) {
  const target = { endpoint: config.CLOUDREST_S3_ENDPOINT, region: config.CLOUDREST_S3_REGION };
  const operators = { id: config.CLOUDREST_ADMIN_KEY_ID, secret: config.CLOUDREST_ADMIN_SECRET_KEY };

  /** Well-formed, and taken by the S3 server where one is configured. Throws `unavailable` where that cannot be asked. */
  async function isCorrect(pair: Pair, signal?: AbortSignal): Promise<boolean> {
    if (!isWellFormed(pair)) return false;
    try {
      return await isTaken(target, pair, signal);
    } catch (error) {
      const cause = isAppError(error) ? error.cause : error;
      ctx.logger.warn({ err: cause }, 'the S3 server that proves keys does not answer');
      throw error;
    }
  }

  async function importedPair(accountId: string, call: CallOptions): Promise<Pair | undefined> {
    try {
      return await auth.call('getImportedKey', { params: { accountId, door: 'cloudrest' } }, call);
    } catch (error) {
      if (isAppError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  async function standingOf(account: Account, call: CallOptions): Promise<Standing> {
    if (account.role === 'operator') {
      const isNone = target.endpoint === '' && operators.id === '' && operators.secret === '';
      return { state: isNone || (await isCorrect(operators, call.signal)) ? 'good' : 'operator-refused' };
    }
    const pair = await importedPair(account.id, call);
    if (pair === undefined) {
      const profile = await auth.call('getProfile', { params: { accountId: account.id } }, call);
      return { state: FACT !== undefined && Object.hasOwn(profile, FACT) ? 'revoked' : 'absent' };
    }
    return (await isCorrect(pair, call.signal)) ? { state: 'good' } : { state: 'refused', keyId: pair.id };
  }

  return { isCorrect, standingOf };
}
