import type { App, Gateway } from '../../gateway.ts';
import { NoQuery, problems, Usage } from '../schemas.ts';

export function usageRoute(app: App, gateway: Gateway): void {
  app.get(
    '/v1/usage',
    {
      config: { op: 'usage.get' },
      schema: {
        summary: 'Space used and left',
        tags: ['accounts'],
        querystring: NoQuery,
        response: { 200: Usage, ...problems },
      },
    },
    async (request) => {
      const params = { accountId: request.principal().accountId };
      return await gateway.metadata.call('getUsage', { params }, request.call);
    },
  );
}
