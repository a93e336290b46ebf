import { isUtf8 } from 'node:buffer';
import { appError } from '@coffer/service-kit';
import { Base64Decoder } from './base64.ts';

/** All but the picture: white space, keys, the description. */
const FRAME_MAX_BYTES = 64 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What base64 may have written in two characters (RFC 8259, 7). */
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '/': '/', n: '\n', r: '\r', t: '\t' };

/**
 * Reads `{"data": "<base64>", …}` as it comes and gives the picture's bytes, in memory that does not grow with them. Only strings and
 * nesting are followed here; what stands around the picture is kept (with `""` in its place) and judged in the end by `JSON.parse`, so
 * that exactly what is JSON passes. Throws `invalid_body` and, for too much around the picture, `too_large`.
 */
export class PictureJson {
  readonly #base64 = new Base64Decoder();
  readonly #frame: Buffer[] = [];
  #frameBytes = 0;
  #depth = 0;
  #begun = false;
  #inString = false;
  #escaped = false;
  /** The last of `{`, `,`, `:` at the top level: tells keys from values. */
  #mark = 0;
  /** The key being read, or read last, as it is written. */
  #key: number[] | undefined;
  readonly #keys = new Set<string>();
  #lastKey: string | undefined;
  #inData = false;
  /** An escape within the picture that a chunk's end cut. */
  #escape = '';

  write(chunk: Buffer): Buffer {
    const pieces: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#inData) {
        const { bytes, next } = this.#readData(chunk, at);
        pieces.push(bytes);
        at = next;
      } else {
        at = this.#readFrame(chunk, at);
      }
    }
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
  }

  /** After the last byte: what stands beside the picture. Throws where the text is no JSON object with a picture in it. */
  end(): Readonly<Record<string, unknown>> {
    const frame = Buffer.concat(this.#frame);
    if (!isUtf8(frame)) throw malformed();
    const value = parse(frame.toString());
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed();
    const facts: Record<string, unknown> = { ...value };
    if (typeof facts.data !== 'string') throw appError('invalid_body', 'data is missing or no string');
    return facts;
  }

  /** Up to the picture or the chunk's end; answers where it stopped. */
  #readFrame(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.#inData) this.#step(chunk[at++] ?? 0);
    this.#frameBytes += at - from;
    if (this.#frameBytes > FRAME_MAX_BYTES) throw appError('too_large', 'There is too much beside the picture');
    this.#frame.push(Buffer.from(chunk.subarray(from, at)));
    return at;
  }

  #step(byte: number): void {
    if (this.#inString) this.#stepInString(byte);
    else if (byte === QUOTE) this.#beginString();
    else if (byte === 0x7b || byte === 0x5b) {
      this.#depth++;
      if (this.#depth === 1) this.#mark = byte;
    } else if (byte === 0x7d || byte === 0x5d) this.#depth--;
    else if ((byte === 0x2c || byte === 0x3a) && this.#depth === 1) this.#mark = byte;
    // A body that is something else altogether need not be read on.
    if (!this.#begun && byte > 0x20) {
      if (byte !== 0x7b) throw malformed();
      this.#begun = true;
    }
  }

  #beginString(): void {
    this.#inString = true;
    if (this.#depth !== 1) return;
    if (this.#mark !== 0x3a) this.#key = [];
    else if (this.#lastKey === 'data') {
      this.#lastKey = undefined;
      this.#inString = false;
      this.#inData = true;
    }
  }

  #stepInString(byte: number): void {
    if (byte === QUOTE && !this.#escaped) {
      this.#inString = false;
      if (this.#key !== undefined) this.#endKey(this.#key);
      return;
    }
    this.#key?.push(byte);
    this.#escaped = byte === BACKSLASH && !this.#escaped;
  }

  #endKey(bytes: number[]): void {
    this.#key = undefined;
    const key = String(parse(`"${Buffer.from(bytes).toString()}"`));
    // Readers differ in which of two counts (RFC 8259, 4): here none does.
    if (this.#keys.has(key)) throw appError('invalid_body', `${key.slice(0, 100)} is there twice`);
    this.#keys.add(key);
    this.#lastKey = key;
  }

  #readData(chunk: Buffer, from: number): { bytes: Buffer; next: number } {
    let text = '';
    let at = from;
    // Looked up again only when passed: a body full of escapes is read in one go all the same.
    let quoteAt = -1;
    let escapeAt = -1;
    for (;;) {
      if (this.#escape !== '') {
        at = this.#readEscape(chunk, at);
        const character = meaningOf(this.#escape);
        if (character === undefined) return { bytes: this.#base64.write(text), next: at };
        this.#escape = '';
        text += character;
      }
      if (quoteAt < at) quoteAt = indexOr(chunk, QUOTE, at);
      if (escapeAt < at) escapeAt = indexOr(chunk, BACKSLASH, at);
      const stop = Math.min(quoteAt, escapeAt);
      if (stop > at) text += plainRun(chunk, at, stop);
      if (stop === chunk.length) return { bytes: this.#base64.write(text), next: stop };
      at = stop + 1;
      if (stop === quoteAt) {
        this.#inData = false;
        // The quotes at both ends stay in the frame.
        this.#frame.push(Buffer.from('"'));
        return { bytes: Buffer.concat([this.#base64.write(text), this.#base64.end()]), next: at };
      }
      this.#escape = '\\';
    }
  }

  #readEscape(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && meaningOf(this.#escape) === undefined) {
      this.#escape += String.fromCharCode(chunk[at++] ?? 0);
    }
    return at;
  }
}

/** The character that an escape within the picture stands for; undefined while it is not whole. Throws for one that base64 has no use for. */
function meaningOf(spelling: string): string | undefined {
  const kind = spelling[1];
  if (kind === undefined) return undefined;
  if (kind !== 'u') {
    const character = SHORT_ESCAPES[kind];
    if (character === undefined) throw appError('invalid_body', 'data is not base64');
    return character;
  }
  if (!/^\\u[0-9A-Fa-f]*$/.test(spelling)) throw malformed();
  return spelling.length < 6 ? undefined : String.fromCharCode(Number.parseInt(spelling.slice(2), 16));
}

function indexOr(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at === -1 ? chunk.length : at;
}

function plainRun(chunk: Buffer, from: number, end: number): string {
  const run = chunk.toString('latin1', from, end);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a string in JSON holds none (RFC 8259, 7)
  if (/[\x00-\x1f]/.test(run)) throw malformed();
  return run;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw appError('invalid_body', 'The body is not valid JSON', { cause: error });
  }
}

const malformed = (): Error => appError('invalid_body', 'The body is not valid JSON');
