import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  MONGODB_URL: Type.String({
    default: 'mongodb://127.0.0.1:27017/',
    pattern: '^mongodb(\\+srv)?://',
    secret: true,
    description: 'MongoDB, or a server that speaks its protocol',
  }),
  MONGODB_DATABASE: Type.String({
    default: 'auth',
    pattern: '^[A-Za-z0-9_-]{1,63}$',
    description: 'Database of accounts, sessions and keys',
  }),
  REDIS_URL: Type.String({
    default: 'redis://127.0.0.1:6379',
    pattern: '^rediss?://',
    secret: true,
    description: 'Redis, which counts attempts to log in and holds the queues of work for later',
  }),
  REDIS_PREFIX: Type.String({ default: '', description: 'Begins all names in Redis' }),
  KEY_ENCRYPTION_KEY: Type.String({
    pattern: '^[A-Za-z0-9+/]{43}=$',
    secret: true,
    description:
      '32 random bytes in base64; seals API key secrets and signing keys in the database. Losing it loses them',
  }),
  ADMIN_USERNAME: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'User name of the first operator account, made at start if it is not there',
    }),
  ),
  ADMIN_EMAIL: Type.Optional(
    Type.String({
      maxLength: 254,
      description: 'Its e-mail address; <user name>@localhost.localdomain if unset',
    }),
  ),
  ADMIN_PASSWORD: Type.Optional(
    Type.String({
      maxLength: 1024,
      secret: true,
      description: 'Its password, of 8 characters or more. Has no effect on an account that is there',
    }),
  ),
  ACCESS_TOKEN_SECONDS: Type.Integer({
    default: 600,
    minimum: 10,
    maximum: 86_400,
    description: 'Life of an access token; a revocation that a gateway missed takes effect within it',
  }),
  SESSION_DAYS: Type.Integer({
    default: 30,
    minimum: 1,
    maximum: 3_650,
    description: 'A session that is not refreshed for so long ends',
  }),
  LOGIN_ATTEMPTS_PER_ACCOUNT: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Failed attempts to log in to one account within the window',
  }),
  LOGIN_ATTEMPTS_PER_ADDRESS: Type.Integer({
    default: 100,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Failed attempts to log in from one address (IPv6: one /64) within the window',
  }),
  LOGIN_WINDOW_SECONDS: Type.Integer({
    default: 900,
    minimum: 1,
    maximum: 86_400,
    description: 'Length of that window',
  }),
});
export type Config = Static<typeof ConfigSchema>;

export const readConfig = (): Readonly<Config> => loadConfig(ConfigSchema, process.env);
