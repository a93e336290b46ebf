/**
 * `npm start`: the whole stack in the foreground, with its state in `.coffer/` of the project's folder or in
 * `COFFER_STATE_DIR`, until Ctrl-C or SIGTERM. A second one for the same folder says where the first is.
 * Where engines are shared with others (`MONGODB_URL` and the like), `COFFER_DATABASE_PREFIX` keeps them apart.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { prettyFactory } from 'pino-pretty';
import { firstSteps, mailNote, operatorNote } from './first-steps.ts';
import { acquireLock, type Lock } from './lock.mjs';
import { follow } from './log-file.ts';
import { loadSecrets } from './secrets.ts';
import { SERVICES } from './services.ts';
import { type Stack, startStack } from './stack.ts';
import { launcherLock, stateDirFor } from './state.ts';
import { onStopRequest } from './stop-requests.ts';

const DEFAULT_PORT = 8080;
/** For a start to give up what it is doing; downloads and unpacking stop with the launcher, and are begun anew. */
const ABORT_TIMEOUT_MS = 5_000;

const abort = new AbortController();
let stack: Stack | undefined;
let lock: Lock | undefined;
let stopping = false;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

onStopRequest((reason) => {
  if (stopping) return endAtOnce();
  stopping = true;
  say(`\nStopping (${reason}); once more ends it at once`);
  abort.abort(new Error('stopped while starting'));
  if (stack === undefined) {
    // The start below rejects and ends the process, or it hangs in a step that cannot be interrupted.
    setTimeout(() => endAtOnce(), ABORT_TIMEOUT_MS).unref();
    return;
  }
  stack.stop().then(
    () => end(0),
    (error: unknown) => {
      say(`Stopping failed: ${message(error)}`);
      endAtOnce();
    },
  );
});

const stateDir = stateDirFor(process.env.COFFER_STATE_DIR);
try {
  mkdirSync(stateDir, { recursive: true });
  const answer = acquireLock(launcherLock(stateDir));
  if ('holder' in answer) {
    const { pid, note } = answer.holder;
    say(
      note === ''
        ? `Coffer is starting already (process ${pid}).`
        : `Coffer is running already at ${note} (process ${pid}).`,
    );
    process.exit(0);
  }
  lock = answer.lock;
  await start();
} catch (error) {
  if (!stopping) say(`\nCoffer could not start: ${message(error)}`);
  end(stopping ? 0 : 1);
}

async function start(): Promise<void> {
  const wanted = portFromEnvironment();
  const showsPassword = process.env.ADMIN_PASSWORD === undefined && loadSecrets(stateDir).adminPassword !== undefined;
  say(`Starting Coffer; data and logs are in ${stateDir}`);
  const stopFollowing = showLogs(path.join(stateDir, 'logs'));
  process.on('exit', stopFollowing);
  const databasePrefix = process.env.COFFER_DATABASE_PREFIX ?? '';
  stack = await startStack({ stateDir, port: wanted, databasePrefix, progress: say, signal: abort.signal });
  lock?.note(stack.url);
  const port = Number(new URL(stack.url).port || 80);
  if (wanted !== 0 && port !== wanted) say(`Port ${wanted} is taken; using ${port}`);
  if (showsPassword && stack.adminPassword !== undefined) say(operatorNote(stack.adminUsername, stack.adminPassword));
  say(firstSteps(stack.url));
  if (stack.mailDir !== undefined) say(mailNote(stack.mailDir));
}

function portFromEnvironment(): number {
  const text = process.env.PORT ?? '';
  if (text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new Error(`PORT is ${JSON.stringify(text)}: a whole number from 0 to 65535 is needed`);
}

/** Each service's log as it grows: for people on a terminal, as it is otherwise. */
function showLogs(logsDir: string): () => void {
  const pretty = prettyFactory({
    colorize: true,
    ignore: 'pid,hostname,service,instance',
    messageFormat: '{service}: {msg}',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  const show = process.stdout.isTTY ? (line: string) => process.stdout.write(readable(pretty, line)) : say;
  const followers = SERVICES.map((service) => follow(path.join(logsDir, `${service}.log`), show));
  return () => {
    for (const stop of followers) stop();
  };
}

function readable(pretty: (line: string) => string, line: string): string {
  return line.startsWith('{') ? pretty(line) : `${line}\n`;
}

function endAtOnce(): never {
  for (const [name, pids] of Object.entries(stack?.pids() ?? {})) {
    if (pids.length > 0) stack?.kill(name, 'SIGKILL');
  }
  end(1);
}

function end(code: number): never {
  lock?.release();
  process.exit(code);
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
