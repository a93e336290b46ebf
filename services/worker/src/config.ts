import { BaseConfig, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  REDIS_URL: Type.String({
    default: 'redis://127.0.0.1:6379',
    pattern: '^rediss?://',
    secret: true,
    description: 'Redis, which counts attempts to log in and holds the queues of work for later',
  }),
  REDIS_PREFIX: Type.String({ default: '', description: 'Begins all names in Redis' }),
  PUBLIC_URL: Type.String({
    default: 'http://127.0.0.1:8080',
    pattern: '^https?://[^\\s/?#]+(?:/[^\\s?#]*)?$',
    description: 'Where people reach the gateway: links in mails begin with it',
  }),
  SMTP_URL: Type.Optional(
    Type.String({
      pattern: '^smtps?://[^\\s/]+',
      secret: true,
      description:
        'Mail server: smtp://user:password@host:port, or smtps:// for TLS from the first byte; ?requireTLS=true refuses to go on without STARTTLS. Unset: mails are written to MAIL_DIR',
    }),
  ),
  MAIL_FROM: Type.String({
    default: 'Coffer <coffer@localhost.localdomain>',
    pattern: '^(?:[^<>@"\\r\\n]*<[^\\s<>@]+@[^\\s<>@]+>|[^\\s<>@]+@[^\\s<>@]+)$',
    description: 'Sender of mails: an address, or a name with the address in <>',
  }),
  MAIL_DIR: Type.String({
    default: 'mail',
    minLength: 1,
    description: 'Folder that gets mails as .eml files while SMTP_URL is unset',
  }),
  MAIL_CONCURRENCY: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 100,
    description: 'Mails that one worker instance sends at a time, each over a connection of its own',
  }),
  PAYMENTS_EVERY_SECONDS: Type.Integer({
    default: 30,
    minimum: 1,
    maximum: 3600,
    description:
      'How often payments are reconciled: how long a payment whose message was lost, and the end of a period, may wait at most. The same for all workers',
  }),
  LEDGER_EVERY_SECONDS: Type.Integer({
    default: 86_400,
    minimum: 1,
    maximum: 604_800,
    description: 'How often the sums of the ledger of payments are checked. The same for all workers',
  }),
});
export type Config = Static<typeof ConfigSchema>;

export const readConfig = (): Readonly<Config> => loadConfig(ConfigSchema, process.env);
