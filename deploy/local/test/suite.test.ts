import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { findTests } from '../suite/find-tests.ts';
import { type FileResult, runTestFile } from '../suite/test-file.ts';

const repository = path.resolve(import.meta.dirname, '../../..');

function tree(test: Test, files: Record<string, string>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'coffer-suite-'));
  test.teardown(() => rmSync(root, { recursive: true, force: true }));
  for (const room of ['services', 'packages', 'deploy', 'scripts']) mkdirSync(path.join(root, room));
  symlinkSync(path.join(repository, 'node_modules'), path.join(root, 'node_modules'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return root;
}

async function run(test: Test, source: string, timeoutMs = 60_000): Promise<FileResult> {
  const file = 'deploy/test/a.test.ts';
  const root = tree(test, { [file]: `import t from 'tap';\n${source}`, 'package.json': '{"type": "module"}' });
  return runTestFile({
    root,
    file,
    env: process.env,
    timeoutMs,
    signal: new AbortController().signal,
    leftoverGraceMs: 500,
  });
}

t.test('assertions are counted, not the tests that hold them', async (t) => {
  const source = `t.test('outer', async (t) => { t.ok(1); await t.test('inner', async (t) => { t.ok(1); t.ok(1); }); });
    t.ok(1, 'at the top'); t.ok(1, { skip: 'no such thing here' });`;
  const { passed, failures, skipped } = await run(t, source);
  t.strictSame({ passed, skipped, failures }, { passed: 4, skipped: 1, failures: [] });
});

t.test('a failed assertion is shown with its tests and both values', async (t) => {
  const { passed, failures } = await run(t, "t.test('sums', async (t) => { t.equal(1 + 1, 3, 'adds up'); t.ok(1); });");
  t.equal(passed, 1);
  t.equal(failures.length, 1);
  t.match(failures[0], { name: /sums.*adds up/, detail: /[-]3[\s\S]*[+]2|wanted: 3|diff/ });
});

t.test('failures of a file beyond its assertions are failures', async (t) => {
  const cases: [source: string, expected: RegExp][] = [
    ["t.ok(1); throw new Error('broken');", /broken/],
    [
      "t.test('a', async (t) => t.ok(1)); setTimeout(() => process.exit(0), 300); setInterval(() => {}, 99); t.test('b', () => new Promise(() => {}));",
      /./,
    ],
    ['t.ok(1); t.end(); setTimeout(() => process.exit(5), 100);', /exited with 5/],
    ['t.end();', /no assertion|no tests/],
    ["import './missing.ts';", /exited with 1/],
  ];
  for (const [source, expected] of cases) {
    const { failures } = await run(t, source);
    t.ok(failures.length > 0, source);
    t.match(failures.map(({ name, detail }) => `${name}: ${detail}`).join('\n'), expected, source);
  }
});

t.test('a file that does not end is ended', async (t) => {
  const { failures } = await run(
    t,
    "t.test('waits', async (t) => { t.ok(1); await new Promise((r) => setTimeout(r, 60_000)); });",
    1500,
  );
  t.ok(failures.length > 0);
});

t.test('processes left behind are a failure, and are ended', { skip: process.platform !== 'linux' }, async (t) => {
  const source = `import { spawn } from 'node:child_process';
    const child = spawn('sleep', ['97'], { detached: true, stdio: 'ignore' }); child.unref(); t.ok(child.pid);`;
  const { passed, failures } = await run(t, source);
  t.equal(passed, 1);
  t.match(failures, [{ name: 'leaves no process behind', detail: /^\d+ sleep 97$/ }]);
});

t.test('tests are found, and chosen by a part of their path', async (t) => {
  const files = ['services/blob/test/a.test.ts', 'services/auth/test/a.test.ts', 'packages/kit/src/deep/b.test.ts'];
  const others = ['services/blob/test/helper.ts', 'services/blob/other_modules/a.ts', 'packages/kit/.hidden/c.test.ts'];
  const root = tree(t, Object.fromEntries([...files, ...others].map((file) => [file, ''])));
  t.strictSame(findTests(root), [...files].sort());
  t.strictSame(findTests(root, ['./services/blob/']), ['services/blob/test/a.test.ts']);
  t.strictSame(findTests(root, ['a.test', 'deep']).length, 3);
  t.strictSame(findTests(root, ['nothing']), []);
});
