import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gone, identityOf, signalGroup } from './processes.ts';

interface Known {
  pid: number;
  identity: string | undefined;
}

/** Time for a guard to end what a killed launcher left, and some more. */
const leftoverMs = 8_000;

/**
 * Notes in `engines.json` who runs engines on a state folder, and which processes: two engines on the same data would destroy it.
 */
export class Owner {
  readonly #file: string;

  constructor(stateDir: string) {
    this.#file = path.join(stateDir, 'engines.json');
  }

  /** Takes the folder. Throws when a living launcher has it; waits for the engines of a dead one to end, and forces them after a while. */
  async take(): Promise<void> {
    const { launcher, engines } = this.#read();
    if (launcher !== undefined && isAlive(launcher))
      throw new Error(`the process ${launcher.pid} already runs engines in ${path.dirname(this.#file)}`);
    const living = () => engines.filter(isAlive);
    if (!(await gone(() => living().length > 0, leftoverMs))) {
      for (const { pid } of living()) signalGroup(pid, 'SIGKILL');
      await gone(() => living().length > 0, leftoverMs);
    }
    this.note([]);
  }

  note(pids: number[]): void {
    const known = (pid: number): Known => ({ pid, identity: identityOf(pid) });
    const text = JSON.stringify({ launcher: known(process.pid), engines: pids.map(known) });
    // Never half a file: whoever could not read it would take the folder for free.
    writeFileSync(`${this.#file}.new`, text, { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  #read(): { launcher?: Known; engines: Known[] } {
    try {
      const { launcher, engines } = JSON.parse(readFileSync(this.#file, 'utf8'));
      return { launcher, engines: Array.isArray(engines) ? engines : [] };
    } catch {
      return { engines: [] };
    }
  }
}

function isAlive({ pid, identity }: Known): boolean {
  return identity !== undefined && identityOf(pid) === identity;
}
