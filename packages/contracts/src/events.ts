import Type, { type Static, type TSchema } from 'typebox';
import { Revocation } from './auth.ts';
import { Id, Time } from './common.ts';
import { GrantRole } from './metadata.ts';
import { PlanLimit } from './payment.ts';

/** What every event carries besides its `data`. `id` is the JetStream message id: the same event published twice counts once. */
export const EventEnvelope = Type.Object({
  id: Id,
  type: Type.String(),
  /** Version of `data`'s schema; raised when a reader of the old one would misread the new. */
  schema: Type.Integer({ minimum: 1 }),
  at: Time,
  traceparent: Type.Optional(Type.String()),
  data: Type.Unknown(),
});
export type EventEnvelope = Static<typeof EventEnvelope>;

interface EventDefinition {
  readonly type: string;
  readonly schema: number;
  readonly data: TSchema;
}
const event = <const E extends EventDefinition>(definition: E): E => definition;

const NodeFacts = Type.Object({
  nodeId: Id,
  ownerId: Id,
  parentId: Type.Union([Id, Type.Null()]),
  kind: Type.Union([Type.Literal('file'), Type.Literal('folder')]),
  rev: Type.Integer(),
  by: Id,
});

/** Every event of the product; its subject is `coffer.<type>`. Facts are small and name things; no bytes and no names of files. */
export const events = {
  accountCreated: event({ type: 'auth.account-created', schema: 1, data: Type.Object({ accountId: Id }) }),
  /** Sessions ended, keys revoked, accounts suspended: gateways stop honouring them at once. */
  revoked: event({ type: 'auth.revoked', schema: 1, data: Type.Object({ items: Type.Array(Revocation) }) }),
  /** The account is gone for good; whoever keeps something of it removes it. */
  accountDeleted: event({ type: 'auth.account-deleted', schema: 1, data: Type.Object({ accountId: Id }) }),
  /** Somebody asked for a link to set a new password. The mail's secret part is not in here: it is asked for when the mail is written. */
  passwordResetRequested: event({
    type: 'auth.password-reset-requested',
    schema: 1,
    data: Type.Object({ accountId: Id, resetId: Id }),
  }),
  /** A password was set by such a link. */
  passwordReset: event({
    type: 'auth.password-reset',
    schema: 1,
    data: Type.Object({ accountId: Id, resetId: Id }),
  }),
  /** The limit that an account's plan gives it; see `PlanLimit`. */
  limitChanged: event({ type: 'payment.limit-changed', schema: 1, data: PlanLimit }),
  /** A payment succeeded, or a success was taken back: a receipt is due. */
  paymentSettled: event({
    type: 'payment.settled',
    schema: 1,
    data: Type.Object({
      accountId: Id,
      paymentId: Id,
      status: Type.Union([Type.Literal('success'), Type.Literal('reversed')]),
    }),
  }),
  /** A period ends soon (`days` before, each once), or has ended (0). */
  subscriptionEnding: event({
    type: 'payment.subscription-ending',
    schema: 1,
    data: Type.Object({ accountId: Id, planId: Type.String(), periodEnd: Time, days: Type.Integer({ minimum: 0 }) }),
  }),
  /** The account's space passed this share of its limit on the way up; again only after it was below in between. */
  spaceRunningOut: event({
    type: 'metadata.space-running-out',
    schema: 1,
    data: Type.Object({ accountId: Id, percent: Type.Integer({ minimum: 1, maximum: 100 }) }),
  }),
  /** A link was revoked or changed so that it no longer holds: transfers through it end. */
  linkRevoked: event({ type: 'metadata.link-revoked', schema: 1, data: Type.Object({ linkId: Id, nodeId: Id }) }),
  /** Rights were given to accounts that had less before; `notify` asks that they be told by mail. */
  nodeShared: event({
    type: 'metadata.node-shared',
    schema: 1,
    data: Type.Object({
      ...NodeFacts.properties,
      accountIds: Type.Array(Id),
      role: GrantRole,
      notify: Type.Boolean(),
    }),
  }),
  nodeCreated: event({ type: 'metadata.node-created', schema: 1, data: NodeFacts }),
  nodeChanged: event({
    type: 'metadata.node-changed',
    schema: 1,
    data: Type.Object({
      ...NodeFacts.properties,
      change: Type.Union([
        Type.Literal('content'),
        Type.Literal('name'),
        Type.Literal('parent'),
        Type.Literal('properties'),
        Type.Literal('access'),
        Type.Literal('restored'),
      ]),
    }),
  }),
  nodeTrashed: event({ type: 'metadata.node-trashed', schema: 1, data: NodeFacts }),
  nodeDeleted: event({ type: 'metadata.node-deleted', schema: 1, data: NodeFacts }),
} as const;
export type EventName = keyof typeof events;
export type EventData<N extends EventName> = Static<(typeof events)[N]['data']>;
