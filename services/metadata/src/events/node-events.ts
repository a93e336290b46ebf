import type { EventData, EventEnvelope, GrantRole } from '@coffer/contracts';
import type { Outbox } from '@coffer/service-kit';
import type { NodeDoc } from '../domain/node.ts';

/** What this service publishes: facts about one node each, without names. */
export type NodeEventName = 'nodeCreated' | 'nodeTrashed' | 'nodeDeleted';
export type Change = EventData<'nodeChanged'>['change'];

/** Whose doing an event tells of, and within which trace. */
export interface Cause {
  readonly by: string;
  readonly traceparent?: string | undefined;
}

/** The event for the update that gives the node this `rev`; to be written into the node by that very update. */
export function nodeEvent(
  outbox: Outbox,
  name: NodeEventName,
  node: NodeDoc,
  rev: number,
  cause: Cause,
): EventEnvelope {
  return outbox.makeEvent(name, facts(node, rev, cause.by), cause.traceparent);
}

/** One event for each change that an update makes at once. */
export function changeEvents(
  outbox: Outbox,
  node: NodeDoc,
  rev: number,
  changes: readonly Change[],
  cause: Cause,
): EventEnvelope[] {
  return changes.map((change) =>
    outbox.makeEvent('nodeChanged', { ...facts(node, rev, cause.by), change }, cause.traceparent),
  );
}

/** Tells of rights that accounts did not have before, one event per role. */
export function sharedEvent(
  outbox: Outbox,
  node: NodeDoc,
  rev: number,
  o: { accountIds: string[]; role: GrantRole; notify: boolean },
  cause: Cause,
): EventEnvelope {
  return outbox.makeEvent('nodeShared', { ...facts(node, rev, cause.by), ...o }, cause.traceparent);
}

function facts(node: NodeDoc, rev: number, by: string): EventData<'nodeCreated'> {
  return { nodeId: node._id, ownerId: node.ownerId, parentId: node.parentId, kind: node.kind, rev, by };
}
