import { realpathSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Backend, ConnectionLost, type Row } from '../documentdb/backend.ts';
import { unprivileged } from './places.ts';
import { gone, processesIn } from './processes.ts';
import type { EnginePart } from './types.ts';

/**
 * PostgreSQL's settings for the engine. What they leave alone keeps writes durable: fsync, full_page_writes and synchronous_commit are on.
 */
function settings(socketDir: string, hasExtensions: boolean): string {
  const values: Record<string, string | number> = {
    listen_addresses: '',
    unix_socket_directories: socketDir,
    unix_socket_permissions: '0700',
    max_connections: 100,
    max_worker_processes: 32,
    max_parallel_workers_per_gather: 0,
    shared_buffers: '192MB',
    wal_buffers: '16MB',
    max_wal_size: '1GB',
    checkpoint_timeout: '15min',
    // Under many writers a commit waits half a millisecond for company: fewer, larger syncs (measured: a tenth more writes per second).
    commit_delay: 500,
    random_page_cost: 1.1,
    jit: 'off',
    io_method: 'sync',
    update_process_title: 'off',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    log_min_error_statement: 'panic',
    // Racing inserts of one unique key wait for each other in a ring, and each needs this long to find that out (measured: 50 racers
    // take 0.3 s with 3 ms, 0.6 s with 10 ms, and most of a minute with the usual second; with 1 ms, waits for a busy document suffer).
    deadlock_timeout: '3ms',
    shared_preload_libraries: 'pg_cron,pg_documentdb_core,pg_documentdb,pg_documentdb_extended_rum',
    'cron.database_name': 'postgres',
    // Else it connects to localhost, where nobody listens.
    'cron.use_background_workers': 'on',
    'cron.log_run': 'off',
    'cron.log_statement': 'off',
    // The engine calls itself.
    'documentdb.localhost_connection_string': `host=${socketDir} user=coffer`,
    // Without it, a cursor over sorted results holds a connection until it ends.
    'documentdb.useFileBasedPersistedCursors': 'on',
    'documentdb.defaultCursorExpiryTimeLimitSeconds': 600,
  };
  // Without it, sorted pages do not come from the index. It can be named only when the extension is there.
  if (hasExtensions) values['documentdb.alternate_index_handler_name'] = 'extended_rum';
  return Object.entries(values)
    .map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`)
    .join('');
}

/** PostgreSQL on a data folder. `hasExtensions` is false only while they are being made. */
export function postgresPart(bin: string, dataDir: string, socketDir: string, hasExtensions = true): EnginePart {
  return {
    title: 'PostgreSQL',
    command: path.join(bin, 'postgres'),
    args: ['-D', dataDir],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...unprivileged,
    // A fast shutdown: connections end, what was committed is written.
    stopSignal: 'SIGINT',
    prepare: async () => {
      await clearLeftovers(dataDir);
      await writeFile(path.join(dataDir, 'postgresql.conf'), settings(socketDir, hasExtensions), { mode: 0o644 });
    },
    ready: () => answers(socketDir),
    started: () => (hasExtensions ? updateExtensions(socketDir) : Promise.resolve()),
  };
}

/** Runs statements one after another on a connection of their own; gives the last one's first row. */
export async function sql(socketDir: string, ...texts: string[]): Promise<Row | undefined> {
  const backend = await Backend.open(`${socketDir}/.s.PGSQL.5432`, 'coffer', 'postgres');
  try {
    let row: Row | undefined;
    for (const text of texts) row = await backend.run({ name: '', text }, []);
    return row;
  } finally {
    backend.close();
  }
}

/** Data that was made with an older version of the extensions. */
async function updateExtensions(socketDir: string): Promise<void> {
  const outdated = `select e.extname::text from pg_extension e join pg_available_extensions a on a.name = e.extname
    where e.extversion <> a.default_version and e.extname like 'documentdb%' order by length(e.extname) limit 1`;
  for (let row = await sql(socketDir, outdated); row?.[0]; row = await sql(socketDir, outdated)) {
    await sql(socketDir, `alter extension ${row[0]} update`);
  }
}

/**
 * After a hard kill, PostgreSQL's other processes live on for a moment and hold its shared memory, and its pid file names a process that
 * may be another program by now: both would keep it from starting.
 */
async function clearLeftovers(dataDir: string): Promise<void> {
  const leftovers = () => processesIn(realpathSync(dataDir), 'postgres');
  for (const pid of leftovers()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
  if (!(await gone(() => leftovers().length > 0, 5_000)))
    throw new Error(`an older PostgreSQL still runs in ${dataDir}`);
  await rm(path.join(dataDir, 'postmaster.pid'), { force: true });
}

async function answers(socketDir: string): Promise<boolean> {
  try {
    await sql(socketDir, 'select 1');
    return true;
  } catch (error) {
    if (error instanceof ConnectionLost) return false;
    throw error;
  }
}
