/** The checks of the sources that run no test: each passes or fails as one. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What the tool said. */
  readonly output: string;
  readonly durationMs: number;
}

const bin = (root: string, name: string): string => path.join(root, 'node_modules', '.bin', name);

/** Runs every check of the repository at `root`, one after the other, and hands each result on as it comes. */
export async function runChecks(root: string, onResult: (result: CheckResult) => void): Promise<CheckResult[]> {
  const node = process.execPath;
  const commands: [name: string, file: string, args: string[]][] = [
    ['types', bin(root, 'tsc'), ['-p', 'tsconfig.json']],
    ['format and lint', bin(root, 'biome'), ['check', '--error-on-warnings', '.']],
    ['walls', node, ['scripts/walls.ts']],
    ['leftovers', node, ['scripts/leftovers.ts']],
    ['configuration in README', node, ['scripts/config-table.ts', '--check']],
  ];
  const results: CheckResult[] = [];
  for (const [name, file, args] of commands) {
    const result = await run(root, name, file, args);
    results.push(result);
    onResult(result);
  }
  return results;
}

function run(cwd: string, name: string, file: string, args: string[]): Promise<CheckResult> {
  const startedAt = performance.now();
  const { promise, resolve } = Promise.withResolvers<CheckResult>();
  let output = '';
  const finish = (ok: boolean): void => resolve({ name, ok, output, durationMs: performance.now() - startedAt });
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  child.once('error', (error) => {
    output += `${file}: ${error.message}\n`;
    finish(false);
  });
  child.once('close', (code) => finish(code === 0));
  return promise;
}
