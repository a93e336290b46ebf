import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { fieldsOf } from '../common/fields.ts';
import { bearerOf } from './authenticate.ts';
import { missingField } from './errors.ts';
import { requiredField } from './input.ts';
import { profileOf } from './profile.ts';
import { sendJson, urlsOf } from './routes.ts';

const ACCESS_SECONDS = 86_400;
const MAX_LOGIN_LENGTH = 254;
const MAX_PASSWORD_LENGTH = 1_024;
const MAX_TOKEN_LENGTH = 512;

const originOf = ({ ip, headers }: FastifyRequest) => ({
  address: ip,
  userAgent: (headers['user-agent'] ?? '').slice(0, 512),
});

/** What needs no access token: logging in, renewing it, and getting a new password. */
export function loginRoutes(app: App, gateway: Gateway): void {
  const { auth } = gateway;
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  for (const url of urlsOf('auth/login')) {
    app.post(url, { config: { op: 'cloudbox.login' } }, async (request, reply) => {
      const { email: login = '', password = '' } = await fieldsOf(gateway, request);
      if (login.trim() === '') throw missingField('email of the user is required');
      if (password === '') throw missingField('password is required');
      // Nobody is called so, and has such a password.
      if (login.length > MAX_LOGIN_LENGTH || password.length > MAX_PASSWORD_LENGTH)
        throw appError('invalid_credentials');
      const kind = { accessTokenSeconds: ACCESS_SECONDS, fixedRefreshToken: true };
      const body = { login: login.trim(), password, ...kind, ...originOf(request) };
      const session = await auth.call('createSession', { body }, request.call);
      return sendJson(reply, { access: session.accessToken, refresh: session.refreshToken });
    });
  }

  for (const url of urlsOf('auth/token/refresh')) {
    app.get(url, { config: { op: 'cloudbox.refresh' } }, async (request, reply) => {
      const body = { refreshToken: tokenOf(request), ...originOf(request) };
      const { accessToken } = await auth.call('renewAccess', { body }, request.call);
      return sendJson(reply, { access: accessToken });
    });
  }

  for (const url of urlsOf('auth/request-password-reset')) {
    app.post(url, { config: { op: 'cloudbox.requestPasswordReset' } }, async (request, reply) => {
      const email = await requiredField(gateway, request, 'email', 'email of the user is required');
      // Too long for anybody's: the answer is the same as for any that nobody has.
      const body = { email: email.slice(0, MAX_LOGIN_LENGTH), address: request.ip };
      await auth.call('requestPasswordReset', { body }, request.call);
      return sendJson(reply, { message: 'A mail has been sent to reset your password' });
    });
  }

  for (const url of urlsOf('auth/reset-password')) {
    app.post(url, { config: { op: 'cloudbox.resetPassword' } }, async (request, reply) => {
      const token = tokenOf(request);
      const { password = '' } = await fieldsOf(gateway, request);
      if (password === '') throw missingField('new password is required');
      const { signal: _, ...call } = request.call;
      await auth.call('resetPassword', { body: { token, newPassword: password, anyPassword: true } }, call);
      return sendJson(reply, { message: 'Password reset successful' });
    });
  }
}

export function profileRoute(app: App, gateway: Gateway): void {
  const { auth } = gateway;
  for (const url of urlsOf('auth/profile')) {
    app.get(url, { config: { op: 'cloudbox.profile' } }, async (request, reply) => {
      const params = { accountId: request.principal().accountId };
      const [account, profile] = await Promise.all([
        auth.call('getAccount', { params }, request.call),
        auth.call('getProfile', { params }, request.call),
      ]);
      return sendJson(reply.header('cache-control', 'no-store'), profileOf(gateway, request, account, profile));
    });
  }
}

/** A token other than the access token, in the place of one. */
function tokenOf(request: FastifyRequest): string {
  const token = bearerOf(request);
  if (token.length > MAX_TOKEN_LENGTH) throw appError('invalid_token');
  return token;
}
