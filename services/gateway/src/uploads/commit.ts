import type { NodeRecord, Preconditions, WriteTarget } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import type { WriteConditions } from '../domain/conditions.ts';
import type { Idempotency } from '../domain/fingerprints.ts';
import { etagOf } from '../domain/nodes.ts';
import type { Gateway } from '../gateway.ts';

export interface UploadGoal {
  readonly target: WriteTarget;
  /** Stands for `target` in the book of leave; absent where each write must be asked about. */
  readonly place?: string;
  /** As far as it is known: tells the type where neither header nor bytes do. */
  readonly name: string;
  readonly conditions?: WriteConditions | undefined;
}

/** What a new file gets besides its bytes. */
interface NewFacts {
  readonly properties?: Record<string, string> | undefined;
  readonly idempotency?: Idempotency | undefined;
  /** Unique in the service. */
  readonly identifier?: string | undefined;
  /** Shown among what everyone may see. */
  readonly publish?: boolean | undefined;
}

/** Bytes that are durable in the blob store, not pointed to yet. */
export interface StoredBytes {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mime: string;
}

/** Points the node to stored bytes. Not called off when the client goes away. */
export async function commit(
  gateway: Gateway,
  request: FastifyRequest,
  goal: UploadGoal & NewFacts,
  { sha256, sizeBytes, mime }: StoredBytes,
): Promise<{ node: NodeRecord; created: boolean }> {
  const preconditions = preconditionsOf(goal.conditions);
  const { signal: _, ...call } = request.call;
  try {
    return await gateway.writes.commit(
      {
        target: goal.target,
        content: {
          sizeBytes,
          etag: etagOf(sha256),
          mime,
          sha256,
          chunks: sizeBytes === 0 ? [] : [{ digest: sha256, offset: 0, length: sizeBytes }],
        },
        ...(preconditions && { preconditions }),
        ...(goal.properties && { properties: goal.properties }),
        ...(goal.identifier !== undefined && { identifier: goal.identifier }),
        ...(goal.publish !== undefined && { publish: goal.publish }),
        ...(goal.idempotency && { idempotency: goal.idempotency }),
      },
      call,
    );
  } catch (error) {
    gateway.leave.forget(request.principal().accountId);
    throw error;
  }
}

export function preconditionsOf(conditions: WriteConditions | undefined): Preconditions | undefined {
  return conditions === undefined ? undefined : { ...conditions };
}
