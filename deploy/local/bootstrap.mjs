/**
 * The first thing that runs in a fresh clone: `node bootstrap.mjs start|test|bench|check|admin [arguments]`. It needs nothing
 * but Node and npm: it installs the packages when they are missing or out of step, and then runs the TypeScript behind
 * the command on the Node that came with them.
 *
 * It stays as the parent of that process, passes signals on, and ends as it ends. npm forwards a signal at best to its
 * direct child and, killed by force, to nobody; so this process also watches for npm's end, and the process below
 * watches for the end of this one (its IPC channel closes).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { acquireLock } from './lock.mjs';

const PNPM = 'pnpm@12.21.0';
const OLDEST_NODE = [20, 19];
const root = fileURLToPath(new URL('../../', import.meta.url));
const node24 = path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const entries = {
  start: 'deploy/local/launcher.ts',
  test: 'deploy/local/test.ts',
  check: 'deploy/local/check.ts',
  bench: 'packages/bench/src/main.ts',
  admin: 'packages/admin/src/main.ts',
};

/** A terminal's Ctrl-C reaches this process twice, from the terminal and through npm: it is one request. */
const SAME_REQUEST_MS = 400;
const PARENT_CHECK_MS = 500;

/** What a stop request goes to: the installation, or the command. */
let child;
let stopped = false;

const [command, ...args] = process.argv.slice(2);
const entry = Object.hasOwn(entries, command ?? '') ? entries[command] : undefined;
if (entry === undefined)
  fail(`usage: node deploy/local/bootstrap.mjs ${Object.keys(entries).join('|')} [arguments]`, 2);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  fail(`Coffer needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.version} (${process.execPath}).`);
}

passOnStopRequests();
await install();
run(node24, [path.join(root, entry), ...args]);

function run(file, commandArgs) {
  if (stopped) process.exit(1);
  // A session of its own, so that the terminal's Ctrl-C comes to it through here only, once.
  child = spawn(file, commandArgs, { cwd: root, stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true });
  child.once('error', (error) => fail(`cannot run ${file}: ${error.message}`));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function passOnStopRequests() {
  let last = -Infinity;
  const request = (signal) => {
    const now = performance.now();
    if (now - last < SAME_REQUEST_MS) return;
    last = now;
    stopped = true;
    if (child) child.kill(signal);
    else process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => request(signal));
  // Only npm is watched: who runs this file directly may let it run on after the shell has ended.
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    request('SIGTERM');
  }, PARENT_CHECK_MS);
  timer.unref();
}

/** Brings `node_modules` in step with the lock file. Of two at once, one installs and the other waits. */
async function install() {
  const mark = path.join(root, 'node_modules', '.coffer-installed');
  const wanted = fingerprint();
  const inStep = () => existsSync(node24) && existsSync(mark) && readFileSync(mark, 'utf8') === wanted;
  if (inStep()) return;
  const lock = await turn(inStep);
  if (lock === undefined) return;
  process.once('exit', lock.release);
  try {
    note('Installing packages; the first time takes a minute or two');
    const { code, output } = await pnpmInstall();
    if (stopped) process.exit(1);
    if (code !== 0) fail(`${reasonOf(output)} (pnpm ended with ${code}; what it said is above)`);
    if (!existsSync(node24)) fail(`${node24} is missing after the installation: remove node_modules and try again.`);
    writeFileSync(mark, wanted);
  } finally {
    lock.release();
  }
}

/** The right to install; undefined when another has done it meanwhile. */
async function turn(inStep) {
  let waitsFor;
  for (;;) {
    const answer = acquireLock(path.join(root, '.coffer', 'install.lock'));
    if (answer.lock && !inStep()) return answer.lock;
    answer.lock?.release();
    if (answer.lock) return undefined;
    if (answer.holder.pid !== waitsFor) {
      waitsFor = answer.holder.pid;
      note(`Waiting for process ${waitsFor}, which is installing the packages`);
    }
    await delay(300);
  }
}

function pnpmInstall() {
  const pnpmArgs = ['-y', PNPM, 'install', '--frozen-lockfile', '--reporter=append-only'];
  return new Promise((resolve) => {
    let output = '';
    // npm's own patience is minutes; a registry that cannot be reached is said within one.
    const env = {
      npm_config_fetch_retries: '2',
      npm_config_fetch_retry_maxtimeout: '10000',
      ...process.env,
      CI: 'true',
    };
    child = spawn('npx', pnpmArgs, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output = (output + chunk).slice(-100_000);
        process.stderr.write(chunk);
      });
    }
    child.once('error', (error) => resolve({ code: error.code, output: error.message }));
    child.once('close', (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

function reasonOf(output) {
  if (
    /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|META_FETCH_FAIL|ERR_SOCKET_TIMEOUT)\b/.test(
      output,
    )
  ) {
    return 'The npm registry could not be reached. Check the network, the proxy (HTTPS_PROXY), or the registry that `npm config get registry` names';
  }
  if (/ERR_PNPM_OUTDATED_LOCKFILE/.test(output)) {
    return `pnpm-lock.yaml is out of step with a package.json: run \`npx ${PNPM} install\``;
  }
  if (/\bENOSPC\b/.test(output)) return 'The disk is full';
  if (/\bspawn npx ENOENT\b/.test(output)) return 'npx, which comes with npm, is not on the PATH';
  return 'The packages could not be installed';
}

/** Changes whenever an installation could come out differently. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${PNPM}\n`);
  const below = (folder) => readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}/package.json`);
  const manifests = ['package.json', 'deploy/package.json', ...below('services').sort(), ...below('packages').sort()];
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    if (existsSync(path.join(root, file))) hash.update(`${file}\n`).update(readFileSync(path.join(root, file)));
  }
  return hash.digest('hex');
}

function note(line) {
  process.stderr.write(`${line}\n`);
}

function fail(text, code = 1) {
  note(text);
  process.exit(code);
}
