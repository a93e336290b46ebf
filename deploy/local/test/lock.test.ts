import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { acquireLock, lockHolder } from '../lock.mjs';

function lockFile(test: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-lock-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'deep', 'a.lock');
}

/** Takes the lock in a process of its own, says so, and waits. */
function holder(file: string) {
  const source = `
    import { acquireLock } from ${JSON.stringify(path.resolve(import.meta.dirname, '../lock.mjs'))};
    console.log('lock' in acquireLock(${JSON.stringify(file)}, 'at home') ? 'mine' : 'taken');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = child.stdout
    .take(1)
    .toArray()
    .then(([chunk]) => String(chunk).trim());
  const end = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return { pid: child.pid, said, end };
}

t.test('the second is told who holds it and what that one says', async (t) => {
  const file = lockFile(t);
  const other = holder(file);
  t.equal(await other.said, 'mine');
  const answer = acquireLock(file);
  t.match(answer, { holder: { pid: other.pid, note: 'at home' } });
  t.match(lockHolder(file), { pid: other.pid });
  await other.end();
});

t.test('a lock whose holder was killed is taken over', async (t) => {
  const file = lockFile(t);
  const other = holder(file);
  await other.said;
  await other.end();
  t.ok(existsSync(file), 'the file is still there');
  t.equal(lockHolder(file), null);
  const answer = acquireLock(file, 'mine');
  t.ok('lock' in answer);
  if ('lock' in answer) {
    answer.lock.note('changed');
    t.match(lockHolder(file), { pid: process.pid, note: 'changed' });
    answer.lock.release();
  }
  t.strictSame(readdirSync(path.dirname(file)), [], 'nothing is left');
});

t.test('a pid that another process has by now does not count', async (t) => {
  const file = lockFile(t);
  const answer = acquireLock(file);
  t.ok('lock' in answer);
  const written: unknown = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(Object.assign(Object(written), { pid: 1 })));
  t.equal(lockHolder(file), null);
  t.ok('lock' in acquireLock(file));
});

t.test('a damaged lock is taken over', async (t) => {
  const file = lockFile(t);
  const first = acquireLock(file);
  t.ok('lock' in first);
  for (const text of ['', '{', 'null', '{"pid": "x"}']) {
    writeFileSync(file, text);
    t.ok('lock' in acquireLock(file), JSON.stringify(text));
  }
});

t.test('of many at once, over a stale lock, one gets it', async (t) => {
  const file = lockFile(t);
  const first = holder(file);
  await first.said;
  await first.end();
  const racers = Array.from({ length: 12 }, () => holder(file));
  const said = await Promise.all(racers.map((racer) => racer.said));
  t.equal(said.filter((word) => word === 'mine').length, 1);
  await Promise.all(racers.map((racer) => racer.end()));
});
