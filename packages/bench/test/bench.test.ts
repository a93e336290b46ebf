import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { parseOptions, UsageError } from '../src/options.ts';
import { median, percentile } from '../src/statistics.ts';

const main = path.resolve(import.meta.dirname, '../src/main.ts');

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function bench(...args: string[]): Promise<Ended> {
  const { COFFER_URL: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env, timeout: 240_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

t.test('the bench runs end to end, with all its rows', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'coffer-bench-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const json = path.join(dir, 'out.json');
  const sizes = ['--rounds', '2', '--seconds', '0.2', '--large-mib', '2', '--pages', '100,200', '--renames', '2,600'];
  const { code, stdout, stderr } = await bench(...sizes, '--dir', dir, '--json', json);
  t.equal(code, 0, stderr);

  const { rows, machine } = JSON.parse(readFileSync(json, 'utf8'));
  const names: string[] = rows.map(({ name }: { name: string }) => name);
  t.strictSame(names, [
    '4 KiB PUT, 32 in flight',
    '4 KiB PUT, 1 in flight',
    '4 KiB GET, 32 in flight',
    '2 MiB PUT',
    '2 MiB GET',
    'page of 100 in a folder of 100',
    'page of 100 in a folder of 200',
    'rename of a folder with 2 below',
    'rename of a folder with 600 below',
  ]);
  for (const { name, coffer, bare, ratio, samples } of rows) {
    t.ok(coffer.rate > 0, `${name} was measured`);
    t.equal(samples.length, 2, `${name} was measured in each round`);
    t.equal(bare === undefined, ratio === undefined, `${name} has a ratio where the bare server did it too`);
    t.match(stdout, name, `${name} is in the table`);
  }
  t.equal(rows.filter(({ bare }: { bare?: object }) => bare !== undefined).length, 5);
  t.equal(Object.keys(machine).length, 4);
  if (process.platform === 'linux') {
    for (const part of ['gateway', 'metadata', 'blob', 'auth'])
      t.ok(rows[0].parts[part].peakMemoryMib > 10, `${part}'s memory is told`);
  }
  t.strictSame(readdirSync(dir), ['out.json'], 'nothing else is left');
});

t.test('a bench that is stopped takes its stack and its files with it', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'coffer-bench-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const { COFFER_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, '--dir', dir], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const text of child.stderr.setEncoding('utf8')) if (String(text).includes('Warming up')) break;
  t.equal(readdirSync(dir).length, 2, 'it was at work');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.strictSame(await exited, [1, null]);
  t.strictSame(readdirSync(dir), []);
});

t.test('bad options are refused with a word on which', async (t) => {
  for (const [args, reason] of [
    [['--rounds', '0'], /--rounds 0/],
    [['--rounds', '1.5'], /--rounds 1.5/],
    [['--seconds', '-1'], /--seconds/],
    [['--seconds=soon'], /--seconds soon/],
    [['--pages', '100,,5'], /--pages/],
    [['--url', 'here'], /--url here/],
    [['--fast'], /--fast/],
    [['file'], /file/],
  ] as const) {
    t.throws(() => parseOptions(args), { constructor: UsageError, message: reason }, args.join(' '));
  }
  const { code, stderr } = await bench('--rounds', 'many');
  t.equal(code, 2);
  t.match(stderr, '--rounds many is no number');
});

t.test('help is printed and nothing measured', async (t) => {
  const { code, stdout } = await bench('--help');
  t.equal(code, 0);
  t.match(stdout, '--large-mib');
});

t.test('medians and percentiles', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  const hundred = Array.from({ length: 100 }, (_, n) => n + 1);
  t.equal(percentile(hundred, 0.5), 50);
  t.equal(percentile(hundred, 0.99), 99);
  t.equal(percentile([7], 0.99), 7);
});
