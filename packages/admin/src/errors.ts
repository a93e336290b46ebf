/** The command line says something that cannot be done: nothing was asked of the server. */
export class UsageError extends Error {}

/** The server answered, and said no. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, detail: string, requestId: string | null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/** No answer, or word that a part of the server is away: later it may work. */
export class Unreachable extends Error {}

export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Unreachable) return EXIT.unreachable;
  return EXIT.refused;
}
