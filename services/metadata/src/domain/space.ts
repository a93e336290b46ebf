/** From which share of the limit on its owner is told that space runs out. */
export const WARN_PERCENT = 80;
/** Who was told is told again only after less than this was used: what comes and goes around the mark is one time. */
const CALM_PERCENT = 75;

export interface SpaceSeen {
  /** After the write and before it. */
  usedBytes: number;
  beforeBytes: number;
  limitBytes: number;
  warnedAt?: Date | undefined;
}

/** What a write makes of the warning: to give one, to be ready for the next, or nothing. */
export function judgeSpace({ usedBytes, beforeBytes, limitBytes, warnedAt }: SpaceSeen): 'warn' | 'calm' | null {
  // Divided, not multiplied: sizes go up to where a product is no longer exact.
  const isCalm = (bytes: number): boolean => bytes < (limitBytes / 100) * CALM_PERCENT;
  if (usedBytes > 0 && usedBytes >= (limitBytes / 100) * WARN_PERCENT) {
    return warnedAt === undefined || isCalm(beforeBytes) ? 'warn' : null;
  }
  return warnedAt !== undefined && isCalm(usedBytes) ? 'calm' : null;
}
