import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { processesWith } from '../suite/leftovers.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const START_TIMEOUT_MS = 180_000;

interface Home {
  readonly stateDir: string;
  readonly mark: string;
  start(port: number): Started;
}
interface Started {
  readonly child: ChildProcess;
  output(): string;
  /** Waits for the end of the start, and gives the URL. */
  url(): Promise<string>;
  ended(): Promise<number | null>;
}

function home(test: Test): Home {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-launcher-'));
  const stateDir = path.join(folder, 'state');
  const mark = randomUUID();
  const prefix = `l${mark.slice(0, 8)}_`;
  test.teardown(() => {
    for (const { pid } of processesWith('LAUNCHER_MARK', mark)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (port: number): Started => {
    const { ADMIN_USERNAME: _name, ADMIN_PASSWORD: _password, ...inherited } = process.env;
    const child = spawn('npm', ['start', '--silent'], {
      cwd: repository,
      env: {
        ...inherited,
        COFFER_STATE_DIR: stateDir,
        COFFER_DATABASE_PREFIX: prefix,
        LAUNCHER_MARK: mark,
        PORT: String(port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
    const url = async (): Promise<string> => {
      await until(
        () => /3\. Download it\n.+\n/.test(output) || child.exitCode !== null,
        () => `a start: ${output}`,
      );
      const found = /^ {2}URL {3}(\S+)$/m.exec(output)?.[1];
      if (found === undefined) throw new Error(`it did not start: ${output}`);
      return found;
    };
    return { child, output: () => output, url, ended: () => exit };
  };
  return { stateDir, mark, start };
}

async function until(condition: () => boolean, what: () => string, timeoutMs = START_TIMEOUT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what()}`);
    await delay(50);
  }
}

async function occupied(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return { server, port: address.port };
}

const commandsIn = (output: string): string[] =>
  [...output.matchAll(/^\d\. .+\n(.+)$/gm)].map((match) => match[1] ?? '');

async function shell(commands: readonly string[]): Promise<string> {
  return (await promisify(execFile)('sh', ['-c', commands.join('\n')], { timeout: 60_000 })).stdout;
}

// Starting takes seconds, and on a busy machine many of them.
t.setTimeout(300_000);

t.test('from a first start to a second: what it prints works, what it keeps is there', async (t) => {
  const { stateDir, mark, start } = home(t);
  const left = (): string[] => processesWith('LAUNCHER_MARK', mark).map(({ pid, command }) => `${pid} ${command}`);
  const { server, port } = await occupied();
  t.teardown(() => server.close());

  const first = start(port);
  const url = await first.url();
  t.not(Number(new URL(url).port), port);
  t.match(first.output(), `Port ${port} is taken; using ${new URL(url).port}`);

  const commands = commandsIn(first.output());
  t.equal(commands.length, 3);
  t.match(await shell(commands), /"name":"hello.txt"[\s\S]*\nHello from Coffer\n$/);
  t.match(await shell(commands), /\nHello from Coffer\n$/, 'and once more');
  t.equal((await fetch(`${url}/docs`)).status, 200);

  const [, username, password] = /username {2}(\S+)\n {2}password {2}(\S+)/.exec(first.output()) ?? [];
  const login = await fetch(`${url}/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ login: username, password }),
  });
  t.equal(login.status, 201, 'the printed operator can log in');
  const secrets = readFileSync(path.join(stateDir, 'secrets.json'), 'utf8');
  t.notOk(secrets.includes(password ?? ''), 'the password is not kept');
  t.equal(statSync(path.join(stateDir, 'secrets.json')).mode & 0o777, 0o600);

  const second = start(port);
  t.equal(await second.ended(), 0);
  t.match(second.output(), `Coffer is running already at ${url} (process `);

  first.child.kill('SIGTERM');
  await first.ended();
  await until(
    () => left().length === 0,
    () => left().join('\n'),
    30_000,
  );
  t.notOk(existsSync(path.join(stateDir, 'launcher.lock')));

  const again = start(0);
  await again.url();
  t.notMatch(again.output(), /operator's account/);
  const [account = '', , download = ''] = commandsIn(again.output());
  t.equal(await shell([account, download]), 'Hello from Coffer\n');

  // Killed by force, it leaves a lock that counts for nothing, and no process.
  const launcher = processesWith('LAUNCHER_MARK', mark).find(({ command }) => command.includes('launcher.ts'));
  process.kill(launcher?.pid ?? 0, 'SIGKILL');
  await again.ended();
  await until(
    () => left().length === 0,
    () => left().join('\n'),
    30_000,
  );
  t.ok(existsSync(path.join(stateDir, 'launcher.lock')));

  const last = start(0);
  await last.url();
  t.equal(await shell([commandsIn(last.output())[0] ?? '', commandsIn(last.output())[2] ?? '']), 'Hello from Coffer\n');
  process.kill(-(last.child.pid ?? 0), 'SIGINT');
  t.equal(await last.ended(), 0, "the terminal's Ctrl-C");
  await until(
    () => left().length === 0,
    () => left().join('\n'),
    30_000,
  );
});

t.test('a bad PORT is refused with the reason', async (t) => {
  const { start } = home(t);
  const started = start(99_999);
  t.equal(await started.ended(), 1);
  t.match(started.output(), /PORT is "99999": a whole number from 0 to 65535 is needed/);
});
