import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

const perMinute = (what: string, byDefault: number) =>
  Type.Integer({ minimum: 1, default: byDefault, description: `Requests a minute ${what}, per gateway instance` });

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  HOST: Type.String({ default: '127.0.0.1', description: 'Address of the public listener' }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'Port of the public listener; 0 takes a free one',
  }),
  TRUST_PROXY: Type.String({
    default: '',
    description: 'Proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas',
  }),
  CORS_ORIGINS: Type.String({
    default: '',
    description: 'Origins whose pages may call the API, separated by commas; * for all; empty for none',
  }),
  RATE_LIMITS: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'Whether requests are counted and limited',
  }),
  RATE_LIMIT_PER_ACCOUNT: perMinute('of one account', 12_000),
  RATE_LIMIT_PER_ADDRESS: perMinute('from one address', 12_000),
  RATE_LIMIT_NEW_ACCOUNTS: perMinute('from one address that make accounts', 30),
  BODY_IDLE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3600,
    default: 30,
    description: 'A request whose body brings no byte for so long is ended',
  }),
  BLOB_CACHE_BYTES: Type.Integer({
    minimum: 0,
    maximum: 1_073_741_824,
    default: 33_554_432,
    description: 'Memory for small stored bytes that were read lately; 0 keeps none',
  }),
});
export type Config = Static<typeof ConfigSchema>;
export const readConfig = (): Readonly<Config> => loadConfig(ConfigSchema, process.env);

export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
