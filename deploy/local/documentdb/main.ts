// MongoDB's wire protocol on a port of 127.0.0.1, in front of a PostgreSQL with the DocumentDB extension:
//   node main.ts --port 27017 --socket-dir /run/coffer [--host 127.0.0.1] [--pool 16]
import { parseArgs } from 'node:util';
import { Pool } from './pool.ts';
import { documentServer } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    'socket-dir': { type: 'string' },
    pool: { type: 'string', default: '16' },
  },
});
const port = Number(values.port);
const size = Number(values.pool);
if (!Number.isInteger(port) || values['socket-dir'] === undefined || !Number.isInteger(size) || size < 1) {
  console.error('usage: node main.ts --port PORT --socket-dir DIR [--host 127.0.0.1] [--pool 16]');
  process.exit(2);
}

const pool = new Pool({
  socketPath: `${values['socket-dir']}/.s.PGSQL.5432`,
  user: 'coffer',
  database: 'postgres',
  size,
});
const documents = documentServer({ pool, host: values.host, port, log: (line) => console.error(line) });
documents.server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});

const stop = () => {
  documents.close();
  process.exit(0);
};
process.on('SIGTERM', stop).on('SIGINT', stop);
