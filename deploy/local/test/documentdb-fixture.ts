import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Db, MongoClient, MongoServerError } from 'mongodb';
import root from 'tap';
import { debianMissing } from '../engines/debian.ts';
import { type Engines, provideEngines } from '../engines/index.ts';

// The first file that runs on a machine fetches the engine.
root.setTimeout(900_000);

/** The reason why these tests cannot run here, or false: what `skip` of a test takes. */
export const skip = debianMissing(process.env) ?? false;

export interface Fixture {
  engines: Engines;
  client: MongoClient;
  db: Db;
  port: number;
  stateDir: string;
}

/** A DocumentDB of its own in a temporary folder, with the official driver connected; stopped and removed after the test. */
export async function documentdb(t: { teardown(action: () => Promise<void>): unknown }): Promise<Fixture> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'coffer-documentdb-'));
  const { MONGODB_URL: _, ...env } = process.env;
  const engines = await provideEngines({ stateDir, only: ['mongodb'], env: { ...env, COFFER_MONGODB: 'documentdb' } });
  const client = new MongoClient(engines.mongodbUrl, { maxPoolSize: 100 });
  t.teardown(async () => {
    await client.close();
    await engines.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });
  return { engines, client, db: client.db('test'), port: Number(new URL(engines.mongodbUrl).port), stateDir };
}

/** The error that an action ends with. Throws when it ends with none, or with one that no server sent. */
export async function refusal(action: Promise<unknown>): Promise<MongoServerError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof MongoServerError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** How many of the promises were kept, and the errors of the others. */
export async function tally(actions: Promise<unknown>[]): Promise<{ kept: number; errors: unknown[] }> {
  const results = await Promise.allSettled(actions);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  return { kept: results.length - errors.length, errors };
}
