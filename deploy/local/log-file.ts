/**
 * A service writes its log straight to its file, and whoever shows it reads the file: a terminal that stands still or
 * a launcher that dies never blocks or breaks the service.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { copyFile, truncate } from 'node:fs/promises';

const ROTATE_SIZE_BYTES = 64 * 1024 * 1024;
const ROTATE_CHECK_MS = 60_000;
const FOLLOW_MS = 150;
const READ_BYTES = 256 * 1024;

/** Opens a log for appending; readable by its owner alone. The caller closes the descriptor. */
export function openLog(file: string): number {
  return openSync(file, 'a', 0o600);
}

/** Calls back with each whole line written from now on, until the returned function is called (which reads the rest). */
export function follow(file: string, onLine: (line: string) => void): () => void {
  let offset = sizeOf(file);
  let rest = '';
  const decoder = new TextDecoder();
  const read = (): void => {
    const size = sizeOf(file);
    if (size < offset) offset = 0;
    if (size === offset) return;
    const fd = openSync(file, 'r');
    try {
      const end = fstatSync(fd).size;
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      while (offset < end) {
        const length = readSync(fd, buffer, 0, READ_BYTES, offset);
        if (length === 0) break;
        offset += length;
        const lines = (rest + decoder.decode(buffer.subarray(0, length), { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line);
      }
    } finally {
      closeSync(fd);
    }
  };
  const timer = setInterval(read, FOLLOW_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    read();
  };
}

/**
 * Keeps a log from filling the disk: what grows beyond 64 MiB becomes `<file>.1`. It is copied and then cut, for the
 * service holds the file open (to append: its next line goes to the new beginning). Lines written between the two
 * steps are lost. Returns how to stop it.
 */
export function rotate(file: string): () => void {
  const check = async (): Promise<void> => {
    if (sizeOf(file) < ROTATE_SIZE_BYTES) return;
    await copyFile(file, `${file}.1`);
    await truncate(file, 0);
  };
  const timer = setInterval(() => {
    // A full disk: the log stays as it is, and the next round tries again.
    check().catch(() => {});
  }, ROTATE_CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The last lines of a log, for an error message; '' when there is none. */
export function tailOf(file: string, lines: number): string {
  try {
    const size = sizeOf(file);
    const length = Math.min(size, READ_BYTES);
    const buffer = Buffer.alloc(length);
    const fd = openSync(file, 'r');
    try {
      readSync(fd, buffer, 0, length, size - length);
    } finally {
      closeSync(fd);
    }
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
