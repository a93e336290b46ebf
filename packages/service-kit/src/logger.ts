import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { standardOutput } from './log-output.ts';

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

/** JSON lines on standard output, or lines for people, or to wherever `to` says. */
export function createLoggers(o: LoggerOptions, to?: DestinationStream): Loggers {
  const output = to ? undefined : standardOutput();
  const stream = to ?? (o.pretty ? prettyStream() : standardOutput());
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
    flush: () => output?.flushSync(),
  };
}

function prettyStream(): DestinationStream {
  const { write, flushSync } = standardOutput();
  const format = prettyFactory({ singleLine: true, colorize: process.stdout.isTTY });
  const stream = {
    write: (line: string) => {
      write(format(line));
      // A person is looking.
      flushSync();
    },
  };
  return stream;
}

/** The logger alone, for what is no service (launchers, tools). */
export function createLogger(o: LoggerOptions): Logger {
  return createLoggers(o).logger;
}
