import path from 'node:path';
import type { Engines } from './engines/index.ts';
import type { Secrets } from './secrets.ts';

/** What the gateway calls: started before it, and stopped after it. */
export const BACKEND = ['blob', 'metadata', 'auth', 'payment'] as const;
export const GATEWAY = 'gateway';
/** Started after the gateway, whose address stands in the mails that it writes. */
export const WORKER = 'worker';
export const SERVICES = [...BACKEND, GATEWAY, WORKER] as const;

const repository = path.resolve(import.meta.dirname, '../..');

export const entryOf = (service: string): string => path.join(repository, 'services', service, 'src', 'main.ts');

export interface Surroundings {
  readonly stateDir: string;
  readonly engines: Engines;
  readonly secrets: Secrets;
  readonly databasePrefix: string;
  /** What the caller sets for all services; wins over the inherited environment. */
  readonly extra: Readonly<Record<string, string>>;
  readonly admin: { readonly username: string; readonly password?: string };
}

/** Where the worker writes mails while no `SMTP_URL` is set. */
export const mailDirOf = ({ stateDir, extra }: Pick<Surroundings, 'stateDir' | 'extra'>): string =>
  path.resolve(extra.MAIL_DIR ?? process.env.MAIL_DIR ?? path.join(stateDir, 'mail'));

/** Set here for each service of the stack, whatever the launcher's own environment says. */
export function serviceEnvironment(service: string, around: Surroundings): NodeJS.ProcessEnv {
  const { stateDir, engines, secrets, databasePrefix, extra, admin } = around;
  const { password } = admin;
  const prefix = databasePrefix === '' ? {} : { NATS_PREFIX: databasePrefix, REDIS_PREFIX: databasePrefix };
  const own: Record<string, Record<string, string>> = {
    blob: {
      BLOB_DIR: extra.BLOB_DIR ?? process.env.BLOB_DIR ?? path.join(stateDir, 'blobs'),
    },
    metadata: { MONGODB_DATABASE: `${databasePrefix}metadata` },
    payment: { MONGODB_DATABASE: `${databasePrefix}payment` },
    auth: {
      MONGODB_DATABASE: `${databasePrefix}auth`,
      KEY_ENCRYPTION_KEY: secrets.keyEncryptionKey,
      ...(password === undefined ? {} : { ADMIN_USERNAME: admin.username, ADMIN_PASSWORD: password }),
    },
    [WORKER]: { MAIL_DIR: mailDirOf(around) },
  };
  return {
    // Compiled and type-stripped modules are kept for the next start; where the folder cannot be written, they are not.
    NODE_COMPILE_CACHE: path.join(repository, 'node_modules', '.cache', 'compiled'),
    // One machine, for trying out: payments go to the sandbox where no provider is named.
    COFFER_ENV: 'development',
    ...inherited(),
    ...extra,
    MONGODB_URL: engines.mongodbUrl,
    NATS_URL: engines.natsUrl,
    REDIS_URL: engines.redisUrl,
    INTERNAL_SECRET: secrets.internalSecret,
    SERVICE_HOST: '127.0.0.1',
    SERVICE_PORT: '0',
    LOG_PRETTY: 'false',
    ...prefix,
    ...own[service],
  };
}

/** The launcher's own environment, without what npm and the test runner put there for themselves. */
function inherited(): NodeJS.ProcessEnv {
  const noise = /^(?:npm_|TAP|_TAPJS|NODE_OPTIONS$|NODE_CHANNEL|ADMIN_PASSWORD$|PORT$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !noise.test(name)));
}
