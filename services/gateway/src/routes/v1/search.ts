import Type from 'typebox';
import { publicPage } from '../../domain/nodes.ts';
import type { App, Gateway } from '../../gateway.ts';
import { NodePage, OneOf, pageQuery, problems, Strict } from '../schemas.ts';

const Query = Strict({
  ...pageQuery,
  q: Type.String({ minLength: 1, maxLength: 255, description: 'Part of a name, ignoring case' }),
  match: Type.Optional(OneOf('substring', 'prefix')),
});

export function searchRoute(app: App, gateway: Gateway): void {
  app.get(
    '/v1/search',
    {
      config: { op: 'search.byName' },
      schema: {
        summary: 'Find files and folders by name',
        tags: ['nodes'],
        querystring: Query,
        response: { 200: NodePage, ...problems },
      },
    },
    async (request) => publicPage(await gateway.metadata.call('search', { query: request.query }, request.call)),
  );
}
