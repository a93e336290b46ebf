import { Id, Password } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { requireSession } from '../../auth/require-session.ts';
import type { App, Gateway } from '../../gateway.ts';
import { Empty, NoQuery, problems, Session, SessionPage, Strict } from '../schemas.ts';

const Login = Strict(
  { login: Type.String({ minLength: 1, maxLength: 254, description: 'User name or e-mail' }), password: Password },
  { title: 'Login' },
);
const Renewal = Strict({ refreshToken: Type.String({ minLength: 1, maxLength: 512 }) }, { title: 'Renewal' });

const originOf = (request: FastifyRequest) => ({
  address: request.ip,
  userAgent: (request.headers['user-agent'] ?? '').slice(0, 512),
});

export function loginRoutes(app: App, gateway: Gateway): void {
  const { auth } = gateway;
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.post(
    '/v1/sessions',
    {
      config: { op: 'sessions.create', isPublic: true },
      schema: {
        summary: 'Log in',
        tags: ['sessions'],
        querystring: NoQuery,
        body: Login,
        response: { 201: Session, ...problems },
      },
    },
    async (request, reply) => {
      const body = { ...request.body, ...originOf(request) };
      const session = await auth.call('createSession', { body }, request.call);
      return reply.code(201).send(session);
    },
  );

  app.post(
    '/v1/sessions/refresh',
    {
      config: { op: 'sessions.refresh', isPublic: true },
      schema: {
        summary: 'Renew a session; each refresh token is good for once',
        tags: ['sessions'],
        querystring: NoQuery,
        body: Renewal,
        response: { 200: Session, ...problems },
      },
    },
    async (request) =>
      await auth.call('refreshSession', { body: { ...request.body, ...originOf(request) } }, request.call),
  );
}

export function sessionRoutes(app: App, gateway: Gateway): void {
  const { auth } = gateway;

  app.get(
    '/v1/sessions',
    {
      config: { op: 'sessions.list' },
      schema: {
        summary: 'Living sessions',
        tags: ['sessions'],
        querystring: NoQuery,
        response: { 200: SessionPage, ...problems },
      },
    },
    async (request) => {
      const { accountId, sessionId } = request.principal();
      const { items } = await auth.call('listSessions', { params: { accountId } }, request.call);
      return { items: items.map((item) => ({ ...item, current: item.id === sessionId })), nextCursor: null };
    },
  );

  app.delete(
    '/v1/sessions/:id',
    {
      config: { op: 'sessions.end' },
      schema: {
        summary: 'End a session',
        tags: ['sessions'],
        params: Strict({ id: Id }),
        querystring: NoQuery,
        response: { 204: Empty('Ended'), ...problems },
      },
    },
    async (request, reply) => {
      const { accountId } = requireSession(request);
      const params = { accountId, sessionId: request.params.id };
      await auth.call('endSession', { params }, request.call);
      return reply.code(204).send();
    },
  );

  app.delete(
    '/v1/sessions',
    {
      config: { op: 'sessions.endOthers' },
      schema: {
        summary: 'End all sessions but this one',
        tags: ['sessions'],
        querystring: NoQuery,
        response: { 204: Empty('Ended'), ...problems },
      },
    },
    async (request, reply) => {
      const { accountId, sessionId } = requireSession(request);
      await auth.call('endOtherSessions', { params: { accountId }, query: { except: sessionId } }, request.call);
      return reply.code(204).send();
    },
  );
}
