import { createHash, type Hash, hash } from 'node:crypto';

export interface Digests {
  readonly sha256: string;
  readonly md5?: string;
  readonly sha512?: string;
}

/**
 * The digests of bytes that arrive in pieces, all taken in the same pass. A body of one piece, which most small files
 * are, is hashed by the one-shot function: it costs two thirds of a hash object.
 */
export class Hashes {
  readonly #algorithms: readonly ('sha256' | 'md5' | 'sha512')[];
  #only: Buffer | null = null;
  #objects: Hash[] | null = null;

  constructor(also: { md5: boolean; sha512: boolean }) {
    this.#algorithms = [
      'sha256',
      ...(also.md5 ? (['md5'] as const) : []),
      ...(also.sha512 ? (['sha512'] as const) : []),
    ];
  }

  update(piece: Buffer): void {
    if (this.#objects === null && this.#only === null) {
      this.#only = piece;
      return;
    }
    for (const object of this.settle()) object.update(piece);
  }

  /** After this no piece is held any more: its memory may be used again. */
  settle(): Hash[] {
    this.#objects ??= this.#algorithms.map((algorithm) => createHash(algorithm));
    if (this.#only !== null) for (const object of this.#objects) object.update(this.#only);
    this.#only = null;
    return this.#objects;
  }

  /** Lower-case hex. Once. */
  finish(): Digests {
    const one = this.#only ?? Buffer.alloc(0);
    const values = this.#algorithms.map((algorithm, i) => {
      const object = this.#objects?.[i];
      return [algorithm, object === undefined ? hash(algorithm, one, 'hex') : object.digest('hex')] as const;
    });
    const of = (wanted: string): string | undefined => values.find(([algorithm]) => algorithm === wanted)?.[1];
    const [md5, sha512] = [of('md5'), of('sha512')];
    return {
      sha256: of('sha256') ?? '',
      ...(md5 === undefined ? {} : { md5 }),
      ...(sha512 === undefined ? {} : { sha512 }),
    };
  }
}
