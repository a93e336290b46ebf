import { Id } from '@coffer/contracts';
import Type, { type TSchema } from 'typebox';
import { AdminAccount, NullableString, OneOf, pageQuery, Strict, Usage } from '../../schemas.ts';
import { Payment, Subscription } from '../money-schemas.ts';

const page = <T extends TSchema>(item: T, title: string) =>
  Type.Object({ items: Type.Array(item), nextCursor: NullableString('Null at the end') }, { title });

export const IdParams = Strict({ id: Id });

/** For lists of which every item costs a question more. */
export const shortPageQuery = {
  ...pageQuery,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Items on a page; 50 if not given' })),
};

export const AdminAccountDetails = Type.Object(
  {
    ...AdminAccount.properties,
    subscription: Type.Union([Subscription, Type.Null()], {
      description: 'Null where payments cannot be asked at present',
    }),
  },
  { title: 'AdminAccountDetails' },
);

export const StoreStatus = Type.Object(
  {
    freeBytes: Type.Integer(),
    totalBytes: Type.Integer(),
    floorBytes: Type.Integer({ description: 'With less free space than this nothing is taken in' }),
    writable: Type.Boolean(),
    quarantined: Type.Integer({ description: 'Stored bytes that were found damaged and put aside' }),
    oldestCheckAt: NullableString('Since when all stored bytes have been read and compared again'),
  },
  { title: 'StoreStatus' },
);

export const StoreUsage = Type.Object(
  {
    accounts: Type.Integer(),
    usedBytes: Type.Integer({ description: 'By all accounts together; bytes that several hold count for each' }),
    limitBytes: Type.Number({ description: 'What all accounts together may use' }),
    files: Type.Integer(),
    folders: Type.Integer(),
    store: StoreStatus,
  },
  { title: 'StoreUsage' },
);

export const StoreCheck = Type.Object(
  {
    isSound: Type.Boolean({
      description: 'No account differs, or all that did are repaired, and nothing is quarantined',
    }),
    checkedAccounts: Type.Integer(),
    differing: Type.Array(
      Type.Object({ accountId: Id, stored: Usage, counted: Usage, isRepaired: Type.Boolean() }, { title: 'UsageGap' }),
    ),
    busy: Type.Array(Id, { description: 'Not repaired because they were being written to' }),
    store: StoreStatus,
    nextCursor: NullableString('Where to go on, as `cursor`: a check takes its time. Null at the end'),
  },
  { title: 'StoreCheck' },
);

export const AdminPayment = Type.Object(
  { ...Payment.properties, accountId: NullableString('Null where the account was deleted') },
  { title: 'AdminPayment' },
);
export const AdminPaymentPage = page(AdminPayment, 'AdminPaymentPage');

export const LedgerReport = Type.Object(
  {
    isBalanced: Type.Boolean(),
    transactions: Type.Integer(),
    balances: Type.Array(
      Type.Object({
        account: Type.String({ description: 'Of the ledger' }),
        currency: Type.String(),
        balanceMinor: Type.Integer({ description: "In the currency's minor unit; all of one currency add up to zero" }),
      }),
    ),
    problems: Type.Array(Type.Object({ paymentId: NullableString(), message: Type.String() })),
  },
  { title: 'LedgerReport' },
);

export const QueuePage = page(
  Type.Object(
    {
      name: Type.String(),
      counts: Type.Unsafe<Record<string, number>>({
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: 'Jobs by state',
      }),
    },
    { title: 'Queue' },
  ),
  'QueuePage',
);

export const JobState = OneOf('waiting', 'active', 'delayed', 'completed', 'failed');
export const JobPage = page(
  Type.Object(
    {
      id: Type.String(),
      queue: Type.String(),
      state: JobState,
      attempts: Type.Integer(),
      createdAt: Type.String({ format: 'date-time' }),
      finishedAt: NullableString(),
      error: NullableString(),
    },
    { title: 'Job' },
  ),
  'JobPage',
);

export const AuditPage = page(
  Type.Object(
    {
      id: Id,
      at: Type.String({ format: 'date-time' }),
      actorId: Type.String({ description: 'Who did it' }),
      action: Type.String({ description: 'The `operationId` of what was asked for' }),
      targetId: NullableString('The account, payment or job (queue/id) that it was done to'),
      details: Type.Unsafe<Record<string, string | number | boolean | null>>({
        type: 'object',
        additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
      }),
      address: Type.String(),
      requestId: Type.String(),
      outcome: NullableString('`ok`, or the code that it was refused with; null where it is not known'),
    },
    { title: 'AuditEntry' },
  ),
  'AuditPage',
);

export const Deadline = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  maxLength: 64,
  description: 'Null: for good',
});

export const QueueName = Type.String({ pattern: '^[a-z][a-z-]{0,31}$' });
export const JobParams = Strict({ queue: QueueName, jobId: Type.String({ minLength: 1, maxLength: 160 }) });
