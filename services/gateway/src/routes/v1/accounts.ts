import { Email, Password, Username } from '@coffer/contracts';
import Type from 'typebox';
import { requireSession } from '../../auth/require-session.ts';
import { anonymousKey, idempotencyOf } from '../../domain/fingerprints.ts';
import type { App, Gateway } from '../../gateway.ts';
import { limitNewAccounts } from '../../rate-limits.ts';
import { Account, Empty, NoQuery, problems, Strict } from '../schemas.ts';

const NewAccount = Strict({ username: Username, email: Email, password: Password }, { title: 'NewAccount' });

/** Making an account is the one thing besides logging in that nobody needs to be known for. */
export function newAccountRoute(app: App, gateway: Gateway): void {
  const { auth, ctx, config } = gateway;
  app.post(
    '/v1/accounts',
    {
      config: { op: 'accounts.create', idempotencyKey: true, isPublic: true },
      onRequest: limitNewAccounts(app, config),
      schema: {
        summary: 'Make an account',
        tags: ['accounts'],
        querystring: NoQuery,
        body: NewAccount,
        response: { 201: Account, ...problems },
      },
    },
    async (request, reply) => {
      const given = idempotencyOf(
        request.headers['idempotency-key'],
        { caller: '', op: 'accounts.create', body: request.body },
        ctx.internalSecret,
      );
      const idempotency = given && anonymousKey(given, request.ip, ctx.internalSecret);
      const account = await auth.call(
        'createAccount',
        { body: { ...request.body, address: request.ip, ...(idempotency && { idempotency }) } },
        request.call,
      );
      return reply.code(201).header('location', '/v1/me').send(account);
    },
  );
}

const AccountChanges = Strict(
  { username: Type.Optional(Username), email: Type.Optional(Email) },
  { minProperties: 1, title: 'AccountChanges' },
);
const PasswordChange = Strict({ currentPassword: Password, newPassword: Password }, { title: 'PasswordChange' });
const AccountDeletion = Strict({ password: Password }, { title: 'AccountDeletion' });

export function meRoutes(app: App, gateway: Gateway): void {
  const { auth } = gateway;

  app.get(
    '/v1/me',
    {
      config: { op: 'accounts.get' },
      schema: {
        summary: 'Who am I',
        tags: ['accounts'],
        querystring: NoQuery,
        response: { 200: Account, ...problems },
      },
    },
    async (request) =>
      await auth.call('getAccount', { params: { accountId: request.principal().accountId } }, request.call),
  );

  app.patch(
    '/v1/me',
    {
      config: { op: 'accounts.update' },
      schema: {
        summary: 'Change user name or e-mail',
        tags: ['accounts'],
        querystring: NoQuery,
        body: AccountChanges,
        response: { 200: Account, ...problems },
      },
    },
    async (request) => {
      requireSession(request);
      const params = { accountId: request.principal().accountId };
      return await auth.call('updateAccount', { params, body: request.body }, request.call);
    },
  );

  app.put(
    '/v1/me/password',
    {
      config: { op: 'accounts.changePassword' },
      schema: {
        summary: 'Change the password; ends all other sessions',
        tags: ['accounts'],
        querystring: NoQuery,
        body: PasswordChange,
        response: { 204: Empty('Changed'), ...problems },
      },
    },
    async (request, reply) => {
      const { accountId, sessionId } = requireSession(request);
      const body = { ...request.body, keepSessionId: sessionId, address: request.ip };
      await auth.call('changePassword', { params: { accountId }, body }, request.call);
      return reply.code(204).send();
    },
  );

  app.delete(
    '/v1/me',
    {
      config: { op: 'accounts.delete' },
      schema: {
        summary: 'Delete the account and all that is its own, for good',
        tags: ['accounts'],
        querystring: NoQuery,
        body: AccountDeletion,
        response: { 204: Empty('Deleted'), ...problems },
      },
    },
    async (request, reply) => {
      const { accountId } = requireSession(request);
      const body = { password: request.body.password, address: request.ip };
      // Not cut short: who goes away right after the request meant it all the same.
      const { signal: _, ...call } = request.call;
      await auth.call('deleteAccount', { params: { accountId }, body }, call);
      gateway.leave.forget(accountId);
      return reply.code(204).send();
    },
  );
}
