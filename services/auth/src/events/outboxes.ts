import { createOutbox, type ServiceContext } from '@coffer/service-kit';
import type { Events } from '../domain/model.ts';
import type { Mongo } from '../store/mongo.ts';
import { createOutboxPort } from '../store/outbox.ts';

/** What auth publishes (`accountCreated`, `revoked`), by the collection whose documents carry it until it is out. */
export function createOutboxes(ctx: ServiceContext, mongo: Mongo): { accounts: Events; sessions: Events } {
  return {
    accounts: createOutbox(ctx, createOutboxPort(mongo.db, 'accounts')),
    sessions: createOutbox(ctx, createOutboxPort(mongo.db, 'sessions')),
  };
}
