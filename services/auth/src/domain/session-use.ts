import type { SessionRecord } from './model.ts';

/** Of sessions that are used without being renewed, a use is written down this often at most: reading is most of what such clients do. */
const touchEveryMs = 60 * 60 * 1000;

export function needsTouch(session: SessionRecord, now: Date): boolean {
  return now.getTime() - session.lastUsedAt.getTime() >= touchEveryMs;
}
