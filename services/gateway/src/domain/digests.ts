import { appError } from '@coffer/service-kit';
import type { Headers } from './conditions.ts';

/** Lower-case hex. */
export interface ExpectedDigests {
  sha256?: string;
  sha512?: string;
  md5?: string;
}

const KNOWN = { 'sha-256': ['sha256', 32], 'sha-512': ['sha512', 64] } as const;
/** One member of an RFC 8941 dictionary whose values are byte sequences; parameters are read over. */
const MEMBER = /^([a-z*][a-z0-9_.*-]*)\s*=\s*:([A-Za-z0-9+/=]*):(?:\s*;.*)?$/;

/**
 * What the sender says the bytes hash to: `Content-Digest` and `Repr-Digest` (RFC 9530; the same here, since no content coding is taken)
 * and `Content-MD5` (RFC 1864). Algorithms that are not known are left out, as RFC 9530 has it. Throws `invalid_header` for what is
 * malformed and `digest_mismatch` where two headers contradict each other.
 */
export function expectedDigests(headers: Headers): ExpectedDigests | undefined {
  const expected: ExpectedDigests = {};
  for (const name of ['content-digest', 'repr-digest']) {
    const value = headers[name];
    if (value !== undefined) readDictionary(name, typeof value === 'string' ? value : value.join(', '), expected);
  }
  const md5 = headers['content-md5'];
  if (md5 !== undefined) expect(expected, 'md5', decode('content-md5', String(md5).trim(), 16));
  return (expected.sha256 ?? expected.sha512 ?? expected.md5) ? expected : undefined;
}

function readDictionary(header: string, value: string, expected: ExpectedDigests): void {
  for (const member of value.split(',')) {
    const match = MEMBER.exec(member.trim());
    if (match === null) throw malformed(header);
    const known = KNOWN[match[1] as keyof typeof KNOWN];
    if (known !== undefined) expect(expected, known[0], decode(header, match[2] ?? '', known[1]));
  }
}

function expect(expected: ExpectedDigests, algorithm: keyof ExpectedDigests, hex: string): void {
  const before = expected[algorithm];
  if (before !== undefined && before !== hex)
    throw appError('digest_mismatch', `Two ${algorithm} digests contradict each other`);
  expected[algorithm] = hex;
}

function decode(header: string, base64: string, lengthBytes: number): string {
  const bytes = Buffer.from(base64, 'base64');
  // Buffer.from reads over what is not base64: only what comes back as it was is sound.
  if (bytes.length !== lengthBytes || bytes.toString('base64') !== base64) throw malformed(header);
  return bytes.toString('hex');
}

const malformed = (header: string) => appError('invalid_header', `${header} is malformed`);
