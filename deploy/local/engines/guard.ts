import { type ChildProcess, spawn } from 'node:child_process';

// Reads lines of pids (the newest line counts) until the launcher's end of the pipe closes, whatever the reason for that was, and
// then ends the process groups of the last line: first as asked by SIGINT, five seconds later by force.
const script = `
pids=
while read -r line; do pids=$line; done
[ -n "$pids" ] || exit 0
for pid in $pids; do kill -s INT -- "-$pid" 2>/dev/null; done
tries=0
while [ $tries -lt 50 ]; do
  alive=
  for pid in $pids; do kill -s 0 -- "-$pid" 2>/dev/null && alive=1; done
  [ -n "$alive" ] || exit 0
  sleep 0.1
  tries=$((tries + 1))
done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done
`;

/**
 * A small shell that outlives its launcher by a moment: processes in groups of their own (so that a terminal's Ctrl-C does not reach
 * them) would otherwise stay behind when the launcher is killed hard.
 */
export class Guard {
  readonly #pids = new Set<number>();
  #shell: ChildProcess | undefined;
  #closed = false;

  /** From now on this leader of a process group ends with the launcher. */
  add(pid: number): void {
    this.#pids.add(pid);
    this.#tell();
  }

  remove(pid: number): void {
    this.#pids.delete(pid);
    this.#tell();
  }

  /** Ends the guard; processes that are still listed are ended by it. */
  close(): void {
    this.#closed = true;
    this.#shell?.stdin?.end();
  }

  #tell(): void {
    if (this.#closed) return;
    if (this.#shell === undefined) this.#start();
    this.#shell?.stdin?.write(`${[...this.#pids].join(' ')}\n`);
  }

  #start(): void {
    const shell = spawn('/bin/sh', ['-c', script, 'coffer-guard'], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    shell.stdin?.on('error', () => {});
    shell.on('error', () => {});
    shell.on('exit', () => {
      if (this.#shell === shell) this.#shell = undefined;
      if (!this.#closed && this.#pids.size > 0) this.#tell();
    });
    shell.unref();
    this.#shell = shell;
  }
}
