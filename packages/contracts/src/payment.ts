import Type, { type Static } from 'typebox';
import { Idempotency } from './auth.ts';
import { ByteCount, Id, NullableTime, PageQuery, Time } from './common.ts';
import { contract } from './endpoint.ts';

/** An amount in the currency's minor unit (kobo, cents): always a whole number. Currencies by ISO 4217. */
export const Money = Type.Object({
  amountMinor: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
});
export type Money = Static<typeof Money>;

export const PlanId = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,31}$' });
export const Plan = Type.Object({
  id: PlanId,
  name: Type.String(),
  limitBytes: ByteCount,
  /** Null: costs nothing and is what accounts fall back to. */
  price: Type.Union([Money, Type.Null()]),
  /** What one payment buys. */
  periodDays: Type.Integer({ minimum: 1, maximum: 3660 }),
});
export type Plan = Static<typeof Plan>;

/** `initiated → pending → success | failed | abandoned`; `success → reversed`. A late success may follow failed and abandoned: what was paid is given. */
export const PaymentStatus = Type.Union([
  Type.Literal('initiated'),
  Type.Literal('pending'),
  Type.Literal('success'),
  Type.Literal('failed'),
  Type.Literal('abandoned'),
  Type.Literal('reversed'),
]);
export type PaymentStatus = Static<typeof PaymentStatus>;

/** Where a step came from. */
export const PaymentSource = Type.Union([
  Type.Literal('checkout'),
  Type.Literal('webhook'),
  Type.Literal('verification'),
  Type.Literal('reconciliation'),
  Type.Literal('operator'),
  Type.Literal('sandbox'),
]);

export const ProviderName = Type.Union([Type.Literal('paystack'), Type.Literal('sandbox')]);
export type ProviderName = Static<typeof ProviderName>;

export const Payment = Type.Object({
  id: Id,
  /** Null where the account was deleted: bookkeeping keeps the rest. */
  accountId: Type.Union([Id, Type.Null()]),
  /** What the provider knows it by; unguessable. */
  reference: Type.String({ minLength: 1, maxLength: 100 }),
  provider: ProviderName,
  planId: PlanId,
  planName: Type.String(),
  ...Money.properties,
  /** Of that price, what the unused days of a plan before paid (a change in mid-period): charged is `amountMinor − creditMinor`. */
  creditMinor: Type.Integer({ minimum: 0 }),
  status: PaymentStatus,
  history: Type.Array(Type.Object({ status: PaymentStatus, at: Time, source: PaymentSource })),
  /** Where the person pays; null once it is over, and where the credit pays all (then it is `success` at once). */
  checkoutUrl: Type.Union([Type.String(), Type.Null()]),
  createdAt: Time,
  settledAt: NullableTime,
  /** What it bought; null until success. */
  periodStart: NullableTime,
  periodEnd: NullableTime,
});
export type Payment = Static<typeof Payment>;

export const Subscription = Type.Object({
  accountId: Id,
  plan: Plan,
  /** `none`: the base plan, nothing bought. `cancelled`: runs until `periodEnd` and is not mentioned for renewal. */
  status: Type.Union([Type.Literal('none'), Type.Literal('active'), Type.Literal('cancelled')]),
  periodStart: NullableTime,
  periodEnd: NullableTime,
  limitBytes: ByteCount,
});
export type Subscription = Static<typeof Subscription>;

/** The limit that an account's plan gives it. `seq` rises with each change: an older one never overwrites a newer. */
export const PlanLimit = Type.Object({ accountId: Id, limitBytes: ByteCount, seq: Type.Integer({ minimum: 1 }) });
export type PlanLimit = Static<typeof PlanLimit>;

export const LedgerReport = Type.Object({
  isBalanced: Type.Boolean(),
  transactions: Type.Integer(),
  /** Per ledger account and currency: the sum of its entries, in minor units; all of one currency add up to zero. */
  balances: Type.Array(Type.Object({ account: Type.String(), currency: Type.String(), balanceMinor: Type.Integer() })),
  problems: Type.Array(Type.Object({ paymentId: Type.Union([Id, Type.Null()]), message: Type.String() })),
});
export type LedgerReport = Static<typeof LedgerReport>;

const strict = { additionalProperties: false } as const;
const AccountParams = Type.Object({ accountId: Id });
const PaymentPage = Type.Object({ items: Type.Array(Payment), nextCursor: Type.Union([Type.String(), Type.Null()]) });

