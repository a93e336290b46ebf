import { randomBytes } from 'node:crypto';
import {
  type EventEnvelope,
  events,
  type Payment,
  type PlanLimit,
  type Principal,
  paymentContract,
} from '@coffer/contracts';
import {
  type CallInput,
  type Client,
  createClient,
  createTestContext,
  isAppError,
  listen,
  newId,
  parseConfig,
  type ServiceContext,
} from '@coffer/service-kit';
import { type Built, buildApp } from '../src/app.ts';
import { ConfigSchema } from '../src/config.ts';
import { signatureOf } from '../src/providers/hmac.ts';
import { webhookKeyOf } from '../src/providers/sandbox/provider.ts';

interface Teardown {
  teardown(fn: () => Promise<void> | void): void;
}

const secret = 'a secret that all the services of a test share';

type Endpoints = (typeof paymentContract)['endpoints'];
type EndpointName = keyof Endpoints & string;

export interface Service extends Built {
  ctx: ServiceContext;
  url: string;
  client: Client<typeof paymentContract>;
  /** What it logged at level error. */
  errors: { msg: string }[];
  stop(): Promise<void>;
}

/** A time that stands still, and is set. The same for all services that are given it. */
export class Clock {
  #offsetMs = 0;
  readonly now = (): Date => new Date(Date.now() + this.#offsetMs);
  passDays(days: number): void {
    this.#offsetMs += days * 86_400_000;
  }
}

export interface Bench {
  env: Record<string, string>;
  clock: Clock;
  /** Limits that were told, by account, as whoever keeps the usage takes them: the highest number counts. */
  limits: Map<string, PlanLimit>;
  heard: EventEnvelope[];
  start(env?: Record<string, string>): Promise<Service>;
}

/** A database and a bus prefix of its own on the running engines, and a place to start instances on them; all ended with the test. */
export async function bench(t: Teardown): Promise<Bench> {
  const { MONGODB_URL, NATS_URL } = process.env;
  if (!MONGODB_URL || !NATS_URL) throw new Error('MONGODB_URL and NATS_URL are needed; `npm test` provides them');
  const name = `paytest-${process.pid}-${randomBytes(4).toString('hex')}`;
  const env = {
    MONGODB_URL,
    NATS_URL,
    MONGODB_DATABASE: name,
    NATS_PREFIX: `${name}-`,
    COFFER_ENV: 'development',
    INTERNAL_SECRET: secret,
  };
  const clock = new Clock();
  const services: Service[] = [];
  const listener = createTestContext('listener', env);
  const heard: EventEnvelope[] = [];
  const limits = new Map<string, PlanLimit>();
  listener.bus.subscribe('payment.>', (event) => {
    heard.push(event);
    if (event.type !== events.limitChanged.type) return;
    const limit = event.data as PlanLimit;
    if (limit.seq > (limits.get(limit.accountId)?.seq ?? 0)) limits.set(limit.accountId, limit);
  });
  await until('the bus is there', async () => listener.bus.connected());
  t.teardown(async () => {
    const last = services.at(-1);
    for (const service of services.slice(0, -1)) await service.stop();
    await last?.mongo.db.dropDatabase().catch(() => undefined);
    await last?.stop();
    await listener.shutdown.run('test');
  });
  return {
    env,
    clock,
    limits,
    heard,
    start: async (more = {}) => {
      const errors: Service['errors'] = [];
      const ctx = createTestContext(
        'payment',
        { ...env, ...more },
        {
          level: 'error',
          log: { write: (line) => errors.push(JSON.parse(line)) },
        },
      );
      const built = buildApp(ctx, parseConfig(ConfigSchema, { ...env, ...more }), { now: clock.now });
      const { url } = await listen(built.app, ctx);
      await until('it is prepared', async () => built.isPrepared());
      const client = createClient(ctx, paymentContract, { address: url });
      const service: Service = { ...built, ctx, url, client, errors, stop: () => ctx.shutdown.run('test') };
      services.push(service);
      return service;
    },
  };
}

export const operator: Principal = { accountId: newId(), role: 'operator', readOnly: false };
export const publicUrl = 'http://coffer.example';

/** Calls as one account, to each service in turn. */
export class Buyer {
  readonly principal: Principal;
  readonly #services: readonly Service[];
  #turn = 0;

  constructor(services: Service | readonly Service[], principal: Partial<Principal> = {}) {
    this.#services = Array.isArray(services) ? services : [services as Service];
    this.principal = { accountId: newId(), role: 'user', readOnly: false, ...principal };
  }

  get id(): string {
    return this.principal.accountId;
  }

  call<N extends EndpointName>(name: N, input: CallInput<Endpoints[N]>, principal: Principal | null = this.principal) {
    this.#turn = (this.#turn + 1) % this.#services.length;
    const service = this.#services[this.#turn];
    if (service === undefined) throw new Error('no service');
    return service.client.call(name, input, { ...(principal ? { principal } : {}), timeoutMs: 60_000 });
  }

  async checkout(planId: string, key?: string, fingerprint = 'f'): Promise<Payment> {
    const idempotency = key === undefined ? {} : { idempotency: { key, fingerprint } };
    return await this.call('createCheckout', { body: { planId, publicUrl, email: null, ...idempotency } });
  }

  /** What the person does in the sandbox; by default its webhooks are lost. */
  async act(payment: Payment, action: 'pay' | 'decline' | 'abandon' | 'refund', times = 0, delayMs = 0): Promise<void> {
    await this.call(
      'actInSandbox',
      {
        params: { reference: payment.reference },
        body: { action, webhooks: { times, delayMs, isShuffled: true } },
      },
      operator,
    );
  }

  async verify({ reference }: Payment): Promise<Payment> {
    return await this.call('verifyPayment', { body: { reference } }, null);
  }

  /** A whole purchase. */
  async buy(planId: string): Promise<Payment> {
    const payment = await this.checkout(planId);
    if (payment.status === 'success') return payment;
    await this.act(payment, 'pay');
    return await this.verify(payment);
  }

  async get({ id }: Payment): Promise<Payment> {
    return await this.call('getPayment', { params: { paymentId: id } });
  }

  async subscription() {
    return await this.call('getSubscription', { params: { accountId: this.id } });
  }

  async ledger() {
    return await this.call('checkLedger', { body: {} }, null);
  }

  async reconcile() {
    return await this.call('reconcile', { body: {} }, null);
  }
}

/** A webhook as the sandbox signs it, or with another key or other headers; `alter` changes the body after it was signed. */
export function webhook(
  about: { reference: string; amountMinor?: number; currency?: string },
  o: { event?: string; key?: Buffer; alter?: (text: string) => string; headers?: Record<string, string> } = {},
) {
  const { event = 'charge.success', key = webhookKeyOf(secret), alter = (text) => text } = o;
  const { reference, amountMinor: amount = 200_000, currency = 'NGN' } = about;
  const text = JSON.stringify({ event, data: { reference, amount, currency, status: 'success' } });
  const headers = o.headers ?? { 'x-sandbox-signature': signatureOf(key, Buffer.from(text)) };
  const bodyBase64 = Buffer.from(alter(text)).toString('base64');
  return { params: { provider: 'sandbox' as const }, body: { bodyBase64, headers } };
}

/** The code that a call is refused with, or `ok`. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}

/** Polls until it holds. */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
