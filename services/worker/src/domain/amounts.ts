import type { Money } from '@coffer/contracts';

/**
 * An amount in minor units as people read it: `NGN 2,000.00`. The currency by its code, since a sign like $ means many, and with as many
 * digits as ISO 4217 gives it. Exact: the digits never become a binary fraction.
 */
export function amountShown({ amountMinor, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  const all = String(amountMinor).padStart(digits + 1, '0');
  const whole = all.slice(0, all.length - digits);
  // Digits and a point are what the type asks for (ECMA-402, StringNumericLiteral).
  return format.format(`${whole}.${all.slice(all.length - digits)}0` as `${number}`);
}

const DECIMAL = { step: 1000, units: ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'] } as const;
const BINARY = { step: 1024, units: ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] } as const;

/**
 * In the units that the number was made of: 104857600 is `100 MiB`, 1000000000 is `1 GB`, and what is neither is rounded down: what is left
 * is never said to be more than it is.
 */
export function sizeShown(bytes: number): string {
  const [decimal, binary] = [scaled(bytes, DECIMAL), scaled(bytes, BINARY)];
  return binary.isExact && !decimal.isExact ? binary.text : decimal.text;
}

function scaled(bytes: number, { step, units }: typeof DECIMAL | typeof BINARY): { text: string; isExact: boolean } {
  let power = 0;
  for (let rest = bytes; rest >= step && power < units.length - 1; rest /= step) power++;
  const unitBytes = step ** power;
  const tenths = Math.floor((bytes / unitBytes) * 10);
  const number = (tenths / 10).toLocaleString('en', { maximumFractionDigits: 1 });
  return { text: `${number} ${units[power]}`, isExact: tenths * unitBytes === bytes * 10 };
}
