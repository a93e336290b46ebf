import type { Money } from '@coffer/contracts';

/** What others sent, looked at member by member; nothing of it is believed before. */
export type Loose = Readonly<Record<string, unknown>>;

/** The object that the text holds; undefined for anything else. */
export function parseObject(text: string): Loose | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const asObject = (value: unknown): Loose | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;

export const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/**
 * An amount in minor units with its currency. Undefined for fractions, strings, negative ones and those beyond 2^53 − 1: JSON.parse has rounded the
 * last already.
 */
export function asMoney(amount: unknown, currency: unknown): Money | undefined {
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount < 0) return undefined;
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) return undefined;
  return { amountMinor: amount, currency };
}

/** A time in ISO 8601; undefined where there is none that can be read. */
export function asDate(value: unknown): Date | undefined {
  const date = typeof value === 'string' ? new Date(value) : undefined;
  return date && !Number.isNaN(date.getTime()) ? date : undefined;
}
