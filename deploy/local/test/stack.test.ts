import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startStack } from '../index.ts';

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    (response) => response.ok,
    () => false,
  );

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await delay(100);
  }
}

// Starting takes seconds, and on a busy machine many of them.
t.setTimeout(300_000);

t.test('each service comes back after it was killed, and none outlives the stack', async (t) => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-stack-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const stack = await startStack({ stateDir, databasePrefix: `s${randomUUID().slice(0, 8)}_` });
  t.teardown(() => stack.stop());
  t.ok(await answers(stack.url));
  const services = ['blob', 'metadata', 'auth', 'payment', 'gateway', 'worker'];
  t.match(Object.keys(stack.pids()).slice(0, services.length), services);

  for (const name of services) {
    const before = stack.pids()[name];
    t.strictSame(stack.kill(name, 'SIGKILL'), before, name);
    await until(() => {
      const now = stack.pids()[name] ?? [];
      return now.length === 1 && now[0] !== before?.[0];
    }, `a new ${name}`);
    await until(() => answers(stack.url), `${name}: readiness at the same address`);
  }
  for (const name of services) t.match(readFileSync(stack.logFile(name), 'utf8'), /^\{.*\}$/m, `${name} logs JSON`);

  const pids = services.flatMap((name) => stack.pids()[name] ?? []);
  t.equal(pids.length, services.length);
  await stack.stop();
  t.notOk(pids.some(lives));
  t.notOk(await answers(stack.url));
});

t.test('a start that is given up leaves nothing running', async (t) => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-stack-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const abort = new AbortController();
  const started = startStack({
    stateDir,
    databasePrefix: `s${randomUUID().slice(0, 8)}_`,
    progress: (line) => line.startsWith('Starting') && setTimeout(() => abort.abort(new Error('enough')), 50),
    signal: abort.signal,
  });
  await t.rejects(started, { message: 'enough' });
});

t.test('a service with a bad configuration fails the start, and its log says which value', async (t) => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-stack-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const env = { FREE_LIMIT_BYTES: 'plenty' };
  const started = startStack({ stateDir, databasePrefix: `s${randomUUID().slice(0, 8)}_`, env });
  await t.rejects(started, { message: /(?:metadata|payment) does not start[\s\S]*FREE_LIMIT_BYTES/ });
});
