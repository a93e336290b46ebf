// MongoDB's wire protocol: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/

export const OP_REPLY = 1;
export const OP_QUERY = 2004;
export const OP_MSG = 2013;

export const maxMessageBytes = 48_000_000;
const headBytes = 21;
const checksumPresent = 1;
const moreToCome = 2;

export interface Message {
  requestId: number;
  /** OP_QUERY: only the first hello of a connection comes so, and is answered with OP_REPLY. */
  legacy: boolean;
  /** The client expects no answer (w: 0). */
  silent: boolean;
  /** The command's BSON. */
  body: Buffer;
  /** A document sequence's documents, one behind the other, or null. */
  sequence: Buffer | null;
}

/** Takes a message apart. Throws a RangeError for one that this protocol does not know. */
export function readMessage(message: Buffer): Message {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === OP_QUERY) {
    // flags, the collection's name as a C string, numbers to skip and to return, then the document
    const at = message.indexOf(0, 20) + 9;
    return {
      requestId,
      legacy: true,
      silent: false,
      body: message.subarray(at, at + message.readInt32LE(at)),
      sequence: null,
    };
  }
  if (opCode !== OP_MSG) throw new RangeError(`unknown operation ${opCode}`);
  const flags = message.readUInt32LE(16);
  // Bits 0 to 15 must be understood by whoever reads the message.
  if ((flags & 0xfffc) !== 0) throw new RangeError(`unknown flags ${flags}`);
  const end = message.length - (flags & checksumPresent ? 4 : 0);
  let body: Buffer | undefined;
  let sequence: Buffer | null = null;
  for (let at = 20; at < end; ) {
    const kind = message[at];
    const next = at + 1 + message.readInt32LE(at + 1);
    if (next > end || next < at + 6) throw new RangeError('a section does not fit its message');
    if (kind === 0 && body === undefined) body = message.subarray(at + 1, next);
    else if (kind === 1 && sequence === null) sequence = message.subarray(message.indexOf(0, at + 5) + 1, next);
    else throw new RangeError('sections that do not go together');
    at = next;
  }
  if (body === undefined) throw new RangeError('a message without a body');
  return { requestId, legacy: false, silent: (flags & moreToCome) !== 0, body, sequence };
}

/** One OP_MSG: header, no flags, one section of kind 0. */
export function opMsg(requestId: number, responseTo: number, body: Buffer): Buffer {
  const message = Buffer.allocUnsafe(headBytes + body.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(requestId, 4);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(OP_MSG, 12);
  message.writeInt32LE(0, 16);
  message[20] = 0;
  body.copy(message, headBytes);
  return message;
}

/** One OP_REPLY with one document. */
export function opReply(requestId: number, responseTo: number, body: Buffer): Buffer {
  const head = Buffer.alloc(36);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(requestId, 4);
  head.writeInt32LE(responseTo, 8);
  head.writeInt32LE(OP_REPLY, 12);
  head.writeInt32LE(1, 32);
  return Buffer.concat([head, body]);
}
