import table from './errors.json' with { type: 'json' };

/** An error in MongoDB's words: what a reply with `ok: 0` says. */
export class MongoError extends Error {
  readonly code: number;
  readonly codeName: string;
  /** More fields of the reply: `keyPattern`, say. */
  readonly fields: Record<string, unknown>;
  constructor(code: number, codeName: string, message: string, fields: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.codeName = codeName;
    this.fields = fields;
  }
}

export interface Code {
  code: number;
  codeName: string;
}

// `errors.json` is the extension's own table (SQLSTATEs M0000 and up). PostgreSQL's own errors have these meanings to a MongoDB client.
const own: Record<string, Code> = {
  '23505': { code: 11000, codeName: 'DuplicateKey' },
  '23P01': { code: 11000, codeName: 'DuplicateKey' },
  '40P01': { code: 112, codeName: 'WriteConflict' },
  '40001': { code: 112, codeName: 'WriteConflict' },
  '57014': { code: 50, codeName: 'MaxTimeMSExpired' },
  '53100': { code: 14031, codeName: 'OutOfDiskSpace' },
  '0A000': { code: 115, codeName: 'CommandNotSupported' },
};

const codes = new Map<string, Code>(Object.entries(own));
for (const [sqlstate, text] of Object.entries(table)) {
  const gap = text.indexOf(' ');
  codes.set(sqlstate, { code: Number(text.slice(0, gap)), codeName: text.slice(gap + 1) });
}

/** What a SQLSTATE is called by MongoDB; 8 UnknownError where it has no name for it. */
export function codeOf(sqlstate: string): Code {
  return codes.get(sqlstate) ?? { code: 8, codeName: 'UnknownError' };
}

/** The SQLSTATE that PostgreSQL packs into an integer: five characters of six bits each, counted from '0', the first in the lowest bits. */
export function unpackSqlstate(packed: number): string {
  let sqlstate = '';
  for (let bits = 0; bits < 30; bits += 6) sqlstate += String.fromCharCode(((packed >> bits) & 63) + 48);
  return sqlstate;
}

/** Two writes waited for each other, and PostgreSQL ended one of them: it may be tried again. */
export function isConflict(sqlstate: string): boolean {
  return sqlstate === '40P01' || sqlstate === '40001';
}
