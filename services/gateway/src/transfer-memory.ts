import type { Stream } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const CHECK_MS = 20;
const GROWTH_BYTES = 8 * 1024 * 1024;

/**
 * Each piece of a body is a buffer outside the heap, and is garbage as soon as it was passed on; but the collector looks at the heap, where a
 * gigabyte passing through leaves little, so that such buffers pile up by the tens of megabytes before it runs. While large bodies pass, the
 * young generation is collected whenever that many came together: it takes a millisecond, memory stays flat, and pieces are written into
 * memory that the processor's caches still hold, which nearly doubles the rate. (A smaller young generation would do the same, and slow
 * down all the small requests.)
 */
const collectYoung = collector();
let passing = 0;
let timer: NodeJS.Timeout | undefined;
let floorBytes = 0;

/** To be told of each stream of a large body; forgets it when it closes. */
export function watchMemory(stream: Stream): void {
  passing += 1;
  timer ??= setInterval(check, CHECK_MS).unref();
  stream.once('close', () => {
    passing -= 1;
    if (passing > 0) return;
    clearInterval(timer);
    timer = undefined;
  });
}

function check(): void {
  const { arrayBuffers } = process.memoryUsage();
  if (arrayBuffers < floorBytes + GROWTH_BYTES) {
    floorBytes = Math.min(floorBytes, arrayBuffers);
    return;
  }
  collectYoung();
  floorBytes = process.memoryUsage().arrayBuffers;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void collect({ type: 'minor' }) : () => {};
}
