import { at } from './table.ts';

/** One report of two, the second of which went on where the first stopped; what the store says of itself is the later word. */
export function joinStoreChecks(before: unknown, after: unknown): unknown {
  const both = (name: string): unknown[] => [before, after].flatMap((part) => at(part, name) ?? []);
  return {
    isSound: at(before, 'isSound') === true && at(after, 'isSound') === true,
    checkedAccounts: both('checkedAccounts').reduce<number>((sum, count) => sum + Number(count), 0),
    differing: both('differing'),
    busy: both('busy'),
    store: at(after, 'store'),
    nextCursor: at(after, 'nextCursor') ?? null,
  };
}