/** Calls carry a principal but for webhooks, plans and what services ask on their own behalf. Others' payments are 404 but for operators. */
export const paymentContract = contract({
  service: 'payment',
  endpoints: {
    listPlans: {
      op: 'plans.list',
      method: 'GET',
      path: '/plans',
      idempotent: true,
      /** `isSandbox`: no money moves, and every page says so. */
      response: Type.Object({ items: Type.Array(Plan), isSandbox: Type.Boolean() }),
    },
    /** Begins a payment with the provider. 404 for an unknown plan, 409 `conflict` for a free one or where payments are switched off; 502/503/504 of the provider leave a payment that can be tried again. */
    createCheckout: {
      op: 'checkouts.create',
      method: 'POST',
      path: '/checkouts',
      idempotent: false,
      timeoutMs: 30_000,
      body: Type.Object(
        {
          planId: PlanId,
          /** The gateway's own address as the person reached it: where the provider sends them back to, and the sandbox's page is. */
          publicUrl: Type.String({ maxLength: 500 }),
          /** Path below it, for doors with pages of their own; the native receipt page without it. */
          returnPath: Type.Optional(Type.String({ maxLength: 500 })),
          email: Type.Union([Type.String({ maxLength: 254 }), Type.Null()]),
          idempotency: Type.Optional(Idempotency),
        },
        strict,
      ),
      response: Payment,
    },
    listPayments: {
      op: 'payments.list',
      method: 'GET',
      path: '/accounts/:accountId/payments',
      idempotent: true,
      params: AccountParams,
      query: PageQuery,
      response: PaymentPage,
    },
    getPayment: {
      op: 'payments.get',
      method: 'GET',
      path: '/payments/:paymentId',
      idempotent: true,
      params: Type.Object({ paymentId: Id }),
      response: Payment,
    },
    /** Asks the provider how it stands and acts on that. By reference, which is the provider's and the payer's to know; needs no principal. */
    verifyPayment: {
      op: 'payments.verify',
      method: 'POST',
      path: '/payments/verify',
      idempotent: true,
      timeoutMs: 30_000,
      body: Type.Object({ reference: Type.String({ minLength: 1, maxLength: 100 }) }, strict),
      response: Payment,
    },
    /** The raw body and its headers as they came. 401 `invalid_token` for a bad signature; anything that is signed is answered with success, so that it is not sent again for ever. */
    receiveWebhook: {
      op: 'webhooks.receive',
      method: 'POST',
      path: '/webhooks/:provider',
      idempotent: true,
      params: Type.Object({ provider: ProviderName }),
      body: Type.Object(
        { bodyBase64: Type.String({ maxLength: 1_400_000 }), headers: Type.Record(Type.String(), Type.String()) },
        strict,
      ),
    },
    getSubscription: {
      op: 'subscriptions.get',
      method: 'GET',
      path: '/accounts/:accountId/subscription',
      idempotent: true,
      params: AccountParams,
      response: Subscription,
    },
    /** Ends at the end of the period that was paid. 409 `conflict` where nothing runs. */
    cancelSubscription: {
      op: 'subscriptions.cancel',
      method: 'POST',
      path: '/accounts/:accountId/subscription/cancel',
      idempotent: true,
      params: AccountParams,
      response: Subscription,
    },
    /** By an operator: a plan without payment, until a time (null: for good; the base plan ends it). */
    setPlan: {
      op: 'subscriptions.set',
      method: 'PUT',
      path: '/accounts/:accountId/subscription',
      idempotent: true,
      params: AccountParams,
      body: Type.Object({ planId: PlanId, until: NullableTime }, strict),
      response: Subscription,
    },
    /** By an operator. */
    findPayments: {
      op: 'payments.find',
      method: 'GET',
      path: '/payments',
      idempotent: true,
      query: Type.Object({
        ...PageQuery.properties,
        status: Type.Optional(PaymentStatus),
        accountId: Type.Optional(Id),
        reference: Type.Optional(Type.String({ maxLength: 100 })),
      }),
      response: PaymentPage,
    },
    /** By an operator: a success that was paid back takes its space back. 409 `conflict` in any other state. */
    reversePayment: {
      op: 'payments.reverse',
      method: 'POST',
      path: '/payments/:paymentId/reverse',
      idempotent: true,
      params: Type.Object({ paymentId: Id }),
      body: Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, strict),
      response: Payment,
    },
    /** Verifies what is pending, ends periods that are over, tells of those that will be, repeats what a crash cut off. Asked by the worker's schedule; any number at once. */
    reconcile: {
      op: 'payments.reconcile',
      method: 'POST',
      path: '/reconcile',
      idempotent: true,
      timeoutMs: 120_000,
      body: Type.Object({}, strict),
      response: Type.Object({
        verified: Type.Integer(),
        settled: Type.Integer(),
        abandoned: Type.Integer(),
        ended: Type.Integer(),
        repaired: Type.Integer(),
      }),
    },
    /** All limits that plans give, in order of account: for whoever keeps the usage to find what an event did not bring. Accounts on the base plan that never had another are not listed. */
    listLimits: {
      op: 'limits.list',
      method: 'GET',
      path: '/limits',
      idempotent: true,
      query: PageQuery,
      response: Type.Object({ items: Type.Array(PlanLimit), nextCursor: Type.Union([Type.String(), Type.Null()]) }),
    },
    /** By an operator or the worker. */
    checkLedger: {
      op: 'ledger.check',
      method: 'POST',
      path: '/ledger/check',
      idempotent: true,
      timeoutMs: 120_000,
      body: Type.Object({}, strict),
      response: LedgerReport,
    },
    /** What the sandbox's page shows: 404 unless the payment is the sandbox's and still open. */
    getSandboxCheckout: {
      op: 'sandbox.get',
      method: 'GET',
      path: '/sandbox/:reference',
      idempotent: true,
      params: Type.Object({ reference: Type.String({ maxLength: 100 }) }),
      response: Type.Object({
        reference: Type.String(),
        planName: Type.String(),
        ...Money.properties,
        returnUrl: Type.String(),
      }),
    },
    /** What the person does there. The sandbox then sends its signed webhooks as asked: late, several times, out of order. Answers where to send the person. */
    actInSandbox: {
      op: 'sandbox.act',
      method: 'POST',
      path: '/sandbox/:reference',
      idempotent: false,
      params: Type.Object({ reference: Type.String({ maxLength: 100 }) }),
      body: Type.Object(
        {
          action: Type.Union([
            Type.Literal('pay'),
            Type.Literal('decline'),
            Type.Literal('abandon'),
            Type.Literal('refund'),
          ]),
          webhooks: Type.Optional(
            Type.Object(
              {
                /** How often each is sent; 0: lost. */
                times: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
                delayMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 60_000 })),
                isShuffled: Type.Optional(Type.Boolean()),
              },
              strict,
            ),
          ),
        },
        strict,
      ),
      response: Type.Object({ returnUrl: Type.String() }),
    },
  },
});
