export type EngineName = 'mongodb' | 'nats' | 'redis';

export const engineNames: readonly EngineName[] = ['mongodb', 'nats', 'redis'];

/** One engine that this launcher owns. An engine that was found through its URL has none. */
export interface EngineProcess {
  name: EngineName;
  /** The processes that make up the engine now; empty while it is being restarted. */
  pids(): number[];
  /** Signals the whole engine. Unless it is being stopped, it comes back on the same port with the same data. */
  kill(signal: NodeJS.Signals): void;
}

export interface Engines {
  mongodbUrl: string;
  natsUrl: string;
  redisUrl: string;
  processes: EngineProcess[];
  /** Stops what this launcher started, waits for the end of every process, and may be called twice. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** Data goes to `<stateDir>/<engine>`, logs to `<stateDir>/logs/<engine>.log`. */
  stateDir: string;
  /** The engines that are wanted; all by default. The URLs of the others are taken from the environment, or are ''. */
  only?: EngineName[];
  /** Gets one line for people per step. */
  progress?: (line: string) => void;
  /** Where MONGODB_URL, NATS_URL, REDIS_URL, PATH and XDG_CACHE_HOME are looked up; process.env by default. */
  env?: NodeJS.ProcessEnv;
}

/** What an engine's provider works with. */
export interface Provision {
  stateDir: string;
  /** The engine's own data folder: exists. */
  dataDir: string;
  logFile: string;
  env: NodeJS.ProcessEnv;
  progress: (line: string) => void;
}

/** A provider's answer: how to start the engine, process by process, in this order. */
export interface EngineRecipe {
  /** Where clients find it, for a port. */
  url(port: number): string;
  parts(port: number): EnginePart[];
  /** Removes what the engine needed only while it ran. */
  cleanUp?(): void;
}

export interface EnginePart {
  title: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Asks the process to end in order, with its data written. */
  stopSignal: NodeJS.Signals;
  /** Runs before each start: removes what a killed predecessor left. */
  prepare?(): Promise<void>;
  /** Whether it serves now. */
  ready(): Promise<boolean>;
  /** Runs once, after the first start, before the next part is started. */
  started?(): Promise<void>;
}
