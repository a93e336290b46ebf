import type { EventData, EventEnvelope } from '@coffer/contracts';
import type { Outbox } from '@coffer/service-kit';
import type { NodeDoc } from '../domain/node.ts';

/** What this service publishes: facts about one node each, without names. It consumes nothing. */
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

function facts(node: NodeDoc, rev: number, by: string): EventData<'nodeCreated'> {
  return { nodeId: node._id, ownerId: node.ownerId, parentId: node.parentId, kind: node.kind, rev, by };
}
