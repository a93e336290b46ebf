import { appError } from '@coffer/service-kit';
import { foldName } from './names.ts';

const minCharacters = 8;
const maxBytes = 1024;

/** What is hashed: NFC, so that a password typed on systems that compose letters differently stays the same (RFC 8265 4.2). */
export function normalizePassword(password: string): string {
  return password.normalize('NFC');
}

/**
 * The policy for new passwords, after NIST SP 800-63B 5.1.1.2: length counts, composition rules do not. `owner` are the account's own
 * names, which are the first thing that is guessed. `any` takes whatever is text, as some doors promise. Throws 400 `weak_password` naming `path`.
 */
export function checkNewPassword(
  password: string,
  path: string,
  owner: readonly (string | null)[],
  any: boolean | undefined = false,
): void {
  const problem = any ? textProblem(password) : (textProblem(password) ?? passwordProblem(password, owner));
  if (problem) throw appError('weak_password', `The password ${problem}`, { errors: [{ path, message: problem }] });
}

/** What is not text would be hashed as if its broken characters were all the same. */
function textProblem(password: string): string | undefined {
  return password.isWellFormed() ? undefined : 'must be well-formed Unicode';
}

function passwordProblem(password: string, owner: readonly (string | null)[]): string | undefined {
  const plain = normalizePassword(password);
  if ([...plain].length < minCharacters) return `must have at least ${minCharacters} characters`;
  if (Buffer.byteLength(plain) > maxBytes) return `must have at most ${maxBytes} bytes`;
  const folded = foldName(plain);
  if (owner.some((name) => name !== null && foldName(name) === folded))
    return 'must not be the user name or the e-mail address';
  return undefined;
}
