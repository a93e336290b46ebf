import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  BLOB_DIR: Type.String({ minLength: 1, description: 'Directory that holds the bytes of all files' }),
  BLOB_FREE_FLOOR_BYTES: Type.Integer({
    default: 268_435_456,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Uploads are refused (507) before less than this is free on the disk of BLOB_DIR',
  }),
  SCRUB_PERIOD_DAYS: Type.Number({
    default: 30,
    exclusiveMinimum: 0,
    maximum: 3650,
    description: 'Within this time every stored byte is read again and compared with its digest',
  }),
  SCRUB_MAX_BYTES_PER_SECOND: Type.Integer({
    default: 67_108_864,
    minimum: 1,
    description: 'How fast that reading may become when it is late',
  }),
  UV_THREADPOOL_SIZE: Type.Integer({
    default: 64,
    minimum: 4,
    maximum: 1024,
    description:
      'Threads for file calls; with fewer, syncs of files that are written side by side wait for one another',
  }),
});
export type Config = Readonly<Static<typeof ConfigSchema>>;

/** To be called before the first file call of the process: the pool takes its size when it is first used. */
export function readConfig(): Config {
  const config = loadConfig(ConfigSchema, process.env);
  process.env.UV_THREADPOOL_SIZE = String(config.UV_THREADPOOL_SIZE);
  return config;
}
