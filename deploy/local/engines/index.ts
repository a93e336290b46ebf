import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { debianMissing } from './debian.ts';
import { cachedDocumentdb, documentdb, keptDocumentdb } from './documentdb.ts';
import { Guard } from './guard.ts';
import { installedMongod, officialMongod } from './mongodb.ts';
import { debianNats, installedNats } from './nats.ts';
import { Owner } from './owner.ts';
import { freePort } from './processes.ts';
import { debianRedis, installedRedis } from './redis.ts';
import { Supervised } from './supervise.ts';
import {
  type EngineName,
  type EngineOptions,
  type EnginePart,
  type EngineProcess,
  type EngineRecipe,
  type Engines,
  engineNames,
  type Provision,
} from './types.ts';

export type { EngineName, EngineOptions, EngineProcess, Engines } from './types.ts';

const variables: Record<EngineName, string> = { mongodb: 'MONGODB_URL', nats: 'NATS_URL', redis: 'REDIS_URL' };
const programs: Record<EngineName, string> = { mongodb: 'mongod', nats: 'nats-server', redis: 'redis-server' };

/**
 * In this order, after the URL from the environment. Programs that were fetched before go before a look over the network, which takes
 * seconds where nobody answers.
 */
const ways: Record<
  EngineName,
  ((provision: Provision) => EngineRecipe | undefined | Promise<EngineRecipe | undefined>)[]
> = {
  mongodb: [keptDocumentdb, installedMongod, cachedDocumentdb, officialMongod],
  nats: [installedNats],
  redis: [installedRedis],
};
const debianWays: Record<EngineName, (provision: Provision) => Promise<EngineRecipe>> = {
  mongodb: documentdb,
  nats: debianNats,
  redis: debianRedis,
};

type Supervise = (part: EnginePart, logFile: string) => Supervised;

class Running implements EngineProcess {
  readonly name: EngineName;
  readonly url: string;
  readonly parts: Supervised[];
  readonly #recipe: EngineRecipe;

  constructor(name: EngineName, url: string, recipe: EngineRecipe, parts: Supervised[]) {
    this.name = name;
    this.url = url;
    this.#recipe = recipe;
    this.parts = parts;
  }

  pids(): number[] {
    return this.parts.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  kill(signal: NodeJS.Signals): void {
    for (const part of this.parts) part.kill(signal);
  }

  async stop(): Promise<void> {
    // The last one first: a gateway before what it stands in front of.
    for (const part of this.parts.toReversed()) await part.stop();
    this.#recipe.cleanUp?.();
  }
}

/**
 * Finds or provides the engines: by URL from the environment, else the server on the PATH, else (MongoDB) the official mongod, else
 * Debian's packages. Those that it starts listen on free ports of 127.0.0.1, keep their data in the state folder, are started again when
 * they die, and do not outlive this process. COFFER_MONGODB=documentdb in the environment asks for the last of MongoDB's ways. Throws, with what can be done about it, where none of the ways is open.
 */
export async function provideEngines(options: EngineOptions): Promise<Engines> {
  const env = options.env ?? process.env;
  const wanted = options.only ?? [...engineNames];
  const urls: Record<EngineName, string> = {
    mongodb: env.MONGODB_URL ?? '',
    nats: env.NATS_URL ?? '',
    redis: env.REDIS_URL ?? '',
  };
  const missing = wanted.filter((name) => urls[name] === '');
  if (missing.length === 0) return { ...asUrls(urls), processes: [], stop: async () => {} };

  const stateDir = path.resolve(options.stateDir);
  mkdirSync(path.join(stateDir, 'logs'), { recursive: true, mode: 0o711 });
  const owner = new Owner(stateDir);
  await owner.take();
  const guard = new Guard();
  const running: Running[] = [];
  const parts: Supervised[] = [];
  const note = () => owner.note(parts.flatMap(({ pid }) => (pid === undefined ? [] : [pid])));
  const supervise: Supervise = (part, logFile) => {
    const supervised = new Supervised(part, logFile, guard, note);
    parts.push(supervised);
    return supervised;
  };
  const stop = async () => {
    await Promise.all(running.map((engine) => engine.stop()));
    guard.close();
    owner.release();
  };
  try {
    const started = await Promise.allSettled(
      missing.map(async (name) => {
        const engine = await provide(name, stateDir, env, options.progress ?? (() => {}), supervise);
        running.push(engine);
        urls[name] = engine.url;
      }),
    );
    const failed = started.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    await stop();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  return { ...asUrls(urls), processes: running, stop: () => (stopped ??= stop()) };
}

function asUrls({ mongodb, nats, redis }: Record<EngineName, string>) {
  return { mongodbUrl: mongodb, natsUrl: nats, redisUrl: redis };
}

async function provide(
  name: EngineName,
  stateDir: string,
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
  supervise: Supervise,
): Promise<Running> {
  const dataDir = path.join(stateDir, name);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const logFile = path.join(stateDir, 'logs', `${name}.log`);
  const provision: Provision = { stateDir, dataDir, logFile, env, progress: (line) => progress(`${name}: ${line}`) };
  const recipe = await recipeFor(name, provision);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const parts = recipe.parts(port).map((part) => supervise(part, logFile));
    try {
      for (const part of parts) await part.start();
      provision.progress(`ready at ${recipe.url(port)}`);
      return new Running(name, recipe.url(port), recipe, parts);
    } catch (error) {
      for (const part of parts.toReversed()) await part.stop();
      // Another program may have taken the port since it was found free.
      if (tries === 3) throw new Error(`${name}: ${error instanceof Error ? error.message : error}\n(log: ${logFile})`);
    }
  }
}

async function recipeFor(name: EngineName, provision: Provision): Promise<EngineRecipe> {
  if (name === 'mongodb' && provision.env.COFFER_MONGODB === 'documentdb') return documentdb(provision);
  for (const way of ways[name]) {
    const recipe = await way(provision);
    if (recipe !== undefined) return recipe;
  }
  const unfit = debianMissing(provision.env);
  if (unfit === undefined) {
    try {
      return await debianWays[name](provision);
    } catch (error) {
      throw new Error(advice(name, error instanceof Error ? error.message : String(error)));
    }
  }
  throw new Error(advice(name, unfit));
}

/** What to do where an engine cannot be had. */
function advice(name: EngineName, reason: string): string {
  const install: Partial<Record<NodeJS.Platform, string>> = {
    darwin: {
      mongodb: 'brew tap mongodb/brew && brew install mongodb-community',
      nats: 'brew install nats-server',
      redis: 'brew install redis',
    }[name],
    win32: 'use WSL 2 with Debian, or Docker',
  };
  const docker = {
    mongodb: '27017:27017 mongo:8',
    nats: '4222:4222 nats:2 -js',
    redis: '6379:6379 redis:8 --appendonly yes',
  }[name];
  const url = { mongodb: 'mongodb://127.0.0.1:27017', nats: 'nats://127.0.0.1:4222', redis: 'redis://127.0.0.1:6379' }[
    name
  ];
  return [
    `${programs[name]} is not on the PATH, ${variables[name]} is not set, and Debian's packages are of no help: ${reason}`,
    'Any of these provides it:',
    `  - install it, so that \`${programs[name]}\` is on the PATH${install[process.platform] ? `: ${install[process.platform]}` : ''}`,
    `  - name a running server: ${variables[name]}=${url}`,
    `  - with Docker: docker run -d -p ${docker}, and then ${variables[name]}=${url}; or the whole of it: docker compose up`,
  ].join('\n');
}
