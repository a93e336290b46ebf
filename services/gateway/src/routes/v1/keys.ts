import { appError } from '@coffer/service-kit';
import Type from 'typebox';
import { requireSession } from '../../auth/require-session.ts';
import { idempotencyOf } from '../../domain/fingerprints.ts';
import type { App, Gateway } from '../../gateway.ts';
import { Empty, KeyPage, NewKey, NoQuery, OneOf, problems, Strict } from '../schemas.ts';

const KeyRequest = Strict(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    access: Type.Optional(OneOf('full', 'read-only')),
    expiresAt: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        format: 'date-time',
        description: 'Null or absent: never',
      }),
    ),
  },
  { title: 'KeyRequest' },
);

export function keyRoutes(app: App, gateway: Gateway): void {
  const { auth, ctx } = gateway;

  app.get(
    '/v1/keys',
    {
      config: { op: 'keys.list' },
      schema: { summary: 'API keys', tags: ['keys'], querystring: NoQuery, response: { 200: KeyPage, ...problems } },
    },
    async (request) => {
      const params = { accountId: request.principal().accountId };
      const { items } = await auth.call('listKeys', { params }, request.call);
      return { items, nextCursor: null };
    },
  );

  app.post(
    '/v1/keys',
    {
      config: { op: 'keys.create', idempotencyKey: true },
      schema: {
        summary: 'Make an API key; its secret is shown this once',
        tags: ['keys'],
        querystring: NoQuery,
        body: KeyRequest,
        response: { 201: NewKey, ...problems },
      },
    },
    async (request, reply) => {
      const { accountId } = requireSession(request);
      const { name, access = 'full', expiresAt = null } = request.body;
      if (expiresAt !== null && !(Date.parse(expiresAt) > Date.now())) {
        throw appError('invalid_body', undefined, {
          errors: [{ path: '/expiresAt', message: 'must be a time to come' }],
        });
      }
      const idempotency = idempotencyOf(
        request.headers['idempotency-key'],
        { caller: accountId, op: 'keys.create', body: request.body },
        ctx.internalSecret,
      );
      const key = await auth.call(
        'createKey',
        {
          params: { accountId },
          body: {
            name,
            access,
            expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
            ...(idempotency && { idempotency }),
          },
        },
        request.call,
      );
      return reply.code(201).header('cache-control', 'no-store').header('location', `/v1/keys/${key.id}`).send(key);
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { op: 'keys.delete' },
      schema: {
        summary: 'Take an API key away',
        tags: ['keys'],
        params: Strict({ id: Type.String({ minLength: 1, maxLength: 128 }) }),
        querystring: NoQuery,
        response: { 204: Empty('Gone'), ...problems },
      },
    },
    async (request, reply) => {
      const { accountId } = requireSession(request);
      await auth.call('deleteKey', { params: { accountId, keyId: request.params.id } }, request.call);
      return reply.code(204).send();
    },
  );
}
