import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { follow, tailOf } from '../log-file.ts';
import { nextFreePort } from '../ports.ts';
import { type ServiceSpec, type SupervisorOptions, supervise } from '../supervisor.ts';

const LISTENS = `
  console.log('started ' + process.pid);
  process.send({ type: 'listening', url: 'http://127.0.0.1:' + process.env.NUMBER });
  setInterval(() => {}, 1000);
`;

function fixture(test: Test, source: string, options: SupervisorOptions = {}, isPublic = false) {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-supervisor-'));
  const entry = path.join(folder, 'main.ts');
  const logFile = path.join(folder, 'service.log');
  writeFileSync(entry, source);
  let starts = 0;
  const spec: ServiceSpec = { name: 'sample', entry, logFile, isPublic, env: () => ({ NUMBER: String(++starts) }) };
  const reports: string[] = [];
  const service = supervise(spec, { report: (line) => reports.push(line), ...options });
  test.teardown(async () => {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { service, reports, logFile, folder, log: () => readFileSync(logFile, 'utf8'), starts: () => starts };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await delay(20);
  }
}

function lives(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

t.test('a killed service is started again, each time after twice the wait', async (t) => {
  const { service, reports, starts } = fixture(t, LISTENS, { firstBackoffMs: 40, maxBackoffMs: 100 });
  t.equal(await service.listening, 'http://127.0.0.1:1');
  for (const round of [1, 2, 3, 4]) {
    const before = service.pid();
    t.strictSame(service.kill('SIGKILL'), [before]);
    await until(() => service.pid() !== undefined && service.pid() !== before, 'a new process');
    t.equal(starts(), round + 1);
  }
  const waits = reports.map((line) => Number(/in (\d+) ms/.exec(line)?.[1]));
  t.strictSame(waits, [40, 80, 100, 100]);
  t.match(reports[0], /sample ended by SIGKILL/);
});

t.test('after a healthy while the wait is short again', async (t) => {
  const { service, reports } = fixture(t, LISTENS, { firstBackoffMs: 20, maxBackoffMs: 5_000, healthyMs: 300 });
  await service.listening;
  for (const pauseMs of [0, 0, 1500]) {
    await delay(pauseMs);
    const before = service.pid();
    service.kill('SIGKILL');
    await until(() => service.pid() !== undefined && service.pid() !== before, 'a new process');
  }
  t.match(reports.at(-1), /in 20 ms/);
});

t.test('of a public service, only the address that it announces as public counts', async (t) => {
  const source = `process.send({ type: 'other' }); process.send({ type: 'listening', url: 'http://internal' });
    process.send({ type: 'listening', url: 'http://outside', public: true }); setInterval(() => {}, 1000);`;
  t.equal(await fixture(t, source, {}, true).service.listening, 'http://outside');
  t.equal(await fixture(t, source).service.listening, 'http://internal');
});

t.test('stopping asks first, and waits until the process is gone', async (t) => {
  const source = `
    process.on('SIGTERM', () => setTimeout(() => { console.log('put away'); process.exit(0); }, 200));
    ${LISTENS}`;
  const { service, log, starts } = fixture(t, source, { firstBackoffMs: 10 });
  await service.listening;
  const pid = service.pid();
  await service.stop();
  t.notOk(lives(pid));
  t.match(log(), /put away/);
  await delay(100);
  t.equal(starts(), 1, 'it is not started again');
});

t.test('one that does not stop is ended by force, with what it started', async (t) => {
  const source = `import { spawn } from 'node:child_process';
    const below = spawn('sleep', ['60']);
    console.log('below ' + below.pid);
    process.on('SIGTERM', () => {});
    ${LISTENS}`;
  const { service, log, reports } = fixture(t, source, { stopTimeoutMs: 200 });
  await service.listening;
  const pid = service.pid();
  await service.stop();
  t.notOk(lives(pid));
  const below = Number(/below (\d+)/.exec(log())?.[1]);
  t.ok(below > 0);
  await until(() => !lives(below), 'the end of the process below');
  t.match(reports, [/did not stop in 200 ms/]);
});

t.test('one that never starts is given up, with the end of its log', async (t) => {
  const source = "console.error('PORT: must be a number'); process.exit(1);";
  const { service, starts } = fixture(t, source, { firstBackoffMs: 5 });
  await t.rejects(service.listening, {
    message: /sample does not start \(exited with 1\)[\s\S]*PORT: must be a number/,
  });
  await delay(100);
  t.equal(starts(), 3);
  t.equal(service.pid(), undefined);
});

t.test('a stop while it waits to start again leaves nothing running', async (t) => {
  const { service, starts } = fixture(t, LISTENS, { firstBackoffMs: 300 });
  await service.listening;
  service.kill('SIGKILL');
  await until(() => service.pid() === undefined, 'its end');
  await service.stop();
  await delay(500);
  t.equal(starts(), 1);
});

t.test('a service ends when its launcher is killed', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-orphan-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const quiet = path.join(folder, 'quiet.ts');
  const busy = path.join(folder, 'busy.ts');
  const own = path.join(folder, 'own.ts');
  writeFileSync(quiet, `process.on('SIGTERM', () => { console.log('in order'); process.exit(0); });${LISTENS}`);
  writeFileSync(busy, LISTENS);
  writeFileSync(
    own,
    `process.on('SIGTERM', () => process.exit(1));
     process.on('disconnect', () => setTimeout(() => { console.log('by itself'); process.exit(0); }, 300));${LISTENS}`,
  );
  const launcher = path.join(folder, 'launcher.ts');
  writeFileSync(
    launcher,
    `import { supervise } from ${JSON.stringify(path.resolve(import.meta.dirname, '../supervisor.ts'))};
     const services = ${JSON.stringify([quiet, busy, own])}.map((entry) =>
       supervise({ name: entry, entry, logFile: entry + '.log', env: () => ({ NUMBER: '1' }) }));
     await Promise.all(services.map((service) => service.listening));
     console.log(JSON.stringify(services.map((service) => service.pid())));
     setInterval(() => {}, 1000);`,
  );
  const parent = spawn(process.execPath, [launcher], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await parent.stdout.take(1).toArray();
  const pids: number[] = JSON.parse(String(line));
  t.equal(pids.length, 3);
  t.ok(pids.every(lives));
  parent.kill('SIGKILL');
  await until(() => !pids.some(lives), 'the end of the services');
  t.match(readFileSync(`${quiet}.log`, 'utf8'), /in order/);
  t.match(readFileSync(`${own}.log`, 'utf8'), /by itself/, 'one that sees to it by itself is not hurried');
});

t.test('a log is followed over a cut, and its end can be shown', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-log-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'a.log');
  writeFileSync(file, 'before\n');
  const lines: string[] = [];
  const stop = follow(file, (line) => lines.push(line));
  appendFileSync(file, 'one\ntw');
  await until(() => lines.length === 1, 'a line');
  appendFileSync(file, 'o é\n');
  await until(() => lines.length === 2, 'a line');
  truncateSync(file, 0);
  await delay(300);
  appendFileSync(file, 'three\n');
  stop();
  t.strictSame(lines, ['one', 'two é', 'three']);
  appendFileSync(file, 'four\nfive\n');
  t.equal(tailOf(file, 2), 'four\nfive');
  t.equal(tailOf(path.join(folder, 'none.log'), 2), '');
});

t.test('a taken port is passed over', async (t) => {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : 0;
  const free = await nextFreePort(taken, '127.0.0.1');
  t.ok(free > taken && free < taken + 200);
  t.equal(await nextFreePort(0, '127.0.0.1'), 0);
});
