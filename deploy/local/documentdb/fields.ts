// Reads what the gateway needs straight from a command's BSON (https://bsonspec.org), without making objects of the documents in it.

export interface Field {
  type: number;
  name: string;
  /** Where the whole element begins (its type byte), where its value begins, and where it ends. */
  start: number;
  value: number;
  end: number;
}

const malformed = () => new RangeError('malformed BSON');

/** Where a value of this type that begins at `at` ends. */
function endOfValue(bytes: Buffer, type: number, at: number): number {
  switch (type) {
    case 0x01: // double
    case 0x09: // date
    case 0x11: // timestamp
    case 0x12: // int64
      return at + 8;
    case 0x02: // string
    case 0x0d: // code
    case 0x0e: // symbol
      return at + 4 + bytes.readInt32LE(at);
    case 0x03: // document
    case 0x04: // array
    case 0x0f: // code with scope
      return at + bytes.readInt32LE(at);
    case 0x05: // binary
      return at + 5 + bytes.readInt32LE(at);
    case 0x06: // undefined
    case 0x0a: // null
    case 0x7f: // max key
    case 0xff: // min key
      return at;
    case 0x07: // object id
      return at + 12;
    case 0x08: // boolean
      return at + 1;
    case 0x0b: // regular expression: two C strings
      return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1;
    case 0x0c: // pointer
      return at + 16 + bytes.readInt32LE(at);
    case 0x10: // int32
      return at + 4;
    case 0x13: // decimal128
      return at + 16;
    default:
      throw malformed();
  }
}

/** The elements of the document that begins at `from`. */
export function* fieldsOf(bytes: Buffer, from = 0): Generator<Field> {
  const last = from + bytes.readInt32LE(from) - 1;
  if (last >= bytes.length || last < from + 4) throw malformed();
  for (let at = from + 4; at < last; ) {
    const type = bytes[at] ?? 0;
    const nameEnd = bytes.indexOf(0, at + 1);
    if (nameEnd < 0) throw malformed();
    const value = nameEnd + 1;
    const end = endOfValue(bytes, type, value);
    if (end > last || end < value) throw malformed();
    yield { type, name: bytes.toString('utf8', at + 1, nameEnd), start: at, value, end };
    at = end;
  }
}

/** A string's value. */
export function stringAt(bytes: Buffer, value: number): string {
  return bytes.toString('utf8', value + 4, value + 3 + bytes.readInt32LE(value));
}

export interface CommandHead {
  /** The command: its first element's name. */
  name: string;
  /** The first element's value where it is a string (a collection's name), else ''. */
  target: string;
  /** Where the first element's value begins. */
  targetAt: number;
  db: string;
  /** Part of a transaction of several documents. */
  transaction: boolean;
}

/** What every command is sorted by. Throws a RangeError for bytes that are no command. */
export function headOf(bytes: Buffer): CommandHead {
  const last = bytes.readInt32LE(0) - 1;
  if (last !== bytes.length - 1 || last < 5) throw malformed();
  const head: CommandHead = { name: '', target: '', targetAt: 0, db: '', transaction: false };
  for (let at = 4; at < last; ) {
    const type = bytes[at] ?? 0;
    const nameEnd = bytes.indexOf(0, at + 1);
    if (nameEnd < 0) throw malformed();
    const value = nameEnd + 1;
    const end = endOfValue(bytes, type, value);
    if (end > last || end < value) throw malformed();
    const letter = bytes[at + 1];
    if (at === 4) {
      head.name = bytes.toString('latin1', 5, nameEnd);
      head.targetAt = value;
      if (type === 0x02) head.target = stringAt(bytes, value);
    } else if (
      letter === 0x24 &&
      type === 0x02 &&
      nameEnd - at === 4 &&
      bytes[at + 2] === 0x64 &&
      bytes[at + 3] === 0x62
    ) {
      head.db = stringAt(bytes, value); // "$db"
    } else if (
      letter === 0x61 &&
      type === 0x08 &&
      nameEnd - at === 11 &&
      bytes.toString('latin1', at + 1, nameEnd) === 'autocommit'
    ) {
      head.transaction = bytes[value] === 0;
    }
    at = end;
  }
  return head;
}
