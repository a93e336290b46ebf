const FLUSH_AT_CHARS = 8_192;
const FLUSH_AFTER_MS = 200;

export interface LogOutput {
  write(line: string): void;
  /** Called by pino before a fatal line ends the process. */
  flushSync(): void;
}

let output: LogOutput | undefined;

/**
 * Standard output in blocks: a write per line would make every request wait for the log. Lines leave after 200 ms at the
 * latest, and at the end of the process. Not sonic-boom, whose flush at exit tries on for ever when the reader of the
 * pipe is gone, so that an orphaned process would never end. One per process.
 */
export function standardOutput(): LogOutput {
  if (output) return output;
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    const block = waiting;
    waiting = '';
    // Synchronous for files and, on POSIX, for pipes and terminals, so that it also works while the process exits.
    process.stdout.write(block);
  };
  // Nobody reads any more: there is nobody to tell.
  process.stdout.on('error', () => {});
  process.on('exit', flush);
  setInterval(flush, FLUSH_AFTER_MS).unref();
  output = {
    write: (line) => {
      waiting += line;
      if (waiting.length >= FLUSH_AT_CHARS) flush();
    },
    flushSync: flush,
  };
  return output;
}
