import { crc32 } from 'node:zlib';

/** What is to be packed, in order; paths are relative, with `/` between names, and no two are the same. */
export type ArchiveEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly modifiedAt: Date }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly modifiedAt: Date;
      readonly sizeBytes: number;
      /** The bytes, exactly `sizeBytes` of them; opened when their turn comes. */
      open(): Promise<AsyncIterable<Uint8Array>>;
    };

const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;
/** Names are UTF-8 (bit 11). */
const UTF8 = 0x0800;
/** Checksum and sizes come after the bytes (bit 3). */
const DESCRIPTOR = 0x0008;
const STORED = 0;
const VERSION = 20;
const VERSION_ZIP64 = 45;
/** Attributes are those of Unix; below them the version of the format. */
const MADE_BY = (3 << 8) | VERSION_ZIP64;
const FILE_MODE = 0o100644 << 16;
const FOLDER_MODE = (0o040755 << 16) | 0x10;
const ZIP64_EXTRA = 0x0001;
const LOCAL_HEADER_BYTES = 30;
const DIRECTORY_RECORD_BYTES = 46;
const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_BYTES = 20;
/** Longest path that fits. */
export const MAX_PATH_BYTES = MAX_16;
const DIRECTORY_PIECE_BYTES = 64 * 1024;

/**
 * A zip (PKWARE APPNOTE 6.3.10) of the entries as they come: nothing is compressed, sizes may exceed 4 GiB and entries 65,535 (zip64), and
 * what is held in memory is the directory that ends it, some hundred bytes per entry. Throws what the entries throw, and where a file brings
 * other than its announced bytes; a reader sees then that the archive is cut off.
 */
