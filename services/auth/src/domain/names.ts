import { appError } from '@coffer/service-kit';

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

const usernameShape = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u;
/** Characters that show nothing: with them two names could look the same and still differ. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;
const usernameMaxCharacters = 64;

/** What is wrong with a user name, or undefined. Without `@`, so that no user name can look like somebody's e-mail address. */
export function usernameProblem(username: string): string | undefined {
  if (!username.isWellFormed()) return 'must be well-formed Unicode';
  // Judged on the NFKC form, which is what counts: a full-width `＠` is an `@`.
  const plain = username.normalize('NFKC');
  if (plain.length === 0 || [...plain].length > usernameMaxCharacters) return 'must have 1 to 64 characters';
  if (invisible.test(plain) || !usernameShape.test(plain))
    return 'must begin with a letter or digit and hold only letters, digits, ".", "_" and "-"';
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

/** Which unique key a login names: only e-mail addresses hold an `@`, so the two kinds can never be confused. */
export function loginKey(login: string): { field: 'usernameKey' | 'emailKey'; key: string } {
  const key = foldName(login);
  return { field: key.includes('@') ? 'emailKey' : 'usernameKey', key };
}

/** Throws 400 `invalid_name` or `invalid_body` naming every bad field of those given. */
export function checkNames(names: { username?: string | undefined; email?: string | undefined }): void {
  const errors: FieldProblem[] = [];
  const username = names.username === undefined ? undefined : usernameProblem(names.username);
  if (username) errors.push({ path: '/username', message: username });
  const email = names.email === undefined ? undefined : emailProblem(names.email);
  if (email) errors.push({ path: '/email', message: email });
  if (errors.length === 0) return;
  throw username
    ? appError('invalid_name', `The user name ${username}`, { errors })
    : appError('invalid_body', `The e-mail address ${email}`, { errors });
}
