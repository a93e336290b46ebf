import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { build as pretty } from 'pino-pretty';

export type { Logger } from 'pino';

const SECRET_KEY = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-coffer-.*|.*password|.*token|.*secret)$/i;
const MAX_DEPTH = 5;

/**
 * The same value with what must not be logged replaced, at any depth that occurs; copied only where something is found.
 * (Pino's own redaction takes fixed paths, and with wildcards in them costs more than the rest of the line.)
 */
function redacted(value: object, depth = 0): object {
  if (depth > MAX_DEPTH || value instanceof Error || Buffer.isBuffer(value)) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (SECRET_KEY.test(key)) {
      copy ??= { ...value };
      copy[key] = '[redacted]';
    } else if (typeof inner === 'object' && inner !== null) {
      const safe = redacted(inner, depth + 1);
      if (safe === inner) continue;
      copy ??= { ...value };
      copy[key] = safe;
    }
  }
  return copy ?? value;
}

export interface LoggerOptions {
  service: string;
  instance: string;
  level: string;
  pretty: boolean;
}

export interface Loggers {
  logger: Logger;
  /** For access lines, whose fields are all known: redaction would cost more there than the whole line. */
  access: Logger;
  /** Writes out what is buffered; for the end of the process. */
  flush: () => void;
}

/**
 * JSON lines on stdout. They are written in blocks, at the latest after 200 ms and at the end of the process: a write
 * per line would make every request wait for the log.
 */
export function createLoggers(o: LoggerOptions, to?: DestinationStream): Loggers {
  const stdout =
    to || o.pretty ? undefined : destination({ fd: 1, sync: false, minLength: 8_192, periodicFlush: 200 });
  const stream: DestinationStream = to ?? stdout ?? pretty({ destination: 1, sync: true, singleLine: true });
  const options = {
    level: o.level,
    base: { service: o.service, instance: o.instance },
    timestamp: stdTimeFunctions.isoTime,
  };
  const level = (label: string): object => ({ level: label });
  const record = (fields: object) => redacted(fields) as Record<string, unknown>; // Pino hands over plain records.
  return {
    logger: pino({ ...options, formatters: { level, log: record } }, stream),
    access: pino({ ...options, formatters: { level } }, stream),
    flush: () => {
      try {
        stdout?.flushSync();
      } catch {
        // Not open yet, or stdout is gone: then nobody reads it.
      }
    },
  };
}

/** The logger alone, for what is no service (launchers, tools). */
export function createLogger(o: LoggerOptions): Logger {
  return createLoggers(o).logger;
}
