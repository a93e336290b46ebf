import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { debianMissing } from '../engines/debian.ts';
import { provideEngines } from '../engines/index.ts';
import { gone, identityOf, processesIn } from '../engines/processes.ts';
import { eventually, recall, store, type Urls } from './engines-clients.ts';

const launcherFile = fileURLToPath(new URL('./engines-launcher.ts', import.meta.url));
const { MONGODB_URL: _m, NATS_URL: _n, REDIS_URL: _r, ...env } = process.env;
// The first run on a machine fetches the engines.
t.setTimeout(900_000);
const all = { mongodb: true, nats: true, redis: true };

function folder(t: { teardown(action: () => void): unknown }): string {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-engines-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  return stateDir;
}

const alive = (pids: number[]) => pids.filter((pid) => identityOf(pid) !== undefined);

t.test('engines are provided, come back after SIGKILL on the same port with their data, and stop', async (t) => {
  const stateDir = folder(t);
  const lines: string[] = [];
  const engines = await provideEngines({ stateDir, env, progress: (line) => lines.push(line) });
  t.teardown(() => engines.stop());
  t.strictSame(engines.processes.map(({ name }) => name).sort(), ['mongodb', 'nats', 'redis']);
  for (const url of [engines.mongodbUrl, engines.natsUrl, engines.redisUrl])
    t.equal(new URL(url).hostname, '127.0.0.1');
  t.ok(lines.some((line) => line.startsWith('mongodb: ready at mongodb://')));
  await store(engines, 'before');

  for (const engine of engines.processes) {
    await t.test(`${engine.name} is killed`, async (t) => {
      const old = engine.pids();
      t.ok(old.length > 0 && alive(old).length === old.length);
      engine.kill('SIGKILL');
      t.ok(await gone(() => alive(old).length > 0, 5_000));
      t.strictSame(await eventually(() => recall(engines, 'before'), 20_000), all);
      t.equal(engine.pids().length, old.length);
      t.notOk(engine.pids().some((pid) => old.includes(pid)));
    });
  }

  const mongodb = engines.processes.find(({ name }) => name === 'mongodb');
  await t.test('one process of an engine is killed by somebody else', async (t) => {
    for (const pid of mongodb?.pids() ?? []) {
      process.kill(pid, 'SIGKILL');
      t.ok(await gone(() => alive([pid]).length > 0, 5_000));
      t.strictSame(await eventually(() => recall(engines, 'before'), 20_000), all);
    }
  });

  const pids = engines.processes.flatMap((engine) => engine.pids());
  await engines.stop();
  t.strictSame(alive(pids), []);
  t.strictSame(processesIn(path.join(stateDir, 'mongodb', 'postgres'), 'postgres'), []);
  t.strictSame(readdirSync(path.join(stateDir, 'logs')).sort(), ['mongodb.log', 'nats.log', 'redis.log']);

  await t.test('the next run finds the data, even with a pid file that names a living process', async (t) => {
    const pidFile = path.join(stateDir, 'mongodb', 'postgres', 'postmaster.pid');
    if (existsSync(path.dirname(pidFile))) writeFileSync(pidFile, `${process.pid}\n/\n0\n5432\n/\n\n  0 0\nready\n`);
    const again = await provideEngines({ stateDir, env });
    t.strictSame(await recall(again, 'before'), all);
    await again.stop();
  });
});

interface Launched extends Urls {
  pids: number[];
  child: ChildProcess;
}

/** Starts a launcher process; rejects with what it says on stderr when it ends at once. */
function launch(stateDir: string): Promise<Launched> {
  const child = spawn(process.execPath, [launcherFile, stateDir], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += String(data);
    });
    child.stdout.once('data', (data) => resolve({ ...JSON.parse(String(data)), child }));
    child.once('close', () => reject(new Error(errors)));
  });
}

t.test('engines end with their launcher, whatever ends that', async (t) => {
  const stateDir = folder(t);
  const first = await launch(stateDir);
  t.teardown(() => first.child.kill('SIGKILL'));
  await store(first, 'first');

  await t.test('a second launcher on the same folder is refused', async (t) => {
    await t.rejects(launch(stateDir), { message: new RegExp(`process ${first.child.pid} already runs engines`) });
    t.strictSame(alive(first.pids), first.pids);
  });

  await t.test('the launcher is killed by SIGKILL, and the next one starts at once', async (t) => {
    first.child.kill('SIGKILL');
    const second = await launch(stateDir);
    t.teardown(() => second.child.kill('SIGKILL'));
    t.strictSame(alive(first.pids), []);
    t.strictSame(await recall(second, 'first'), all);
    const ended = once(second.child, 'exit');
    second.child.kill('SIGTERM');
    await ended;
    t.strictSame(alive(second.pids), []);
    t.equal(existsSync(path.join(stateDir, 'engines.json')), false);
  });
});

t.test('servers that are named by URL are used as they are, and nothing is started', async (t) => {
  const stateDir = path.join(folder(t), 'untouched');
  const urls = { MONGODB_URL: 'mongodb://db.test', NATS_URL: 'nats://bus.test', REDIS_URL: 'redis://cache.test' };
  const engines = await provideEngines({ stateDir, env: { ...env, ...urls } });
  t.match(engines, { mongodbUrl: urls.MONGODB_URL, natsUrl: urls.NATS_URL, redisUrl: urls.REDIS_URL, processes: [] });
  await engines.stop();
  t.equal(existsSync(stateDir), false);
});

t.test('a program of the PATH goes before a fetched one', async (t) => {
  const stateDir = folder(t);
  const bin = path.join(stateDir, 'bin');
  mkdirSync(bin);
  // A server that greets as nats-server does.
  writeFileSync(
    path.join(bin, 'nats-server'),
    `#!${process.execPath}\nconst port = process.argv[process.argv.indexOf('-p') + 1];\nrequire('node:net').createServer((s) => s.write('INFO {"jetstream":true}\\r\\n')).listen(port, '127.0.0.1');\nconsole.log('mine ' + process.argv.slice(2).join(' '));\n`,
    { mode: 0o755 },
  );
  const engines = await provideEngines({ stateDir, only: ['nats'], env: { PATH: bin } });
  t.match(readFileSync(path.join(stateDir, 'logs', 'nats.log'), 'utf8'), /^mine -a 127\.0\.0\.1 -p \d+ -js -sd /);
  await engines.stop();
});

t.test('where an engine cannot be had, one message says what is missing and what to do', async (t) => {
  const stateDir = folder(t);
  t.type(debianMissing({ PATH: '' }), 'string');
  await t.rejects(provideEngines({ stateDir, only: ['redis'], env: { PATH: '' } }), {
    message:
      /redis-server is not on the PATH, REDIS_URL is not set, .*\n[\s\S]*REDIS_URL=redis:\/\/127\.0\.0\.1:6379\n[\s\S]*docker/,
  });
  t.equal(existsSync(path.join(stateDir, 'engines.json')), false);
});
