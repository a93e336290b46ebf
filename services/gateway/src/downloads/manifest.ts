import { appError } from '@coffer/service-kit';
import { bytesOfId, ID_BYTES, idOfBytes } from '../domain/id-bytes.ts';
import { ArchiveLength, MAX_PATH_BYTES } from './archive.ts';

/** What was seen where the archive is to be made of: which nodes, and of files which version. */
export interface Seen {
  readonly id: string;
  /** Of its content; undefined for a folder. */
  readonly vid: string | undefined;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** How many folders it is in, within the archive. */
  readonly depth: number;
  /** As it is called there. */
  readonly name: string;
}

/** Seen, with the names of the folders that it is in, from the top on. */
export interface Planned extends Seen {
  readonly path: string;
}

const MAX_ENTRIES = 1_000_000;
const MAX_BYTES = 256 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const AT = { vid: ID_BYTES, size: 2 * ID_BYTES, time: 2 * ID_BYTES + 8, depth: 2 * ID_BYTES + 16 } as const;
const HEAD_BYTES = AT.depth + 4;
const NO_VID = Buffer.alloc(ID_BYTES);

/**
 * What an archive is going to hold, depth first: written down before it begins, since its length is announced first. Packed: a few dozen bytes
 * and the name for each entry, where objects would take several hundred. What cannot be packed is refused with `too_large`.
 */
export class Manifest {
  readonly #pieces: Buffer[] = [];
  #open = Buffer.alloc(0);
  #used = 0;
  #bytes = 0;
  #entries = 0;
  /** Bytes of the path of each folder on the way down, with its slash. */
  readonly #pathBytes: number[] = [];
  readonly #length = new ArchiveLength();

  /** A folder before what is in it. */
  add({ id, vid, sizeBytes, modifiedAtMs, depth, name }: Seen): void {
    const nameBytes = Buffer.byteLength(name);
    const isFile = vid !== undefined;
    const pathBytes = (depth === 0 ? 0 : (this.#pathBytes[depth - 1] ?? 0)) + nameBytes + (isFile ? 0 : 1);
    if (pathBytes > MAX_PATH_BYTES) throw appError('too_large', 'A path is too long for an archive');
    const record = this.#room(HEAD_BYTES + nameBytes);
    bytesOfId(id).copy(record, 0);
    (isFile ? bytesOfId(vid) : NO_VID).copy(record, AT.vid);
    record.writeDoubleLE(sizeBytes, AT.size);
    record.writeDoubleLE(modifiedAtMs, AT.time);
    record.writeUInt16LE(depth, AT.depth);
    record.writeUInt16LE(nameBytes, AT.depth + 2);
    record.write(name, HEAD_BYTES);
    if (!isFile) this.#pathBytes[depth] = pathBytes;
    this.#length.add({ nameBytes: pathBytes, isFile, sizeBytes });
  }

  /** How many bytes the archive will have. */
  archiveBytes(): number {
    return this.#length.bytes();
  }

  /** In the order in which they were added. */
  *entries(): Generator<Planned> {
    const folders: string[] = [];
    for (const piece of [...this.#pieces, this.#open.subarray(0, this.#used)]) {
      for (let at = 0; at < piece.length; ) {
        const seen = read(piece.subarray(at));
        at += seen.bytes;
        folders.length = seen.depth;
        yield { ...seen, path: [...folders, seen.name].join('/') };
        if (seen.vid === undefined) folders.push(seen.name);
      }
    }
  }

  #room(sizeBytes: number): Buffer {
    this.#entries += 1;
    this.#bytes += sizeBytes;
    if (this.#entries > MAX_ENTRIES) throw appError('too_large', `An archive takes at most ${MAX_ENTRIES} entries`);
    if (this.#bytes > MAX_BYTES) throw appError('too_large', 'The names are too many for an archive');
    if (this.#used + sizeBytes > this.#open.length) {
      if (this.#used > 0) this.#pieces.push(this.#open.subarray(0, this.#used));
      this.#open = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, sizeBytes));
      this.#used = 0;
    }
    const room = this.#open.subarray(this.#used, this.#used + sizeBytes);
    this.#used += sizeBytes;
    return room;
  }
}

function read(record: Buffer): Seen & { bytes: number } {
  const vid = record.subarray(AT.vid, AT.vid + ID_BYTES);
  const nameBytes = record.readUInt16LE(AT.depth + 2);
  return {
    id: idOfBytes(record.subarray(0, ID_BYTES)),
    vid: vid.equals(NO_VID) ? undefined : idOfBytes(vid),
    sizeBytes: record.readDoubleLE(AT.size),
    modifiedAtMs: record.readDoubleLE(AT.time),
    depth: record.readUInt16LE(AT.depth),
    name: record.toString('utf8', HEAD_BYTES, HEAD_BYTES + nameBytes),
    bytes: HEAD_BYTES + nameBytes,
  };
}
