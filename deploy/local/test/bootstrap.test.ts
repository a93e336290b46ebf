import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { processesWith } from '../suite/leftovers.ts';

const local = path.resolve(import.meta.dirname, '..');
const manifest = readFileSync(path.join(local, '../../package.json'), 'utf8');

/** Stands where the launcher stands in a small copy of the repository: two supervised services, stopped in order. */
const LAUNCHER = `
  import { supervise } from ${JSON.stringify(path.join(local, 'supervisor.ts'))};
  import { onStopRequest } from ${JSON.stringify(path.join(local, 'stop-requests.ts'))};
  const names = ['one', 'two'];
  const services = names.map((name) => supervise({
    name, entry: import.meta.dirname + '/service.ts', logFile: import.meta.dirname + '/' + name + '.log', env: () => process.env,
  }));
  await Promise.all(services.map((service) => service.listening));
  setInterval(() => {}, 1000);
  let requests = 0;
  // Before it says that it is up: the test may send its signal at that very moment.
  onStopRequest(async () => {
    if (++requests > 1) process.exit(9);
    await Promise.all(services.map((service) => service.stop()));
    console.log('stopped in order');
    process.exit(Number(process.env.EXIT_CODE ?? 0));
  });
  console.log('up ' + process.pid + ' ' + process.ppid + ' ' + process.argv.slice(2).join(','));
`;
const SERVICE = `
  process.on('SIGTERM', () => setTimeout(() => process.exit(0), 100));
  process.send({ type: 'listening', url: 'http://127.0.0.1:1' });
  setInterval(() => {}, 1000);
`;
/** Stands for npx: installs nothing but a Node, slowly, and writes down that it was called. */
const NPX = `#!/bin/sh
echo "$@" >> "$PWD/npx.log"
[ -z "$NPX_SAYS" ] || { echo "$NPX_SAYS" >&2; exit 7; }
sleep 0.5
mkdir -p node_modules/node/bin
printf '#!/bin/sh\\nexec "${process.execPath}" "$@"\\n' > node_modules/node/bin/node
chmod +x node_modules/node/bin/node
`;

