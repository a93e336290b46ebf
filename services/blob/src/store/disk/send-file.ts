import type { Writable } from 'node:stream';
import { closed, read } from './files.ts';

const PIECE_BYTES = 512 * 1024;
const SMALL_PIECE_BYTES = 64 * 1024;
/** What all downloads together may hold in large pieces; more of them are served in small ones. */
const MAX_LARGE_PIECES = 128;
const MAX_SPARE_PIECES = 16;

const spare: Buffer[] = [];
let largePieces = 0;

/**
 * Writes bytes `[start, end)` of an open file to `to` and closes the file. Two buffers take turns: one is filled while
 * the other is being sent, and none is filled before the last bytes in it have left. Streams make a new buffer for every
 * piece instead, which costs up to three times the processor time, most of it in page faults.
 * @throws when the file ends too early or cannot be read; `to` has then got less than was promised
 */
export async function sendFile(fd: number, start: number, end: number, to: Writable): Promise<void> {
  let wake: (() => void) | null = null;
  let isClosed = to.destroyed;
  let inFlight = 0;
  const awake = (): void => {
    wake?.();
    wake = null;
  };
  const onClose = (): void => {
    isClosed = true;
    awake();
  };
  // Several requests' bytes may wait in one connection: the callbacks of this one say what has left.
  const free: Buffer[] = [takePiece(), takePiece()];
  to.once('close', onClose);
  try {
    for (let position = start; position < end && !isClosed; ) {
      const piece = free.pop();
      if (piece === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const got = await read(fd, piece, position, Math.min(piece.length, end - position)).catch((error: unknown) => {
        free.push(piece);
        throw error;
      });
      if (got === 0 || isClosed) free.push(piece);
      if (got === 0) throw new Error('a blob is shorter than it was');
      if (isClosed) break;
      position += got;
      inFlight++;
      to.write(got === piece.length ? piece : piece.subarray(0, got), () => {
        inFlight--;
        free.push(piece);
        awake();
      });
    }
    while (inFlight > 0 && !isClosed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    to.off('close', onClose);
    void closed(fd);
    // A piece that a closed connection never gave back is not used again.
    for (const piece of free.splice(0)) givePiece(piece);
    largePieces -= inFlight;
  }
}

function takePiece(): Buffer {
  if (largePieces >= MAX_LARGE_PIECES) return Buffer.allocUnsafeSlow(SMALL_PIECE_BYTES);
  largePieces++;
  return spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
}

function givePiece(piece: Buffer): void {
  if (piece.length < PIECE_BYTES) return;
  largePieces--;
  if (spare.length < MAX_SPARE_PIECES) spare.push(piece);
}
