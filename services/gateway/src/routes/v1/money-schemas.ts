import { type Payment as PaymentRecord, PlanId, type Subscription as SubscriptionRecord } from '@coffer/contracts';
import Type, { type Static } from 'typebox';
import { NullableString, OneOf } from '../schemas.ts';

const Time = Type.String({ format: 'date-time' });
const amount = {
  amountMinor: Type.Integer({ description: "In the currency's minor unit (kobo, cents)" }),
  currency: Type.String({ description: 'ISO 4217' }),
};
const Status = OneOf('initiated', 'pending', 'success', 'failed', 'abandoned', 'reversed');

export const Plan = Type.Object(
  {
    id: PlanId,
    name: Type.String(),
    limitBytes: Type.Integer(),
    price: Type.Union([Type.Object(amount), Type.Null()], { description: 'Null: costs nothing' }),
    periodDays: Type.Integer({ description: 'What one payment buys' }),
  },
  { title: 'Plan' },
);
export const PlanList = Type.Object(
  {
    items: Type.Array(Plan),
    nextCursor: NullableString('Always null'),
    isSandbox: Type.Boolean({ description: 'Payments are for trying out, and no money moves' }),
  },
  { title: 'PlanList' },
);

export const Payment = Type.Object(
  {
    id: Type.String(),
    reference: Type.String({ description: 'What the provider knows it by' }),
    provider: OneOf('paystack', 'sandbox'),
    planId: PlanId,
    planName: Type.String(),
    ...amount,
    creditMinor: Type.Integer({
      description: 'What unused days of the plan before take off that price: charged is `amountMinor - creditMinor`',
    }),
    status: Status,
    history: Type.Array(Type.Object({ status: Status, at: Time, source: Type.String() })),
    checkoutUrl: NullableString('Where to pay; null once it is over'),
    createdAt: Time,
    settledAt: NullableString(),
    periodStart: NullableString('What it bought; null until success'),
    periodEnd: NullableString(),
  },
  { title: 'Payment' },
);
export const PaymentPage = Type.Object(
  { items: Type.Array(Payment), nextCursor: NullableString('Null at the end') },
  { title: 'PaymentPage' },
);

export const Subscription = Type.Object(
  {
    plan: Plan,
    status: OneOf('none', 'active', 'cancelled'),
    periodStart: NullableString(),
    periodEnd: NullableString('When the account falls back to the free plan, unless renewed'),
    limitBytes: Type.Integer(),
  },
  { title: 'Subscription' },
);

/** As its owner sees it. */
export const publicPayment = ({ accountId: _, ...payment }: PaymentRecord): Static<typeof Payment> => payment;
export const publicSubscription = ({
  accountId: _,
  ...subscription
}: SubscriptionRecord): Static<typeof Subscription> => subscription;
