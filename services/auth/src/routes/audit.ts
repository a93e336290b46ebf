import { type AuditEntry, authContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import type { Audit } from '../domain/audit.ts';
import type { AuditRecord } from '../domain/model.ts';
import { requireOperator, requireWritingOperator } from './guards.ts';

function publicEntry({ at, ...entry }: AuditRecord): AuditEntry {
  return { ...entry, at: at.toISOString() };
}

export default function routes(app: App, { audit }: { audit: Audit }): void {
  serve(app, authContract, 'appendAudit', async ({ body }, request) => {
    const { accountId } = requireWritingOperator(request);
    return await audit.append({ ...body, actorId: accountId, requestId: request.id });
  });

  serve(app, authContract, 'finishAudit', async ({ params: { id }, body }, request): Promise<undefined> => {
    const { accountId } = requireWritingOperator(request);
    await audit.finish(id, { actorId: accountId, ...body });
  });

  serve(app, authContract, 'listAudit', async ({ query }, request) => {
    requireOperator(request);
    const { items, nextCursor } = await audit.list(query);
    return { items: items.map(publicEntry), nextCursor };
  });
}
