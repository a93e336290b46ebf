import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  MONGODB_URL: Type.String({
    default: 'mongodb://127.0.0.1:27017/',
    minLength: 1,
    secret: true,
    description: 'MongoDB, or a server that speaks its protocol; may hold a password',
  }),
  MONGODB_DATABASE: Type.String({
    default: 'metadata',
    pattern: '^[A-Za-z0-9_-]{1,63}$',
    description: 'Database of this service',
  }),
  FREE_LIMIT_BYTES: Type.Integer({
    default: 104_857_600,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Space of a new account, in bytes',
  }),
  MAX_VERSIONS: Type.Integer({
    default: 20,
    minimum: 0,
    maximum: 1_000,
    description: 'How many older versions of a file are kept; the oldest is dropped first',
  }),
});
export type Config = Static<typeof ConfigSchema>;

export const readConfig = (): Readonly<Config> => loadConfig(ConfigSchema, process.env);
