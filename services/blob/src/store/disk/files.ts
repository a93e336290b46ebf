import fs from 'node:fs';

/**
 * File calls by descriptor, as promises around the callback interface: Node's own promise interface makes a FileHandle
 * object per file, which costs about a fifth of a small PUT.
 */
function settle<T>(resolve: (value: T) => void, reject: (error: Error) => void) {
  return (error: Error | null, value?: T): void => {
    if (error !== null && error !== undefined) reject(error);
    else resolve(value as T); // Every caller's value is what its own fs call gives.
  };
}

export const open = (path: string, flags: string | number): Promise<number> =>
  new Promise((resolve, reject) => fs.open(path, flags, 0o640, settle(resolve, reject)));

export const fdatasync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fs.fdatasync(fd, settle(resolve, reject)));

export const fsync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fs.fsync(fd, settle(resolve, reject)));

export const futimes = (fd: number, at: Date): Promise<void> =>
  new Promise((resolve, reject) => fs.futimes(fd, at, at, settle(resolve, reject)));

export const rename = (from: string, to: string): Promise<void> =>
  new Promise((resolve, reject) => fs.rename(from, to, settle(resolve, reject)));

export const link = (existing: string, path: string): Promise<void> =>
  new Promise((resolve, reject) => fs.link(existing, path, settle(resolve, reject)));

export const unlink = (path: string): Promise<void> =>
  new Promise((resolve, reject) => fs.unlink(path, settle(resolve, reject)));

export const mkdir = (path: string): Promise<void> =>
  new Promise((resolve, reject) => fs.mkdir(path, 0o750, settle(resolve, reject)));

export const readdir = (path: string): Promise<string[]> =>
  new Promise((resolve, reject) => fs.readdir(path, settle(resolve, reject)));

export const stat = (path: string): Promise<fs.Stats> =>
  new Promise((resolve, reject) => fs.stat(path, settle(resolve, reject)));

export const statfs = (path: string): Promise<fs.StatsFs> =>
  new Promise((resolve, reject) => fs.statfs(path, settle(resolve, reject)));

/** Of an open file: answered from memory, so it is worth no trip through the thread pool. */
export const fstat = (fd: number): fs.Stats => fs.fstatSync(fd);

/** Fills `buffer` as far as the file goes from `position`; answers how much that was. */
export const read = (fd: number, buffer: Buffer, position: number, length: number): Promise<number> =>
  new Promise((resolve, reject) => fs.read(fd, buffer, 0, length, position, settle<number>(resolve, reject)));

const writeOne = (fd: number, buffer: Buffer, position: number): Promise<number> =>
  new Promise((resolve, reject) => fs.write(fd, buffer, 0, buffer.length, position, settle<number>(resolve, reject)));

const writeMany = (fd: number, buffers: Buffer[], position: number): Promise<number> =>
  new Promise((resolve, reject) => fs.writev(fd, buffers, position, settle<number>(resolve, reject)));

/** Writes all of `buffers` from `position` on: a write may take less than it was given, near a full disk above all. */
export async function writeAll(fd: number, buffers: readonly Buffer[], position: number): Promise<void> {
  let left = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (left.length > 0) {
    const [first] = left;
    const written =
      left.length === 1 && first !== undefined ? await writeOne(fd, first, at) : await writeMany(fd, left, at);
    at += written;
    left = after(left, written);
  }
}

/** What is left of `buffers` behind their first `bytes`. */
export function after(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  const left: Buffer[] = [];
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      left.push(skip === 0 ? buffer : buffer.subarray(skip));
      skip = 0;
    }
  }
  return left;
}

/**
 * Closes a file that was synced or only read: nothing is learned from it, and it costs less than a trip through the thread
 * pool. Not for large files, which may have been unlinked: the last close frees their blocks, and that takes its time.
 */
export function release(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // The descriptor is gone either way.
  }
}

export const closed = (fd: number): Promise<void> => new Promise((resolve) => fs.close(fd, () => resolve()));

/**
 * Makes the names in a directory durable. Its opening is a look into memory, since a name in it was changed just now: that is
 * not worth a trip through the thread pool.
 */
export async function syncDirectory(path: string): Promise<void> {
  const fd = fs.openSync(path, 'r');
  try {
    await fsync(fd);
  } finally {
    release(fd);
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** The value, or null where the path names nothing. */
export async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

/** Waits for every one of them, also when one fails: what they use must not be taken away below them. */
export async function all<T extends readonly unknown[]>(
  ...work: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
