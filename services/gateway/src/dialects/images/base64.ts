import { appError } from '@coffer/service-kit';

const PREFIX = 'data:';
/** A media type with its parameters; what goes on for longer is none. */
const PREFIX_MAX_LENGTH = 512;
const PLAIN = /^[A-Za-z0-9+/_-]*$/;
const PADDED = /^([A-Za-z0-9+/_-]*)(=*)$/;

/**
 * Base64 to bytes, piece by piece: the standard and the URL-safe alphabet (RFC 4648, 4 and 5), with or without padding, white space
 * anywhere (RFC 2045 breaks lines), a `data:` URI's head (RFC 2397) before it. Throws `invalid_body` for everything else.
 */
export class Base64Decoder {
  /** What came before it is known whether it is a URI's head; undefined after that. */
  #beginning: string | undefined = '';
  /** Up to three characters that wait for the rest of their group. */
  #rest = '';
  #padding = 0;

  write(text: string): Buffer {
    return this.#decode(this.#beginning === undefined ? text : this.#withoutPrefix(this.#beginning + text));
  }

  /** The last bytes. */
  end(): Buffer {
    const beginning = this.#beginning ?? '';
    this.#beginning = undefined;
    if (beginning.startsWith(PREFIX)) throw wrong();
    const bytes = this.#decode(beginning);
    const length = this.#rest.length;
    if (this.#padding > 0 ? length + this.#padding !== 4 || length < 2 : length === 1) throw wrong();
    return Buffer.concat([bytes, Buffer.from(this.#rest, 'base64')]);
  }

  #withoutPrefix(text: string): string {
    const beginning = text.trimStart();
    this.#beginning = beginning;
    const head = beginning.slice(0, PREFIX.length).toLowerCase();
    if (head !== PREFIX) {
      if (PREFIX.startsWith(head)) return '';
      this.#beginning = undefined;
      return beginning;
    }
    const comma = beginning.indexOf(',');
    if (comma === -1 ? beginning.length > PREFIX_MAX_LENGTH : comma > PREFIX_MAX_LENGTH) throw wrong();
    if (comma === -1) return '';
    if (!/;\s*base64\s*$/i.test(beginning.slice(0, comma))) throw wrong();
    this.#beginning = undefined;
    return beginning.slice(comma + 1);
  }

  #decode(text: string): Buffer {
    const all = this.#rest + (PLAIN.test(text) && this.#padding === 0 ? text : this.#cleaned(text));
    const whole = all.length - (all.length % 4);
    this.#rest = all.slice(whole);
    return Buffer.from(whole === all.length ? all : all.slice(0, whole), 'base64');
  }

  #cleaned(text: string): string {
    const match = PADDED.exec(text.replace(/[ \t\r\n]+/g, ''));
    const [characters = '', padding = ''] = match?.slice(1) ?? [];
    if (match === null || (this.#padding > 0 && characters !== '')) throw wrong();
    this.#padding += padding.length;
    if (this.#padding > 2) throw wrong();
    return characters;
  }
}

const wrong = (): Error => appError('invalid_body', 'data is not base64');
