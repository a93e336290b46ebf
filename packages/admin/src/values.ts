/** Words of the command line, made into what the API takes. All throw `UsageError`. */
import { UsageError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isId = (text: string): boolean => ID.test(text);

export function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is needed`);
  return value;
}

export function idFrom(text: string, name: string): string {
  if (!isId(text)) throw new UsageError(`${name} is not an id: ${text}`);
  return text;
}

/** A whole number of bytes, or one with a binary unit: `MB` means two things, and so nothing here. */
export function bytesFrom(text: string): number {
  const [, digits = '', unit = 'B'] = /^(\d{1,16})(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  const bytes = digits === '' ? Number.NaN : Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`Not a number of bytes: ${text} (5368709120, 5120MiB and 5GiB are the same)`);
  }
  return bytes;
}

/** As the API writes it: UTC with milliseconds. A bare day is its beginning. */
export function timeFrom(text: string, name: string): string {
  const isKnownForm = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text);
  const time = isKnownForm ? new Date(text) : new Date(Number.NaN);
  // `2027-02-30` would quietly become a day in March.
  if (Number.isNaN(time.getTime()) || time.toISOString().slice(0, 10) !== text.slice(0, 10)) {
    throw new UsageError(`${name} is not a time: ${text} (2027-01-31 and 2027-01-31T12:00:00Z are)`);
  }
  return time.toISOString();
}

export function oneOf(allowed: readonly string[], text: string | undefined, name: string): string | undefined {
  if (text !== undefined && !allowed.includes(text)) {
    throw new UsageError(`${name} is one of ${allowed.join(', ')}, not ${text}`);
  }
  return text;
}

export function countFrom(text: string, name: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new UsageError(`${name} is a number from 1: ${text}`);
  return count;
}

/** One segment of a URL's path; `.` and `..` would be taken for steps, even escaped. */
export function pathPart(text: string): string {
  if (text === '.' || text === '..') throw new UsageError(`Not a name: ${text}`);
  return encodeURIComponent(text);
}
