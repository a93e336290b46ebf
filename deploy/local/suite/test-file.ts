import { spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { Parser, type Result } from 'tap-parser';
import { MARK, sweep } from './leftovers.ts';

export interface Failure {
  readonly name: string;
  readonly detail: string;
}

export interface FileResult {
  readonly file: string;
  /** Assertions. */
  readonly passed: number;
  readonly skipped: number;
  /** Failed assertions, and the file's own failures: a bad exit, a timeout, processes left behind. */
  readonly failures: readonly Failure[];
  readonly durationMs: number;
  readonly stderr: string;
}

export interface TestFileOptions {
  readonly root: string;
  /** Relative to `root`. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** For the whole file; each test in it has tap's own timeout as well. */
  readonly timeoutMs: number;
  /** Ends the file's processes at once. */
  readonly signal: AbortSignal;
  /** How long its processes may take to be gone after it. By default a stopped stack's ten seconds and a little. */
  readonly leftoverGraceMs?: number;
}

const END_WITH_PARENT = pathToFileURL(path.resolve(import.meta.dirname, '../end-with-parent.mjs')).href;
const STDERR_KEPT_CHARS = 50_000;
const LEFTOVER_GRACE_MS = 13_000;

/**
 * Runs one test file in a process of its own and reads the TAP it writes. The files are run directly and not by tap's
 * command, which keeps its results in one folder of the repository: two runs side by side would clear each other's.
 */
export async function runTestFile(options: TestFileOptions): Promise<FileResult> {
  const { root, file, env, timeoutMs, signal, leftoverGraceMs = LEFTOVER_GRACE_MS } = options;
  const startedAt = performance.now();
  const mark = `${process.pid}:${file}`;
  const tap = readTap();
  let stderr = '';
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, path.join(root, file)], {
    cwd: root,
    env: { ...env, [MARK]: mark, TAP: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const failures: Failure[] = [];
  const exited = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  child.once('close', () => closed.resolve());
  child.once('error', (error) => {
    failures.push({ name: 'starts', detail: error.message });
    exited.resolve();
    closed.resolve();
  });
  child.once('exit', (code, exitSignal) => {
    if (exitSignal !== null) failures.push({ name: 'ends by itself', detail: `ended by ${exitSignal}` });
    else if (code !== 0) failures.push({ name: 'exits with 0', detail: `exited with ${code}` });
    exited.resolve();
  });
  child.stdout?.on('data', (chunk: Buffer) => tap.parser.write(chunk));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT_CHARS);
  });

  const end = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group is gone.
    }
  };
  // SIGTERM first: tap then says which test was running.
  const timers = [setTimeout(() => end('SIGTERM'), timeoutMs), setTimeout(() => end('SIGKILL'), timeoutMs + 5_000)];
  const abort = (): void => end('SIGKILL');
  signal.addEventListener('abort', abort);
  await exited.promise;
  for (const timer of timers) clearTimeout(timer);
  signal.removeEventListener('abort', abort);
  const left = await sweep(mark, signal.aborted ? 0 : leftoverGraceMs);
  if (left.length > 0) {
    const list = left.map(({ pid, command }) => `${pid} ${command}`).join('\n');
    failures.push({ name: 'leaves no process behind', detail: list });
  }
  // Only now: a process left behind would have held the pipes open.
  await closed.promise;
  const counted = await tap.end();
  // A failed assertion is why the file exits with 1: that is one failure, not two.
  const own = counted.failures.length > 0 ? failures.filter(({ name }) => name !== 'exits with 0') : failures;
  if (counted.passed + counted.skipped + counted.failures.length + own.length === 0) {
    own.push({ name: 'tests something', detail: 'no assertion was made' });
  }
  return {
    file,
    passed: counted.passed,
    skipped: counted.skipped,
    failures: [...counted.failures, ...own],
    durationMs: performance.now() - startedAt,
    stderr,
  };
}

interface Counted {
  readonly passed: number;
  readonly skipped: number;
  readonly failures: Failure[];
}

function readTap(): { parser: Parser; end: () => Promise<Counted> } {
  let passed = 0;
  let skipped = 0;
  const failures: Failure[] = [];
  const done = Promise.withResolvers<void>();
  const parser = new Parser(() => done.resolve());

  const count = (level: Parser): void => {
    // A subtest is closed by a test point of its own, which repeats what its assertions said: only when none of them
    // failed does its failure say something new (a timeout, a wrong plan).
    let failuresBefore: number | undefined;
    level.on('child', (child: Parser) => {
      failuresBefore = failures.length;
      count(child);
    });
    level.on('assert', (result: Result) => {
      const before = failuresBefore;
      failuresBefore = undefined;
      if (result.skip !== false || result.todo !== false) skipped++;
      else if (result.ok && before === undefined) passed++;
      else if (!result.ok && (before === undefined || before === failures.length))
        failures.push(failureOf(level, result));
    });
  };
  count(parser);

  const end = async (): Promise<Counted> => {
    parser.end();
    await done.promise;
    for (const failure of parser.failures) {
      if ('tapError' in failure && typeof failure.tapError === 'string') {
        failures.push({ name: 'writes whole TAP', detail: failure.tapError });
      }
    }
    return { passed, skipped, failures };
  };
  return { parser, end };
}

function failureOf(level: Parser, { name, diag }: Result): Failure {
  return { name: [level.fullname, name].filter((part) => part !== '').join(' > '), detail: describe(diag) };
}

function describe(diagnostics: unknown): string {
  if (diagnostics === null || diagnostics === undefined) return '';
  if (typeof diagnostics !== 'object') return String(diagnostics);
  return Object.entries(diagnostics)
    .map(([key, value]) => {
      const text = typeof value === 'string' ? value : inspect(value, { depth: 6, breakLength: 110 });
      return text.includes('\n') ? `${key}:\n${text.replace(/^/gm, '  ')}` : `${key}: ${text}`;
    })
    .join('\n');
}
