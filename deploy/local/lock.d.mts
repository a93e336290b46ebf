export interface LockHolder {
  readonly pid: number;
  /** Tells this process from a later one with the same pid. */
  readonly started: string;
  /** What the holder says of itself. */
  readonly note: string;
}
export interface Lock {
  /** Replaces the note that others see. */
  note(text: string): void;
  release(): void;
}
/** The lock, or who holds it. A lock whose holder has died is taken over. */
export function acquireLock(file: string, note?: string): { lock: Lock } | { holder: LockHolder };
/** Who holds it now, or null when nobody alive does. */
export function lockHolder(file: string): LockHolder | null;
