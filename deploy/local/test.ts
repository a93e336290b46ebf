/**
 * `npm test [part of a path …]`: the checks, then every test file of the workspace, on engines started once in a
 * temporary folder. Arguments choose files and leave the checks out. Ends with the line `N passed, N failed`, where an
 * assertion counts one and a check counts one; exits 1 when anything failed.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { type Engines, provideEngines } from './engines/index.ts';
import { runChecks } from './suite/checks.ts';
import { findTests } from './suite/find-tests.ts';
import { printCheck, printFile } from './suite/print.ts';
import { runTestFile } from './suite/test-file.ts';

const FILE_TIMEOUT_MS = 15 * 60_000;
const root = path.resolve(import.meta.dirname, '../..');
const filters = process.argv.slice(2);
const files = findTests(root, filters);
const stop = new AbortController();
let passed = 0;
let failed = 0;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  });
}

const folder = mkdtempSync(path.join(tmpdir(), 'coffer-test-'));
const temporary = path.join(folder, 't');
mkdirSync(temporary);
// As root, PostgreSQL runs as another user and must be able to pass through.
chmodSync(folder, 0o711);
chmodSync(temporary, 0o1777);

let engines: Engines | undefined;
try {
  const providing = files.length === 0 ? undefined : provide();
  // Awaited below; said here so that a failure meanwhile is not an unhandled one.
  providing?.catch(() => {});
  if (filters.length === 0) {
    const results = await runChecks(root, printCheck);
    for (const { ok } of results) count(ok);
  }
  engines = await providing;
  if (engines) await runFiles(engines);
  if (filters.length > 0 && files.length === 0) fail(`no test file matches ${filters.join(' ')}`);
} catch (error) {
  fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await engines?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
if (stop.signal.aborted) fail('stopped before the end');
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function provide(): Promise<Engines> {
  const stateDir = path.join(folder, 'engines');
  return provideEngines({ stateDir, progress: (line) => console.log(`  ${line}`) });
}

async function runFiles({ mongodbUrl, natsUrl, redisUrl }: Engines): Promise<void> {
  const env: NodeJS.ProcessEnv = {
    // A test's own timeout; tap's default of 30 s is too short for starting a stack on a busy machine.
    TAP_TIMEOUT: '300',
    ...process.env,
    MONGODB_URL: mongodbUrl,
    NATS_URL: natsUrl,
    REDIS_URL: redisUrl,
    TMPDIR: temporary,
  };
  const waiting = [...files];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined && !stop.signal.aborted; file = waiting.shift()) {
      const result = await runTestFile({ root, file, env, timeoutMs: FILE_TIMEOUT_MS, signal: stop.signal });
      printFile(result);
      passed += result.passed;
      failed += result.failures.length;
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
}

function count(ok: boolean): void {
  if (ok) passed++;
  else failed++;
}

function fail(message: string): void {
  failed++;
  console.log(`  FAILED ${message}`);
}
