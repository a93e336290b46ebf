import type { ProviderName } from '@coffer/contracts';
import { BaseConfig, ConfigError, loadConfig } from '@coffer/service-kit';
import Type, { type Static } from 'typebox';
import { readPlans } from './domain/plans.ts';

export const ConfigSchema = Type.Object({
  ...BaseConfig.properties,
  MONGODB_URL: Type.String({
    default: 'mongodb://127.0.0.1:27017/',
    pattern: '^mongodb(\\+srv)?://',
    secret: true,
    description: 'MongoDB, or a server that speaks its protocol',
  }),
  MONGODB_DATABASE: Type.String({
    default: 'payment',
    pattern: '^[A-Za-z0-9_-]{1,63}$',
    description: 'Database of payments, subscriptions and the ledger',
  }),
  FREE_LIMIT_BYTES: Type.Integer({
    default: 104_857_600,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Space of a new account, in bytes',
  }),
  PLANS: Type.Optional(
    Type.String({
      description:
        'The plans, as a JSON list of {"id", "name", "limitBytes", "price": {"amountMinor", "currency"} or null, "periodDays"}; exactly one has the price null. Amounts in minor units (kobo, cents). If unset: free (FREE_LIMIT_BYTES), basic (1 GiB), standard (5 GiB) and premium (10 GiB)',
    }),
  ),
  PAYMENT_PROVIDER: Type.Optional(
    Type.Union([Type.Literal('paystack'), Type.Literal('sandbox'), Type.Literal('off')], {
      description:
        'Who takes the money: paystack, sandbox (nobody: for trying out) or off. If unset: paystack where PAYSTACK_SECRET_KEY is set; else sandbox, but off in production',
    }),
  ),
  PAYSTACK_SECRET_KEY: Type.Optional(
    Type.String({
      minLength: 1,
      secret: true,
      description: 'Secret key of the Paystack account, sk_live_… or sk_test_…',
    }),
  ),
  PAYSTACK_URL: Type.String({
    default: 'https://api.paystack.co',
    pattern: '^https?://',
    description: "Paystack's API",
  }),
  PAYSTACK_MAIL_DOMAIN: Type.String({
    // Reserved, so that nothing arrives anywhere (RFC 2606); but below a real top-level domain, or it would not pass for an address.
    default: 'payer.example.com',
    pattern: '^[A-Za-z0-9.-]{1,200}$',
    description: 'Paystack wants an e-mail address of everyone; who has none gets one at this domain',
  }),
  CHECKOUT_HOURS: Type.Integer({
    default: 24,
    minimum: 1,
    maximum: 720,
    description: 'A checkout that is not paid within this time is given up; a payment that comes later still counts',
  }),
});
export type Config = Static<typeof ConfigSchema>;

/** Who takes new payments; null: nobody. Throws ConfigError where the provider's key is missing. */
export function chooseProvider({ PAYMENT_PROVIDER, PAYSTACK_SECRET_KEY, COFFER_ENV }: Config): ProviderName | null {
  if (PAYMENT_PROVIDER === 'off') return null;
  if (PAYMENT_PROVIDER === 'paystack' && PAYSTACK_SECRET_KEY === undefined) {
    throw new ConfigError([{ name: 'PAYSTACK_SECRET_KEY', message: 'is needed where PAYMENT_PROVIDER is paystack' }]);
  }
  if (PAYMENT_PROVIDER !== undefined) return PAYMENT_PROVIDER;
  if (PAYSTACK_SECRET_KEY !== undefined) return 'paystack';
  return COFFER_ENV === 'production' ? null : 'sandbox';
}

/** The configuration, whole; every rule that the schema cannot say is checked here too, so that a start fails at once. */
export function readConfig(): Readonly<Config> {
  const config = loadConfig(ConfigSchema, process.env);
  try {
    readPlans(config.PLANS, config.FREE_LIMIT_BYTES);
    chooseProvider(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
  return config;
}
