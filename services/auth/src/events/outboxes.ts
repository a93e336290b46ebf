import { createOutbox, type ServiceContext } from '@coffer/service-kit';
import type { Events } from '../domain/ports.ts';
import type { Mongo } from '../store/mongo.ts';
import { createOutboxPort } from '../store/outbox.ts';

/** What auth publishes, by the collection whose documents carry it until it is out. `keepDeletedMs`: how long a deleted account stays known. */
export function createOutboxes(
  ctx: ServiceContext,
  mongo: Mongo,
  { keepDeletedMs }: { keepDeletedMs: number },
): { accounts: Events; sessions: Events; resets: Events } {
  return {
    accounts: createOutbox(ctx, createOutboxPort(mongo.db, 'accounts', { keepDeletedMs })),
    sessions: createOutbox(ctx, createOutboxPort(mongo.db, 'sessions')),
    resets: createOutbox(ctx, createOutboxPort(mongo.db, 'passwordResets')),
  };
}
