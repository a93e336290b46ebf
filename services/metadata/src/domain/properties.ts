import { appError } from '@coffer/service-kit';
import { fromPairs, type Pair, toPairs } from './node.ts';

const MAX_KEYS = 64;
const MAX_KEY_CHARACTERS = 128;
const MAX_VALUE_CHARACTERS = 4096;
const MAX_BYTES = 16_384;

/**
 * The properties after `changes` (null removes a key). Throws 400 `invalid_body` when the outcome is out of bounds: at
 * most 64 keys of 1 to 128 characters, values of at most 4,096, 16 KiB of UTF-8 in all.
 */
export function changeProperties(before: readonly Pair[], changes: Readonly<Record<string, string | null>>): Pair[] {
  const after = new Map(Object.entries(fromPairs(before)));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) after.delete(key);
    else after.set(key, value);
  }
  const pairs = [...after].map(([k, v]) => ({ k, v }));
  checkProperties(pairs);
  return pairs;
}

export function newProperties(properties: Readonly<Record<string, string>> | undefined): Record<string, string> {
  if (properties === undefined) return {};
  checkProperties(toPairs(properties));
  return properties;
}

function checkProperties(pairs: readonly Pair[]): void {
  const refuse = (key: string, message: string): never => {
    throw appError('invalid_body', 'The properties are out of bounds', {
      errors: [{ path: key === '' ? '/properties' : `/properties/${key}`, message }],
    });
  };
  if (pairs.length > MAX_KEYS) refuse('', `at most ${MAX_KEYS} keys`);
  let bytes = 0;
  for (const { k, v } of pairs) {
    if (k.length < 1 || k.length > MAX_KEY_CHARACTERS) refuse('', `keys have 1 to ${MAX_KEY_CHARACTERS} characters`);
    if (v.length > MAX_VALUE_CHARACTERS) refuse(k, `at most ${MAX_VALUE_CHARACTERS} characters`);
    if (!k.isWellFormed() || !v.isWellFormed() || k.includes('\0')) refuse('', 'must be well-formed Unicode');
    bytes += Buffer.byteLength(k) + Buffer.byteLength(v);
  }
  if (bytes > MAX_BYTES) refuse('', `at most ${MAX_BYTES} bytes in all`);
}
