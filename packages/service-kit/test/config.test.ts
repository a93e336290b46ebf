import { spawnSync } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import Type from 'typebox';
import { BaseConfig, ConfigError, parseConfig } from '../src/index.ts';

const Schema = Type.Object({
  ...BaseConfig.properties,
  LIMIT: Type.Integer({ minimum: 1, default: 5 }),
  SWITCH: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on' }),
  KEY: Type.Optional(Type.String({ minLength: 10, secret: true })),
  RATIO: Type.Optional(Type.Number()),
});
const secret = 's'.repeat(32);

t.test('strings become what the schema says, defaults fill the rest, and the result is frozen', (t) => {
  const config = parseConfig(Schema, {
    INTERNAL_SECRET: secret,
    LIMIT: '7',
    LOG_PRETTY: 'true',
    RATIO: '0.5',
    OTHER: 'x',
  });
  t.match(config, { LIMIT: 7, LOG_PRETTY: true, RATIO: 0.5, SWITCH: 'on', SERVICE_HOST: '127.0.0.1', SERVICE_PORT: 0 });
  t.notOk('OTHER' in config, 'only the names of the schema are read');
  t.throws(() => Object.assign(config, { LIMIT: 1 }));
  t.end();
});

t.test('an empty string is an unset value', (t) => {
  t.equal(parseConfig(Schema, { INTERNAL_SECRET: secret, LIMIT: '' }).LIMIT, 5);
  t.throws(() => parseConfig(Schema, { INTERNAL_SECRET: '' }), /INTERNAL_SECRET is required/);
  t.end();
});

t.test('every bad value is reported at once, with its rule and without secrets', (t) => {
  const bad = {
    LIMIT: 'many',
    SWITCH: 'maybe',
    KEY: 'hush',
    NATS_PREFIX: 'a.b',
    SERVICE_PORT: '70000',
    LOG_PRETTY: 'yes',
  };
  let error: unknown;
  try {
    parseConfig(Schema, bad);
  } catch (e) {
    error = e;
  }
  t.type(error, ConfigError);
  if (!(error instanceof ConfigError)) return t.end();
  t.same(error.problems.map((p) => p.name).sort(), [...Object.keys(bad), 'INTERNAL_SECRET'].sort());
  t.match(error.message, /SWITCH must be one of on, off, not "maybe"/);
  t.match(error.message, /INTERNAL_SECRET is required/);
  t.match(error.message, /SERVICE_PORT must be <= 65535/);
  t.notMatch(error.message, /hush/);
  return t.end();
});

t.test('a start with a bad configuration prints the list and exits 1', (t) => {
  const script = `import { BaseConfig, loadConfig } from './src/index.ts';
    loadConfig(BaseConfig, { SERVICE_PORT: 'x', LOG_LEVEL: 'loud' }); console.log('started');`;
  const cwd = path.resolve(import.meta.dirname, '..');
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });
  t.equal(status, 1);
  t.match(
    stderr,
    /SERVICE_PORT must be integer[\s\S]*INTERNAL_SECRET is required|INTERNAL_SECRET is required[\s\S]*SERVICE_PORT/,
  );
  t.match(stderr, /LOG_LEVEL must be one of/);
  t.notMatch(stdout, /started/);
  t.end();
});
