import type { Door } from '@coffer/contracts';
import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

/** In the order of their documents. */
const DOORS: readonly Door[] = ['cloudrest', 'images', 'vertex', 'cloudbox', 'minobject'];
export const DIALECTS_PATTERN = `^(?:none|(?:${DOORS.join('|')})(?:,(?:${DOORS.join('|')}))*)$`;

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
  DIALECTS: Type.String({
    default: DOORS.join(','),
    pattern: DIALECTS_PATTERN,
    description: 'The older APIs that are spoken, separated by commas; none for none',
  }),
  PUBLIC_URL: Type.String({
    default: '',
    pattern: '^(?:https?://[^\\s/?#]+)?$',
    description: 'How clients reach this service, for links in answers; the host of each request if empty',
  }),
  DIALECT_UPLOAD_MAX_BYTES: Type.Integer({
    minimum: 1,
    default: 5 * 1024 ** 3,
    description: 'What a form may bring to one of the older APIs before it says from whom it comes',
  }),
  IMAGES_MAX_BYTES: Type.Integer({
    minimum: 1,
    maximum: 536_870_912,
    default: 33_554_432,
    description: 'Size of a picture that comes as base64 in JSON, once decoded',
  }),
  CLOUDREST_S3_ENDPOINT: Type.String({
    default: '',
    pattern: '^(?:https?://[^\\s?#]+)?$',
    description: 'An S3 server that proves the key pairs brought to cloudrest; empty: they are taken unproved',
  }),
  CLOUDREST_S3_REGION: Type.String({
    default: 'us-east-1',
    pattern: '^[a-z0-9-]{1,64}$',
    description: 'Its region, as signatures name it',
  }),
  CLOUDREST_ADMIN_KEY_ID: Type.String({
    default: '',
    maxLength: 128,
    description: "The operator's own key pair, proved when an operator signs in to cloudrest",
  }),
  CLOUDREST_ADMIN_SECRET_KEY: Type.String({ default: '', maxLength: 256, secret: true, description: 'Its secret' }),
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
