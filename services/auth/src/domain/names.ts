import { appError } from '@coffer/service-kit';
import type { Names } from './model.ts';

/** One field that a person must correct, as `errors[]` of a problem document names it. */
export interface FieldProblem {
  path: string;
  message: string;
}

/**
 * The form on which uniqueness is judged: NFKC (so that width and ligature variants meet) and case folded. JavaScript has no
 * case folding; upper and then lower case folds the same pairs (ß and ss, ς and σ) and a few more (ı and i), which errs on the safe
 * side: two names that look alike meet rather than stand beside each other. Repeated until it stands still, because composing can
 * give rise to a letter that folds again.
 */
export function foldName(value: string): string {
  let folded = value;
  for (let round = 0; round < 4; round++) {
    const next = folded.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
    if (next === folded) break;
    folded = next;
  }
  return folded;
}

/** Printable characters, words apart by one plain space each. */
const usernameShape = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+(?: [\p{L}\p{M}\p{N}\p{P}\p{S}]+)*$/u;
/** Characters that show nothing: with them two names could look the same and still differ. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;
const usernameMaxCharacters = 64;

/**
 * What is wrong with a user name, or undefined. `:` would end it too early in HTTP Basic (RFC 7617 2). What holds `@` must be an e-mail
 * address, because it becomes the account's; see `accountNames`.
 */
export function usernameProblem(username: string): string | undefined {
  if (!username.isWellFormed()) return 'must be well-formed Unicode';
  // Judged on the NFKC form, which is what counts: a full-width `＠` is an `@`.
  const plain = username.normalize('NFKC');
  if (plain.length === 0 || [...plain].length > usernameMaxCharacters) return 'must have 1 to 64 characters';
  if (plain.includes(':')) return 'must not hold ":"';
  if (invisible.test(plain) || !usernameShape.test(username))
    return 'must hold only printable characters, with single spaces between words';
  if (plain.includes('@') && emailProblem(username)) return 'must be an e-mail address if it holds "@"';
  return undefined;
}

const localShape = /^[^\s@"(),:;<>[\\\]\p{C}]+$/u;
const labelShape = /^[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$/u;

/**
 * What is wrong with an e-mail address, or undefined. The dot-atom form of RFC 5321 4.1.2 with the letters of RFC 6531; quoted local parts
 * and address literals are refused: nobody's mailbox is lost by it, and headers made from them stay safe.
 */
export function emailProblem(email: string): string | undefined {
  const message = 'must be an e-mail address';
  if (!email.isWellFormed() || Buffer.byteLength(email) > 254 || invisible.test(email)) return message;
  const parts = email.normalize('NFKC').split('@');
  const [local, domain] = parts;
  if (parts.length !== 2 || local === undefined || domain === undefined) return message;
  if (Buffer.byteLength(local) > 64 || !localShape.test(local)) return message;
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return message;
  const labels = domain.split('.');
  return labels.every((label) => label.length <= 63 && labelShape.test(label)) ? undefined : message;
}

/** Which unique key a login names: what holds an `@` is an e-mail address, also where it is a user name, so the two kinds can never be confused. */
export function loginKey(login: string): { field: 'usernameKey' | 'emailKey'; key: string } {
  const key = foldName(login);
  return { field: key.includes('@') ? 'emailKey' : 'usernameKey', key };
}

/** Throws 400 `invalid_name` or `invalid_body` naming every bad field of those given. */
export function checkNames(names: { username?: string | undefined; email?: string | null | undefined }): void {
  const errors: FieldProblem[] = [];
  const username = names.username === undefined ? undefined : usernameProblem(names.username);
  if (username) errors.push({ path: '/username', message: username });
  const email = names.email === undefined || names.email === null ? undefined : emailProblem(names.email);
  if (email) errors.push({ path: '/email', message: email });
  if (errors.length === 0) return;
  throw username
    ? appError('invalid_name', `The user name ${username}`, { errors })
    : appError('invalid_body', `The e-mail address ${email}`, { errors });
}

/**
 * Names that passed `checkNames`, with their unique keys. A user name with `@` takes the place of the e-mail address: the index that keeps addresses
 * unique then keeps it out of everybody else's log-in. 400 `invalid_name` where the account has another address.
 */
export function accountNames({ username, email }: { username: string; email: string | null }): Names {
  const usernameKey = foldName(username);
  if (!usernameKey.includes('@'))
    return { username, usernameKey, email, ...(email !== null && { emailKey: foldName(email) }) };
  if (email === null || foldName(email) === usernameKey)
    return { username, usernameKey, email: username, emailKey: usernameKey };
  const message = 'must not hold "@" unless it is the e-mail address';
  throw appError('invalid_name', `The user name ${message}`, { errors: [{ path: '/username', message }] });
}