export async function* zipOf(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Uint8Array> {
  const directory = new Directory();
  let offset = 0;
  for await (const entry of entries) {
    const name = Buffer.from(entry.kind === 'folder' ? `${entry.path}/` : entry.path);
    if (name.length > MAX_16) throw new Error('The path is too long for an archive');
    const isFile = entry.kind === 'file';
    const sizeBytes = isFile ? entry.sizeBytes : 0;
    const isLarge = sizeBytes >= MAX_32;
    const about: About = { name, isFile, isLarge, sizeBytes, at: dosTime(entry.modifiedAt), offset, checksum: 0 };
    const header = localHeader(about);
    yield header;
    let checksum = 0;
    let descriptorBytes = 0;
    if (isFile) {
      let sentBytes = 0;
      for await (const chunk of await entry.open()) {
        sentBytes += chunk.length;
        checksum = crc32(chunk, checksum);
        yield chunk;
      }
      if (sentBytes !== sizeBytes) throw new Error(`A file has ${sentBytes} bytes instead of ${sizeBytes}`);
      const descriptor = dataDescriptor({ ...about, checksum });
      descriptorBytes = descriptor.length;
      yield descriptor;
    }
    directory.add(directoryRecord({ ...about, checksum }));
    offset += header.length + sizeBytes + descriptorBytes;
  }
  yield* directory.pieces();
  yield endOfDirectory(directory, offset);
}

interface About {
  readonly name: Buffer;
  readonly isFile: boolean;
  /** Its sizes need 64 bits. */
  readonly isLarge: boolean;
  readonly sizeBytes: number;
  readonly at: { readonly time: number; readonly date: number };
  readonly offset: number;
  readonly checksum: number;
}

/** The records of all entries (4.3.12), close together: one object for each would weigh several times as much. */
class Directory {
  readonly #full: Buffer[] = [];
  #open = Buffer.allocUnsafe(DIRECTORY_PIECE_BYTES);
  #used = 0;
  entries = 0;
  sizeBytes = 0;

  add(record: Buffer): void {
    this.entries++;
    this.sizeBytes += record.length;
    if (this.#used + record.length > this.#open.length) {
      this.#full.push(this.#open.subarray(0, this.#used));
      this.#open = Buffer.allocUnsafe(Math.max(DIRECTORY_PIECE_BYTES, record.length));
      this.#used = 0;
    }
    this.#used += record.copy(this.#open, this.#used);
  }

  *pieces(): Generator<Buffer> {
    yield* this.#full;
    if (this.#used > 0) yield this.#open.subarray(0, this.#used);
  }
}

/** Says how many bytes an archive will have, from what it is to hold, without making it. */
export class ArchiveLength {
  #entries = 0;
  #offset = 0;
  #directoryBytes = 0;

  /** `nameBytes`: of the path in UTF-8; a folder's with its slash at the end. To be called in the order of the entries. */
  add({ nameBytes, isFile, sizeBytes }: { nameBytes: number; isFile: boolean; sizeBytes: number }): void {
    const isLarge = sizeBytes >= MAX_32;
    const wide = (isLarge ? 2 : 0) + (this.#offset >= MAX_32 ? 1 : 0);
    this.#entries++;
    this.#directoryBytes += DIRECTORY_RECORD_BYTES + nameBytes + zip64Bytes(wide);
    this.#offset += LOCAL_HEADER_BYTES + nameBytes + zip64Bytes(isLarge ? 2 : 0) + sizeBytes;
    if (isFile) this.#offset += isLarge ? 24 : 16;
  }

  bytes(): number {
    const isWide = this.#entries >= MAX_16 || this.#directoryBytes >= MAX_32 || this.#offset >= MAX_32;
    return this.#offset + this.#directoryBytes + END_BYTES + (isWide ? END_64_BYTES + LOCATOR_BYTES : 0);
  }
}

const zip64Bytes = (values: number): number => (values === 0 ? 0 : 4 + 8 * values);

/** 4.3.7. With the sizes yet to come, a large file's stand in the extra field as zeros (4.3.9.2, 4.5.3). */
function localHeader({ name, isFile, isLarge, at }: About): Buffer {
  const extra = isLarge ? zip64Extra([0, 0]) : Buffer.alloc(0);
  const fixed = Buffer.alloc(LOCAL_HEADER_BYTES);
  fixed.writeUInt32LE(0x04034b50, 0);
  fixed.writeUInt16LE(isLarge ? VERSION_ZIP64 : VERSION, 4);
  fixed.writeUInt16LE(flagsOf(isFile), 6);
  fixed.writeUInt16LE(STORED, 8);
  fixed.writeUInt16LE(at.time, 10);
  fixed.writeUInt16LE(at.date, 12);
  fixed.writeUInt32LE(isLarge ? MAX_32 : 0, 18);
  fixed.writeUInt32LE(isLarge ? MAX_32 : 0, 22);
  fixed.writeUInt16LE(name.length, 26);
  fixed.writeUInt16LE(extra.length, 28);
  return Buffer.concat([fixed, name, extra]);
}

/** 4.3.9, with the signature that readers expect. */
function dataDescriptor({ checksum, sizeBytes, isLarge }: About): Buffer {
  const record = Buffer.alloc(isLarge ? 24 : 16);
  record.writeUInt32LE(0x08074b50, 0);
  record.writeUInt32LE(checksum, 4);
  if (isLarge) {
    record.writeBigUInt64LE(BigInt(sizeBytes), 8);
    record.writeBigUInt64LE(BigInt(sizeBytes), 16);
  } else {
    record.writeUInt32LE(sizeBytes, 8);
    record.writeUInt32LE(sizeBytes, 12);
  }
  return record;
}

/** 4.3.12. What does not fit 32 bits stands in the extra field, in the order of 4.5.3. */
function directoryRecord({ name, isFile, isLarge, sizeBytes, at, offset, checksum }: About): Buffer {
  const isFar = offset >= MAX_32;
  const extra = zip64Extra([...(isLarge ? [sizeBytes, sizeBytes] : []), ...(isFar ? [offset] : [])]);
  const fixed = Buffer.alloc(DIRECTORY_RECORD_BYTES);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt16LE(MADE_BY, 4);
  fixed.writeUInt16LE(isLarge || isFar ? VERSION_ZIP64 : VERSION, 6);
  fixed.writeUInt16LE(flagsOf(isFile), 8);
  fixed.writeUInt16LE(STORED, 10);
  fixed.writeUInt16LE(at.time, 12);
  fixed.writeUInt16LE(at.date, 14);
  fixed.writeUInt32LE(checksum, 16);
  fixed.writeUInt32LE(isLarge ? MAX_32 : sizeBytes, 20);
  fixed.writeUInt32LE(isLarge ? MAX_32 : sizeBytes, 24);
  fixed.writeUInt16LE(name.length, 28);
  fixed.writeUInt16LE(extra.length, 30);
  fixed.writeUInt32LE((isFile ? FILE_MODE : FOLDER_MODE) >>> 0, 38);
  fixed.writeUInt32LE(isFar ? MAX_32 : offset, 42);
  return Buffer.concat([fixed, name, extra]);
}

/** 4.3.16, and before it 4.3.14 and 4.3.15 where a count or size is too large for it. */
function endOfDirectory({ entries, sizeBytes }: Directory, offset: number): Buffer {
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(sizeBytes, MAX_32), 12);
  end.writeUInt32LE(Math.min(offset, MAX_32), 16);
  if (entries < MAX_16 && sizeBytes < MAX_32 && offset < MAX_32) return end;

  const end64 = Buffer.alloc(END_64_BYTES);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(MADE_BY, 12);
  end64.writeUInt16LE(VERSION_ZIP64, 14);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(sizeBytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(LOCATOR_BYTES);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + sizeBytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

/** 4.5.3; empty where nothing needs 64 bits. */
function zip64Extra(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(ZIP64_EXTRA, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, index) => {
    extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  });
  return extra;
}

const flagsOf = (isFile: boolean): number => UTF8 | (isFile ? DESCRIPTOR : 0);

/** The format knows no zone: UTC. It begins in 1980 and counts two seconds at a time. */
function dosTime(at: Date): { time: number; date: number } {
  const year = Math.min(Math.max(at.getUTCFullYear() - 1980, 0), 127);
  return {
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    date: (year << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
  };
}
