/**
 * Cuts a stream into messages by the length that each begins with. Pieces of a long message are joined once, when the last one is
 * there: joining at every piece would copy a 48 MB message hundreds of times.
 */
export class Frames {
  readonly #lengthAt: number;
  readonly #extra: number;
  readonly #longest: number;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #read: (bytes: Buffer, at: number) => number;
  #pieces: Buffer[] = [];
  #held = 0;
  /** How many bytes are needed before there is anything to do. */
  #wanted = 0;

  /** The length is read (by `read`) at `lengthAt` and does not count `extra` bytes of the message. */
  constructor(lengthAt: number, extra: number, longest: number, read: 'LE' | 'BE', onFrame: (frame: Buffer) => void) {
    this.#lengthAt = lengthAt;
    this.#extra = extra;
    this.#longest = longest;
    this.#onFrame = onFrame;
    this.#read = read === 'LE' ? (bytes, at) => bytes.readInt32LE(at) : (bytes, at) => bytes.readInt32BE(at);
  }

  /** Takes the next bytes. Throws a RangeError at a length that cannot be. */
  push(data: Buffer): void {
    let bytes = data;
    if (this.#held > 0) {
      this.#pieces.push(data);
      this.#held += data.length;
      if (this.#held < this.#wanted) return;
      bytes = Buffer.concat(this.#pieces, this.#held);
      this.#pieces = [];
      this.#held = 0;
    }
    let at = 0;
    const headBytes = this.#lengthAt + 4;
    while (bytes.length - at >= headBytes) {
      const size = this.#read(bytes, at + this.#lengthAt) + this.#extra;
      if (size < headBytes || size > this.#longest) throw new RangeError(`a message of ${size} bytes`);
      if (bytes.length - at < size) {
        this.#wanted = size;
        break;
      }
      this.#onFrame(at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size));
      at += size;
    }
    const rest = bytes.length - at;
    if (rest === 0) return;
    if (rest < headBytes) this.#wanted = headBytes;
    this.#pieces.push(at === 0 ? bytes : bytes.subarray(at));
    this.#held = rest;
  }
}
