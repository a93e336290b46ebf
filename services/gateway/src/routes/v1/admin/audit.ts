import { Id } from '@coffer/contracts';
import Type from 'typebox';
import type { App, Gateway } from '../../../gateway.ts';
import { pageQuery, problems, Strict } from '../../schemas.ts';
import { AuditPage } from './schemas.ts';

const Query = Strict({
  ...pageQuery,
  actorId: Type.Optional(Type.Unsafe<string>({ ...Id, description: 'By this operator' })),
  targetId: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'To this account, payment or job (queue/id)' }),
  ),
});

export function auditRoute(app: App, { auth }: Gateway): void {
  app.get(
    '/v1/admin/audit',
    {
      config: { op: 'admin.listAudit' },
      schema: {
        summary: 'What operators did, the latest first',
        tags: ['operators'],
        querystring: Query,
        response: { 200: AuditPage, ...problems },
      },
    },
    async (request) => await auth.call('listAudit', { query: request.query }, request.call),
  );
}