interface Clone {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly mark: string;
  npmStart(env?: Record<string, string>): Started;
}
interface Started {
  readonly child: ChildProcess;
  output(): string;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

function clone(test: Test): Clone {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-clone-'));
  const mark = randomUUID();
  const bin = path.join(folder, 'bin');
  for (const room of ['bin', 'deploy/local', 'services', 'packages'])
    mkdirSync(path.join(folder, room), { recursive: true });
  for (const file of ['bootstrap.mjs', 'lock.mjs'])
    cpSync(path.join(local, file), path.join(folder, 'deploy/local', file));
  writeFileSync(path.join(folder, 'package.json'), manifest);
  writeFileSync(path.join(folder, 'pnpm-lock.yaml'), 'lockfileVersion: 9\n');
  writeFileSync(path.join(folder, 'deploy/local/launcher.ts'), LAUNCHER);
  writeFileSync(path.join(folder, 'deploy/local/service.ts'), SERVICE);
  writeFileSync(path.join(bin, 'npx'), NPX);
  chmodSync(path.join(bin, 'npx'), 0o755);
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, CLONE_MARK: mark };
  test.teardown(() => {
    for (const { pid } of processesWith('CLONE_MARK', mark)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const npmStart = (more: Record<string, string> = {}): Started => {
    const child = spawn('npm', ['start', '--silent', '--', 'a', 'b'], {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
    const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    return { child, output: () => output, exit };
  };
  return { folder, env, mark, npmStart };
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 30 s: ${what()}`);
    await delay(50);
  }
}

async function up(started: Started): Promise<{ launcher: number; bootstrap: number }> {
  await until(
    () => /up \d+/.test(started.output()),
    () => `a start; so far: ${started.output()}`,
  );
  const [, launcher, bootstrap] = /up (\d+) (\d+) a,b/.exec(started.output()) ?? [];
  return { launcher: Number(launcher), bootstrap: Number(bootstrap) };
}

t.test('an installation happens once, and again when the lock file changes', async (t) => {
  const { folder, npmStart, mark } = clone(t);
  const installs = (): number => readFileSync(path.join(folder, 'npx.log'), 'utf8').trim().split('\n').length;
  const stopped = async (started: Started): Promise<void> => {
    await up(started);
    started.child.kill('SIGTERM');
    await started.exit;
    await until(
      () => processesWith('CLONE_MARK', mark).length === 0,
      () => 'its end',
    );
  };
  await stopped(npmStart());
  t.match(readFileSync(path.join(folder, 'npx.log'), 'utf8'), /^-y pnpm@\d+\.\d+\.\d+ install --frozen-lockfile/);
  await stopped(npmStart());
  t.equal(installs(), 1);
  writeFileSync(path.join(folder, 'pnpm-lock.yaml'), 'lockfileVersion: 9\nchanged: true\n');
  const two = [npmStart(), npmStart()];
  await Promise.all(two.map(stopped));
  t.equal(installs(), 2, 'of two at once, one installs');
  t.match(two.map((one) => one.output()).join(''), /Waiting for process \d+, which is installing/);
});

t.test('an installation that fails says why, and is tried again', async (t) => {
  const { folder, npmStart } = clone(t);
  const cases: [says: string, expected: RegExp][] = [
    ['npm error code ENOTFOUND', /npm registry could not be reached/],
    ['ERR_PNPM_OUTDATED_LOCKFILE', /out of step with a package.json/],
    ['something else', /could not be installed \(pnpm ended with 7/],
  ];
  for (const [says, expected] of cases) {
    const started = npmStart({ NPX_SAYS: says });
    t.equal((await started.exit).code, 1);
    t.match(started.output(), expected);
  }
  t.notOk(existsSync(path.join(folder, '.coffer/install.lock')));
});

const KILLS: [who: 'npm' | 'bootstrap' | 'launcher', signal: NodeJS.Signals, inOrder: boolean][] = [
  ['npm', 'SIGTERM', true],
  ['npm', 'SIGINT', true],
  ['npm', 'SIGKILL', true],
  ['bootstrap', 'SIGTERM', true],
  ['bootstrap', 'SIGKILL', true],
  ['launcher', 'SIGTERM', true],
  ['launcher', 'SIGKILL', false],
];

t.test('whoever of them gets a signal, no process is left', async (t) => {
  const { npmStart, mark, folder } = clone(t);
  for (const [who, signal, inOrder] of KILLS) {
    const log = path.join(folder, 'output.log');
    writeFileSync(log, '');
    const started = npmStart();
    const pids = { ...(await up(started)), npm: started.child.pid ?? 0 };
    t.ok(processesWith('CLONE_MARK', mark).length >= 5, 'npm, bootstrap, launcher and two services run');
    process.kill(pids[who], signal);
    await until(
      () => processesWith('CLONE_MARK', mark).length === 0,
      () => `${who} ${signal}: the end of all`,
    );
    t.pass(`${who} ${signal}`);
    // The last words may still be in the pipe when the last process is gone.
    if (inOrder) await until(() => started.output().includes('stopped in order'), started.output);
    t.equal(started.output().includes('stopped in order'), inOrder, `${who} ${signal}: stopped in order`);
  }
});

t.test("the terminal's Ctrl-C, which reaches npm and all of its group, is one request", async (t) => {
  const { npmStart, mark } = clone(t);
  const started = npmStart();
  await up(started);
  process.kill(-(started.child.pid ?? 0), 'SIGINT');
  await started.exit;
  await until(
    () => processesWith('CLONE_MARK', mark).length === 0,
    () => 'the end of all',
  );
  await until(() => started.output().includes('stopped in order'), started.output);
  t.match(started.output(), /stopped in order/);
});

t.test('the exit code is the one of the command', async (t) => {
  const { npmStart } = clone(t);
  const started = npmStart({ EXIT_CODE: '3' });
  const { bootstrap } = await up(started);
  process.kill(bootstrap, 'SIGTERM');
  t.equal((await started.exit).code, 3);
});

t.test('an unknown command is refused with the usage', async (t) => {
  const { folder } = clone(t);
  const child = spawn(process.execPath, [path.join(folder, 'deploy/local/bootstrap.mjs'), 'toString']);
  const said = (await child.stderr.toArray()).join('');
  t.match(said, /usage: .*start\|test/);
});
