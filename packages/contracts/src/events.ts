import Type, { type Static, type TSchema } from 'typebox';
import { Revocation } from './auth.ts';
import { Id, Time } from './common.ts';

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
        Type.Literal('restored'),
      ]),
    }),
  }),
  nodeTrashed: event({ type: 'metadata.node-trashed', schema: 1, data: NodeFacts }),
  nodeDeleted: event({ type: 'metadata.node-deleted', schema: 1, data: NodeFacts }),
} as const;
export type EventName = keyof typeof events;
export type EventData<N extends EventName> = Static<(typeof events)[N]['data']>;
