import { Ajv, type ErrorObject } from 'ajv';
import Type, { type Static, type TObject } from 'typebox';
import { fieldError } from './errors.ts';

/** What every service is configured with. `secret: true` keeps a value out of messages. */
export const BaseConfig = Type.Object({
  SERVICE_HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address of the internal listener' }),
  SERVICE_PORT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description: 'Port of the internal listener; 0 takes a free one',
  }),
  ADVERTISE_HOST: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Host under which other services reach this one; SERVICE_HOST if unset, or the host name where that is 0.0.0.0',
    }),
  ),
  NATS_URL: Type.String({
    default: 'nats://127.0.0.1:4222',
    minLength: 1,
    description: 'NATS servers, separated by commas',
  }),
  NATS_USER: Type.Optional(Type.String({ description: 'User at NATS' })),
  NATS_PASSWORD: Type.Optional(Type.String({ secret: true, description: 'Password at NATS' })),
  NATS_PREFIX: Type.String({
    default: '',
    pattern: '^[A-Za-z0-9_-]{0,64}$',
    description:
      'Begins the names of the stream, subjects and services, so that several installations can share one NATS',
  }),
  EVENTS_MAX_BYTES: Type.Integer({
    default: 268_435_456,
    minimum: 1_048_576,
    maximum: Number.MAX_SAFE_INTEGER,
    description:
      'Space for the stream of events, which NATS sets aside when it is made; the oldest events go when it is full',
  }),
  INTERNAL_SECRET: Type.String({
    minLength: 32,
    secret: true,
    description: 'Shared by all services; whoever does not present it is refused',
  }),
  LOG_LEVEL: Type.Union(
    (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).map((level) => Type.Literal(level)),
    { default: 'info', description: 'Least level that is logged' },
  ),
  LOG_PRETTY: Type.Boolean({ default: false, description: 'Logs for people instead of JSON' }),
  COFFER_ENV: Type.Union([Type.Literal('development'), Type.Literal('production')], {
    default: 'production',
    description: 'What this installation is for',
  }),
});
export type BaseConfig = Static<typeof BaseConfig>;

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigProblem {
  name: string;
  message: string;
}

/** Every bad value at once. The message holds no secret. */
export class ConfigError extends Error {
  readonly problems: ConfigProblem[];

  constructor(problems: ConfigProblem[]) {
    super(`The configuration is not valid:\n${problems.map((p) => `  ${p.name} ${p.message}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the schema's names from an environment: strings become numbers and booleans as the schema says, defaults are
 * applied, an empty string counts as unset (compose files pass those). Throws ConfigError with every bad value.
 */
export function parseConfig<T extends TObject>(schema: T, env: Environment): Readonly<Static<T>> {
  const names = Object.keys(schema.properties);
  const values: Record<string, unknown> = {};
  for (const name of names) if (env[name] !== undefined && env[name] !== '') values[name] = env[name];
  const validate = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false }).compile<Static<T>>(
    schema,
  );
  if (validate(values)) return Object.freeze(values);
  const problems = new Map<string, ConfigProblem>();
  for (const error of validate.errors ?? []) {
    const name = (error.instancePath || fieldError(error).path).split('/')[1] ?? '';
    // The union's own error names all choices; those of its branches name one each.
    if (problems.has(name) && error.keyword !== 'anyOf') continue;
    problems.set(name, { name, message: rule(error, schema, name) + given(env[name], schema, name) });
  }
  throw new ConfigError([...problems.values()]);
}

/** parseConfig for a service's start: prints every bad value with its rule on stderr and ends the process with code 1. */
export function loadConfig<T extends TObject>(schema: T, env: Environment): Readonly<Static<T>> {
  try {
    return parseConfig(schema, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

function propertyOf(schema: TObject, name: string): Record<string, unknown> {
  return { ...schema.properties[name] };
}

function rule(error: ErrorObject, schema: TObject, name: string): string {
  const { anyOf } = propertyOf(schema, name);
  if (error.keyword !== 'required' && Array.isArray(anyOf)) {
    return `must be one of ${anyOf.map((one: { const?: unknown }) => String(one.const)).join(', ')}`;
  }
  return fieldError(error).message;
}

function given(value: string | undefined, schema: TObject, name: string): string {
  if (value === undefined || value === '') return '';
  return propertyOf(schema, name).secret === true ? ' (the value is not shown)' : `, not ${JSON.stringify(value)}`;
}
