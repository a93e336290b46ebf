import type { Money, Payment } from '@coffer/contracts';

/** What the person pays: the price without what is credited. */
export const chargedOf = ({
  amountMinor,
  creditMinor,
  currency,
}: Pick<Payment, 'amountMinor' | 'creditMinor' | 'currency'>): Money => ({
  amountMinor: amountMinor - creditMinor,
  currency,
});

/** The amount in the currency's main unit as decimal text, exactly: 2000050 of NGN is `20000.50`. */
export function decimalOf({ amountMinor, currency }: Money): string {
  const digits = digitsOf(currency);
  const text = String(amountMinor).padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** For people: `NGN 20,000.50`. */
export function formatMoney(money: Money): string {
  const [whole = '', fraction] = decimalOf(money).split('.');
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
  return `${money.currency} ${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

/** Digits after the point by ISO 4217. */
const digitsOf = (currency: string): number =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;

const DECIMAL = { base: 1000, units: ['B', 'kB', 'MB', 'GB', 'TB'] } as const;
const BINARY = { base: 1024, units: ['B', 'KiB', 'MiB', 'GiB', 'TiB'] } as const;

/** For people, in the units that the number was made of: 104857600 is `100 MiB`, 1000000000 is `1 GB`, 1234567 is `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const [decimal, binary] = [scaled(bytes, DECIMAL), scaled(bytes, BINARY)];
  return binary.isExact && !decimal.isExact ? binary.text : decimal.text;
}

function scaled(bytes: number, { base, units }: typeof DECIMAL | typeof BINARY): { text: string; isExact: boolean } {
  const places = units.length - 1;
  const power = bytes < base ? 0 : Math.min(places, Math.floor(Math.log(bytes) / Math.log(base) + 1e-9));
  const amount = Number((bytes / base ** power).toFixed(1));
  return { text: `${amount} ${units[power]}`, isExact: amount * base ** power === bytes };
}

/** `2026-11-21 16:40 UTC` */
export const formatTime = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;

export const formatDay = (time: string): string => time.slice(0, 10);
